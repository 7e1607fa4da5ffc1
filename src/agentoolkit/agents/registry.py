"""The agents that prompts can be scheduled for, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from agentool.errors import ConfigurationError, did_you_mean, excerpt
from agentoolkit.agent_settings import AgentRules, RunLimits
from agentoolkit.agents.errors import UnknownAgent

if TYPE_CHECKING:
    from agentoolkit.agents.approval_store import Approval
    from agentoolkit.system.scheduler.jobs import Execution


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentTask:
    """One run of an agent that somebody asks for."""

    prompt: str
    owner: str
    limits: RunLimits
    """With its budgets' remains in them."""
    conversation: str = "fresh"
    execution: Execution | None = None
    is_whole: bool = False
    """Is the execution this run and nothing else? Only then can it end and go on: a step of a sequence cannot."""
    approval: Approval | None = None
    """What was decided, where a parked run goes on."""
    instructions: str = ""
    waited: timedelta | None = None
    """How long a provider's batch was waited for already; None if none was."""

    @property
    def can_wait(self) -> bool:
        """Tell whether its execution can end and go on later: only a whole one that nobody waits for can."""
        return self.is_whole and self.execution is not None and self.execution.trigger != "run_now"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """What a run came to. Tokens and cost are None where they are not known."""

    output: Any = None
    requests: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: str | None = None
    """US dollars."""
    model: str = ""
    tool_calls: Sequence[Mapping[str, Any]] = ()
    messages: Sequence[Mapping[str, str]] = ()
    """Who said what: see `AgentMessage`."""
    trace_id: str = ""
    conversation_id: str = ""

    @property
    def tokens(self) -> int:
        """Tokens in and out, as far as they are known."""
        return (self.input_tokens or 0) + (self.output_tokens or 0)

    def details(self) -> dict[str, Any]:
        """Return all but the output as the history keeps it; a cost that is not known is said to be so."""
        told = asdict(replace(self, output=None))
        del told["output"]
        return {**told, "cost": "unknown" if self.cost is None else self.cost}


class Runner(Protocol):
    """Runs one agent."""

    counts_tokens: bool

    async def run(self, name: str, rules: AgentRules, task: AgentTask) -> RunSummary:
        """Run it once.

        Raises:
            AgentError: It did not come to an answer.
            EndedEarly: It waits for approval.

        Whatever it raises has a `RunSummary` as its attribute ``ran`` where anything was used.
        """
        ...

    def is_priced(self) -> bool:
        """Is its model's price known?"""
        ...

    def takes_batches(self) -> bool:
        """Could its provider answer in batches?"""
        ...


@dataclass(frozen=True, slots=True)
class RegisteredAgent:
    """An agent, and what it may."""

    name: str
    runner: Runner
    rules: AgentRules
    description: str = ""


@dataclass(slots=True)
class AgentRegistry:
    """Agents by name. Those that settings name are made when they are first asked for."""

    makers: Mapping[str, Callable[[str], RegisteredAgent]] = field(default_factory=dict[str, Callable[[str], RegisteredAgent]])
    _made: dict[str, RegisteredAgent] = field(default_factory=dict[str, RegisteredAgent])

    def add(self, agent: RegisteredAgent) -> RegisteredAgent:
        """Register an agent.

        Raises:
            ConfigurationError: Its name is taken, or its rules cannot be kept.
        """
        if agent.name in self._made or agent.name in self.makers:
            raise ConfigurationError(f"An agent named {agent.name!r} is registered already.", remedy="Choose another name.")
        check_rules(agent)
        self._made[agent.name] = agent
        return agent

    def get(self, name: str) -> RegisteredAgent:
        """Return an agent.

        Raises:
            UnknownAgent: None has this name; the nearest one is named.
        """
        if name not in self._made and name in self.makers:
            made = self.makers[name](name)
            check_rules(made)
            self._made[name] = made
        try:
            return self._made[name]
        except KeyError:
            remedy = did_you_mean(name, self.names()) or "Register one with register_agent, or name one in the settings."
            raise UnknownAgent(f"No agent is named {excerpt(name)}.", field="agent", value=name, remedy=remedy) from None

    def names(self) -> list[str]:
        """Return the names of all agents."""
        return sorted({*self._made, *self.makers})


def check_rules(agent: RegisteredAgent) -> None:
    """Refuse limits that could not be kept.

    Raises:
        ConfigurationError: Dollars or tokens are limited where nobody counts them, steps are kept where nobody sees them, or runs
            wait for batches that could not.
    """
    rules = agent.rules
    if not agent.runner.counts_tokens and rules.durable != "none":
        problem = f"Agent {agent.name!r} is a program: its steps are not known here, so none can be kept."
        raise ConfigurationError(problem, field="durable", value=rules.durable, remedy="Leave `durable` out.")
    if rules.economy == "batch":
        _check_batches(agent)
    if not agent.runner.counts_tokens and (rules.has_cost_limit or rules.has_token_budget):
        remedy = "Limit `runs`, or give the program's own option for its cost in the command."
        raise ConfigurationError(f"Agent {agent.name!r} is a program: its tokens and its cost are not known here.", remedy=remedy)


def _check_batches(agent: RegisteredAgent) -> None:
    if not agent.runner.takes_batches():
        problem = f"The model of agent {agent.name!r} has no batches."
        raise ConfigurationError(problem, field="economy", value="batch", remedy="Leave `economy` out, or take a provider that has them.")
    other = next((field for field in ("durable", "approvals") if getattr(agent.rules, field) in ("dbos", "park")), None)
    if other is not None:
        problem = f"Agent {agent.name!r} cannot be run by batches and with {other}={getattr(agent.rules, other)!r}."
        raise ConfigurationError(problem, field="economy", value="batch", remedy=f"Leave one of `economy` and `{other}` out.")
