"""What agents have used: reserved at its worst before a run, booked as it was after it.
A run under way is ended at its limits by `pydantic_runner`.

A process that dies in a run leaves its reservation, so that a crash never makes a budget larger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import NamedTuple, Protocol

from agentoolkit.agent_settings import AgentRules, Budget, Number, RunLimits
from agentoolkit.agents.errors import OVER_BUDGET, BudgetReached
from agentoolkit.database.database import Database, Session

MICROS = 1_000_000
"""Costs are kept in millionths of a dollar."""


@dataclass(frozen=True, slots=True)
class RunEntry:
    """One run of an agent in the ledger."""

    run_id: str
    agent: str
    owner: str
    job_id: str
    """Empty where the run belongs to no job."""
    day: str
    """The UTC day, ``2026-11-29``."""
    tokens: int = 0
    cost: Decimal | None = Decimal(0)
    """US dollars; None where the model's price is not known."""


class Spent(NamedTuple):
    """What runs have used together, reservations included."""

    runs: int = 0
    tokens: int = 0
    cost: Decimal = Decimal(0)


class Used(NamedTuple):
    """What the runs of one job have used on one day, reservations included."""

    day: str
    agent: str
    owner: str
    job_id: str
    runs: int
    tokens: int
    cost: Decimal
    unpriced: int
    """Runs whose cost is not known."""


class Ledger(Protocol):
    """Keeps entries. Reading what is spent and adding a reservation is one transaction."""

    async def reserve(self, entry: RunEntry, rules: AgentRules, limits: RunLimits) -> RunEntry:
        """Add a run at its worst, and return it. An entry of the same `run_id` is replaced. Raise `BudgetReached` if it does not fit."""
        ...

    async def book(self, entry: RunEntry) -> None:
        """Put what a run has used in the place of its reservation."""
        ...

    async def spent(self, agent: str, owner: str, day: str, job_id: str) -> tuple[Spent, Spent]:
        """Return what the agent has used for an owner on a day, and for a job."""
        ...

    async def used(self, since: str, owner: str | None, limit: int) -> Sequence[Used]:
        """Return what was used from a day on, by an owner or by all, the latest day first and the dearest job of it."""
        ...


def reservation(entry: RunEntry, rules: AgentRules, limits: RunLimits, spent: tuple[Spent, Spent]) -> RunEntry:
    """Return the run at its worst: all that one run may use, or all that is left where one run has no limit of its own.

    Raises:
        BudgetReached: A budget does not hold it; ``field`` names which.
    """
    day, job = spent
    budgets: list[tuple[str, Budget, Spent]] = [("per_day", rules.per_day, day)]
    if entry.job_id:
        budgets.append(("per_job", rules.per_job, job))
    for name, budget, used in budgets:
        if budget.runs is not None and used.runs >= budget.runs:
            raise _reached(name, f"{used.runs:,} of {budget.runs:,} runs are used")
    tokens = _worst(limits.tokens, [(name, budget.tokens, used.tokens) for name, budget, used in budgets], "{:,}".format, " tokens")
    cost = _worst(limits.cost, [(name, budget.cost, used.cost) for name, budget, used in budgets], _dollars, "")
    return replace(entry, tokens=tokens or 0, cost=cost or Decimal(0))


def _worst(
    limit: Number | None, budgets: Sequence[tuple[str, Number | None, Number]], told: Callable[[Number], str], unit: str
) -> Number | None:
    """Return the most that a run can use: its own limit, else the least that a budget has left; None where nothing limits it.

    Raises:
        BudgetReached: A budget has nothing left, or less than the run may use.
    """
    worst = limit
    for name, budget, used in budgets:
        if budget is None:
            continue
        left = budget - used
        if left <= 0 or (limit is not None and limit > left):
            wanted = "" if limit is None else f", and one run may use {told(limit)}"
            raise _reached(name, f"{told(used)} of {told(budget)}{unit} are used{wanted}")
        worst = left if worst is None else min(worst, left)
    return worst


def _dollars(amount: Decimal) -> str:
    return f"${amount.normalize():f}"


def _reached(budget: str, how: str) -> BudgetReached:
    of = "day" if budget == "per_day" else "job"
    return BudgetReached(f"{OVER_BUDGET}{of} is used up: {how}.", field=budget, remedy="Raise it, or wait.")


