"""The ledger that lives as long as its process."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from agentoolkit.agent_settings import AgentRules, RunLimits
from agentoolkit.agents.ledger import RunEntry, Spent, Used, reservation

REPLACEABLE = timedelta(days=8)
"""How long a run is kept by itself: an execution that waits or is tried again may replace its entry. Of older ones the sums are kept."""
DAYS_KEPT = timedelta(days=366)
"""How far back `used` is asked."""


class MemoryLedger:
    """Keeps sums by day and by job as runs are booked, so that its size and its speed do not depend on the number of runs."""

    def __init__(self) -> None:
        self._runs: dict[str, RunEntry] = {}
        self._under_way: dict[str, RunEntry] = {}
        self._days: dict[str, dict[tuple[str, str, str], Used]] = {}
        """By day; then by agent, owner and job."""
        self._jobs: dict[tuple[str, str], Spent] = {}
        """By agent and job, of all days."""

    async def reserve(self, entry: RunEntry, rules: AgentRules, limits: RunLimits, now: datetime) -> RunEntry:
        self._forget_old(now)
        self._remove(entry.run_id)
        reserved = reservation(entry, rules, limits, await self.spent(entry.agent, entry.owner, entry.day, entry.job_id, now))
        self._add(reserved)
        return reserved

    async def book(self, entry: RunEntry) -> None:
        self._remove(entry.run_id)
        self._add(entry)

    async def spent(self, agent: str, owner: str, day: str, job_id: str, now: datetime) -> tuple[Spent, Spent]:
        of_day = [used for (by, of, _), used in self._days.get(day, {}).items() if (by, of) == (agent, owner)]
        sums = Spent(sum(used.runs for used in of_day), sum(used.tokens for used in of_day), _dollars(used.cost for used in of_day))
        held = [run for run in self._under_way.values() if run.agent == agent and run.reserved_until and run.reserved_until > now]
        of_job = self._jobs.get((agent, job_id), Spent()) if job_id else Spent()
        return (
            _with_reserved(sums, [run for run in held if (run.owner, run.day) == (owner, day)]),
            _with_reserved(of_job, [run for run in held if job_id and run.job_id == job_id]),
        )

    async def used(self, since: str, owner: str | None, limit: int) -> Sequence[Used]:
        days = [sums for day, sums in self._days.items() if day >= since]
        found = [used for sums in days for used in sums.values() if used.runs and owner in (None, used.owner)]
        found.sort(key=lambda used: (used.agent, used.owner, used.job_id))
        found.sort(key=lambda used: (used.day, used.cost, used.tokens), reverse=True)
        return found[:limit]

    def _add(self, entry: RunEntry) -> None:
        self._runs[entry.run_id] = entry
        if entry.reserved_until is not None:
            self._under_way[entry.run_id] = entry
        self._count(entry, 1)

    def _remove(self, run_id: str) -> None:
        self._under_way.pop(run_id, None)
        entry = self._runs.pop(run_id, None)
        if entry is not None:
            self._count(entry, -1)

    def _count(self, entry: RunEntry, sign: int) -> None:
        """Add a run to the sums, or (-1) take it out of them."""
        tokens, cost = sign * entry.tokens, sign * (entry.cost or Decimal(0))
        sums, key = self._days.setdefault(entry.day, {}), (entry.agent, entry.owner, entry.job_id)
        day, *_, runs, all_tokens, all_cost, unpriced = sums.get(key, Used(entry.day, *key, 0, 0, Decimal(0), 0))
        sums[key] = Used(day, *key, runs + sign, all_tokens + tokens, all_cost + cost, unpriced + sign * (entry.cost is None))
        if entry.job_id:
            before = self._jobs.get((entry.agent, entry.job_id), Spent())
            self._jobs[entry.agent, entry.job_id] = Spent(before.runs + sign, before.tokens + tokens, before.cost + cost)

    def _forget_old(self, now: datetime) -> None:
        """Drop runs and days that are too old, the oldest first: they are in the order in which they were added."""
        oldest_run, oldest_day = ((now - age).strftime("%Y-%m-%d") for age in (REPLACEABLE, DAYS_KEPT))
        while self._runs and (first := next(iter(self._runs.values()))).day < oldest_run:
            del self._runs[first.run_id]
            self._under_way.pop(first.run_id, None)
        while self._days and (day := next(iter(self._days))) < oldest_day:
            del self._days[day]


def _with_reserved(sums: Spent, held: Sequence[RunEntry]) -> Spent:
    return sums._replace(reserved_tokens=sum(run.tokens for run in held), reserved_cost=_dollars(run.cost or Decimal(0) for run in held))


def _dollars(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, Decimal(0))
