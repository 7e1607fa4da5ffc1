"""The agents that prompts can be scheduled for, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from agentool.errors import ConfigurationError, did_you_mean, excerpt
from agentoolkit.agent_settings import AgentRules, AgentSource, RunLimits
from agentoolkit.agents.errors import UnknownAgent

if TYPE_CHECKING:
    from agentoolkit.agents.approval_store import Approval
    from agentoolkit.system.scheduler.execution_records import Execution


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentTask:
    """A requested run of an agent."""

    prompt: str
    owner: str
    limits: RunLimits
    """Limits of the run, with the rest of its budgets."""
    conversation: str = "fresh"
    execution: Execution | None = None
    is_whole: bool = False
    """True if the execution consists of this run alone. Only then can the run pause and go on: a step of a sequence cannot."""
    approval: Approval | None = None
    """The decision with which a parked run goes on."""
    instructions: str = ""
    waited: timedelta | None = None
    """Time waited so far for a provider's batch; None if it has not waited."""

    @property
    def can_wait(self) -> bool:
        """Tell whether its execution can end and go on later: only a whole one that nobody waits for can."""
        return self.is_whole and self.execution is not None and self.execution.trigger != "run_now"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """The output and usage of a run. Unknown tokens and cost are None."""

    output: Any = None
    requests: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: str | None = None
    """US dollars."""
    model: str = ""
    tool_calls: Sequence[Mapping[str, Any]] = ()
    messages: Sequence[Mapping[str, str]] = ()
    """Messages with their authors: see `AgentMessage`."""
    trace_id: str = ""
    conversation_id: str = ""

    @property
    def tokens(self) -> int:
        """Known tokens, in and out."""
        return (self.input_tokens or 0) + (self.output_tokens or 0)

    def details(self) -> dict[str, Any]:
        """Return everything but the output, for the history. An unknown cost is ``'unknown'``."""
        details = asdict(replace(self, output=None))
        del details["output"]
        return {**details, "cost": "unknown" if self.cost is None else self.cost}


class Runner(Protocol):
    """Runs one agent."""

    counts_tokens: bool

    async def run(self, name: str, rules: AgentRules, task: AgentTask) -> RunSummary:
        """Run it once.

        Raises:
            AgentError: It gave no answer.
            EndedEarly: It waits for approval.

        Every exception has a `RunSummary` in its attribute ``ran`` if the run has used anything.
        """
        ...

    def is_priced(self) -> bool:
        """Tell whether its model's price is known."""
        ...

    def takes_batches(self) -> bool:
        """Tell whether its provider has batches."""
        ...


@dataclass(frozen=True, slots=True)
class RegisteredAgent:
    """An agent and its rules."""

    name: str
    runner: Runner
    rules: AgentRules
    description: str = ""


@dataclass(slots=True)
class AgentRegistry:
    """Agents by name. Agents named in settings are created at their first use."""

    sources: Mapping[str, AgentSource] = field(default_factory=dict[str, AgentSource])
    make: Callable[[str, AgentSource], RegisteredAgent] | None = None
    """Makes an agent that settings name."""
    _made: dict[str, RegisteredAgent] = field(default_factory=dict[str, RegisteredAgent])

    def add(self, agent: RegisteredAgent) -> RegisteredAgent:
        """Register an agent.

        Raises:
            ConfigurationError: Another agent has this name, or its rules cannot be enforced.
        """
        if agent.name in self._made or agent.name in self.sources:
            raise ConfigurationError(f"An agent named {agent.name!r} is registered already.", remedy="Choose another name.")
        check_rules(agent)
        self._made[agent.name] = agent
        return agent

    def get(self, name: str) -> RegisteredAgent:
        """Return an agent.

        Raises:
            UnknownAgent: No agent has this name. The message names the nearest one.
        """
        if name not in self._made and name in self.sources and self.make is not None:
            made = self.make(name, self.sources[name])
            check_rules(made)
            self._made[name] = made
        try:
            return self._made[name]
        except KeyError:
            remedy = did_you_mean(name, self.names()) or "Register one with register_agent, or name one in the settings."
            raise UnknownAgent(f"No agent is named {excerpt(name)}.", field="agent", value=name, remedy=remedy) from None

    def rules_of(self, name: str) -> AgentRules:
        """Return the rules of an agent that `names` names. It is not made for that: what it needs may be missing."""
        return self._made[name].rules if name in self._made else self.sources[name]

    def names(self) -> list[str]:
        """Return the names of all agents."""
        return sorted({*self._made, *self.sources})


def check_rules(agent: RegisteredAgent) -> None:
    """Refuse rules that cannot be enforced.

    Raises:
        ConfigurationError: Dollars or tokens are limited but not counted, a program's runs are durable, or the model has no batches.
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
