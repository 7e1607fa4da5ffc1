"""The ledger of agents' usage: a run's largest usage is reserved before it, its real usage is booked after it.

A process that dies in a run leaves its reservation, so that a crash never makes a budget larger. Others wait for it as for that of a
run under way, until its time is over; then it counts as used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple, Protocol

from agentoolkit.agent_settings import AgentRules, Budget, Number, RunLimits
from agentoolkit.agents.errors import OVER_BUDGET, BudgetReached, BudgetReserved

_OF = {"per_day": "day", "per_job": "job"}
"""What a budget is called in a message."""


@dataclass(frozen=True, slots=True)
class RunEntry:
    """One run of an agent in the ledger."""

    run_id: str
    agent: str
    owner: str
    job_id: str
    """Empty if the run belongs to no job."""
    day: str
    """The UTC day, ``2026-11-29``."""
    tokens: int = 0
    cost: Decimal | None = Decimal(0)
    """US dollars; None where the model's price is not known."""
    reserved_until: datetime | None = None
    """Until then the run is under way and may use its tokens and cost; afterwards it was cut off and has used them. None: it has ended."""


class Spent(NamedTuple):
    """The total usage of several runs, reservations included."""

    runs: int = 0
    tokens: int = 0
    cost: Decimal = Decimal(0)
    reserved_tokens: int = 0
    """Those of `tokens` that runs under way may use."""
    reserved_cost: Decimal = Decimal(0)
    """The same of `cost`."""


class Used(NamedTuple):
    """The usage of one job's runs on one day, reservations included."""

    day: str
    agent: str
    owner: str
    job_id: str
    runs: int
    tokens: int
    cost: Decimal
    unpriced: int
    """Runs of unknown cost."""


class Ledger(Protocol):
    """Stores entries. Reading the spent amounts and adding a reservation is one transaction."""

    async def reserve(self, entry: RunEntry, rules: AgentRules, limits: RunLimits, now: datetime) -> RunEntry:
        """Add a run at its worst, and return it. An entry of the same `run_id` is replaced. Raise `BudgetReached` if it does not fit."""
        ...

    async def book(self, entry: RunEntry) -> None:
        """Replace a reservation by the real usage."""
        ...

    async def spent(self, agent: str, owner: str, day: str, job_id: str, now: datetime) -> tuple[Spent, Spent]:
        """Return what the agent has used for an owner on a day, and for a job."""
        ...

    async def used(self, since: str, owner: str | None, limit: int) -> Sequence[Used]:
        """Return the usage since a day, of one owner or all (None), latest day first, then most expensive job first."""
        ...


def reservation(entry: RunEntry, rules: AgentRules, limits: RunLimits, spent: tuple[Spent, Spent]) -> RunEntry:
    """Return the run at its worst: all that one run may use, or all that is left where its own limit is none or above the budget.

    Raises:
        BudgetReached: A budget does not hold it; ``field`` names which.
        BudgetReserved: It would, if runs under way had not reserved what they may use.
    """
    day, job = spent
    budgets: list[tuple[str, Budget, Spent]] = [("per_day", rules.per_day, day)]
    if entry.job_id:
        budgets.append(("per_job", rules.per_job, job))
    for name, budget, used in budgets:
        if budget.runs is not None and used.runs >= budget.runs:
            raise _reached(name, f"{used.runs:,} of {budget.runs:,} runs are used")
    tokens: int | None = limits.tokens
    cost: Decimal | None = limits.cost
    for name, budget, used in budgets:
        tokens = _least(tokens, _left(name, limits.tokens, budget.tokens, used.tokens, used.reserved_tokens, "{:,}".format, " tokens"))
        cost = _least(cost, _left(name, limits.cost, budget.cost, used.cost, used.reserved_cost, _dollars, ""))
    return replace(entry, tokens=tokens or 0, cost=cost or Decimal(0))


def _left(
    name: str, limit: Number | None, budget: Number | None, spent: Number, reserved: Number, told: Callable[[Number], str], unit: str
) -> Number | None:
    """Return what a budget has left for a run; None where there is no budget.

    Raises:
        BudgetReached: That is nothing, or less than the run may use.
        BudgetReserved: It would be enough without what runs under way have reserved.
    """
    if budget is None:
        return None
    left, used = budget - spent, spent - reserved
    least = None if limit is None or limit > budget else limit  # a limit above the budget is none: no run could ever begin
    if left > 0 and (least is None or least <= left):
        return left
    wanted = "" if least is None else f", and one run may use {told(least)}"
    free = budget - used
    if free <= 0 or (least is not None and least > free):
        raise _reached(name, f"{told(used)} of {told(budget)}{unit} are used{wanted}")
    how = f"{told(used)} of {told(budget)}{unit} are used, {told(reserved)} are reserved{wanted}"
    raise BudgetReserved(f"Runs under way hold the budget of the {_OF[name]}: {how}.", field=name, remedy="Try again when they have ended.")


def _least(one: Number | None, other: Number | None) -> Number | None:
    return other if one is None else one if other is None else min(one, other)


def _dollars(amount: Decimal) -> str:
    return f"${amount.normalize():f}"


def _reached(budget: str, how: str) -> BudgetReached:
    return BudgetReached(f"{OVER_BUDGET}{_OF[budget]} is used up: {how}.", field=budget, remedy="Raise it, or wait.")