class MemoryLedger:
    """A ledger that lives as long as its process."""

    def __init__(self) -> None:
        self._entries: dict[str, RunEntry] = {}

    async def reserve(self, entry: RunEntry, rules: AgentRules, limits: RunLimits) -> RunEntry:
        self._entries.pop(entry.run_id, None)
        reserved = reservation(entry, rules, limits, await self.spent(entry.agent, entry.owner, entry.day, entry.job_id))
        self._entries[entry.run_id] = reserved
        return reserved

    async def book(self, entry: RunEntry) -> None:
        self._entries[entry.run_id] = entry

    async def spent(self, agent: str, owner: str, day: str, job_id: str) -> tuple[Spent, Spent]:
        mine = [entry for entry in self._entries.values() if entry.agent == agent]
        of_day = _sum(entry for entry in mine if (entry.owner, entry.day) == (owner, day))
        return of_day, _sum(entry for entry in mine if job_id and entry.job_id == job_id)

    async def used(self, since: str, owner: str | None, limit: int) -> Sequence[Used]:
        groups: dict[tuple[str, str, str, str], list[RunEntry]] = {}
        for entry in self._entries.values():
            if entry.day >= since and owner in (None, entry.owner):
                groups.setdefault((entry.day, entry.agent, entry.owner, entry.job_id), []).append(entry)
        found = [Used(*key, *_sum(entries), sum(entry.cost is None for entry in entries)) for key, entries in groups.items()]
        found.sort(key=lambda used: (used.agent, used.owner, used.job_id))
        found.sort(key=lambda used: (used.day, used.cost, used.tokens), reverse=True)
        return found[:limit]


def _sum(entries: Iterable[RunEntry]) -> Spent:
    found = list(entries)
    return Spent(len(found), sum(entry.tokens for entry in found), sum((entry.cost or Decimal(0) for entry in found), Decimal(0)))


_SPENT_DAY = """
    SELECT COUNT(*), COALESCE(SUM(tokens), 0), COALESCE(SUM(cost), 0) FROM agentool_agent_runs
    WHERE agent = :agent AND owner = :owner AND day = :day
"""
_SPENT_JOB = """
    SELECT COUNT(*), COALESCE(SUM(tokens), 0), COALESCE(SUM(cost), 0) FROM agentool_agent_runs WHERE job_id = :job_id AND agent = :agent
"""
_USED = """
    SELECT day, agent, owner, job_id, COUNT(*), COALESCE(SUM(tokens), 0), COALESCE(SUM(cost), 0), COUNT(*) - COUNT(cost)
    FROM agentool_agent_runs WHERE day >= :since {} GROUP BY day, agent, owner, job_id
    ORDER BY day DESC, 7 DESC, 6 DESC, agent, owner, job_id LIMIT :limit
"""
_BOOK = """
    INSERT INTO agentool_agent_runs (run_id, agent, owner, job_id, day, tokens, cost)
    VALUES (:run_id, :agent, :owner, :job_id, :day, :tokens, :cost)
    ON CONFLICT (run_id) DO UPDATE SET tokens = excluded.tokens, cost = excluded.cost
"""


class SqlLedger:
    """A ledger in a `Database`, which its first use opens and its maker closes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def reserve(self, entry: RunEntry, rules: AgentRules, limits: RunLimits) -> RunEntry:
        await self._database.open()
        return await self._database.write(lambda session: _reserve(session, entry, rules, limits))

    async def book(self, entry: RunEntry) -> None:
        await self._database.open()
        await self._database.write(lambda session: _book(session, entry))

    async def spent(self, agent: str, owner: str, day: str, job_id: str) -> tuple[Spent, Spent]:
        await self._database.open()
        return await self._database.read(lambda session: _spent(session, RunEntry("", agent, owner, job_id, day)))

    async def used(self, since: str, owner: str | None, limit: int) -> Sequence[Used]:
        await self._database.open()
        asked = {"since": since, "limit": limit, **({} if owner is None else {"owner": owner})}
        sql = _USED.format("" if owner is None else "AND owner = :owner")
        rows = await self._database.read(lambda session: session.rows(sql, asked))
        return [
            Used(day, agent, of, job_id, int(runs), int(tokens), Decimal(int(cost)) / MICROS, int(unpriced))
            for day, agent, of, job_id, runs, tokens, cost, unpriced in rows
        ]


def _reserve(session: Session, entry: RunEntry, rules: AgentRules, limits: RunLimits) -> RunEntry:
    session.run("DELETE FROM agentool_agent_runs WHERE run_id = :run_id", {"run_id": entry.run_id})
    reserved = reservation(entry, rules, limits, _spent(session, entry))
    _book(session, reserved)
    return reserved


def _book(session: Session, entry: RunEntry) -> None:
    cost = None if entry.cost is None else int(entry.cost * MICROS)
    row = {"run_id": entry.run_id, "agent": entry.agent, "owner": entry.owner, "job_id": entry.job_id, "day": entry.day}
    session.run(_BOOK, {**row, "tokens": entry.tokens, "cost": cost})


def _spent(session: Session, entry: RunEntry) -> tuple[Spent, Spent]:
    of_day = session.row(_SPENT_DAY, {"agent": entry.agent, "owner": entry.owner, "day": entry.day})
    of_job = session.row(_SPENT_JOB, {"job_id": entry.job_id, "agent": entry.agent}) if entry.job_id else None
    first, second = (Spent() if row is None else Spent(int(row[0]), int(row[1]), Decimal(int(row[2])) / MICROS) for row in (of_day, of_job))
    return first, second
