"""The ledger in a database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from agentoolkit.agent_settings import AgentRules, RunLimits
from agentoolkit.agents.ledger import RunEntry, Spent, Used, reservation
from agentoolkit.database.database import Database, Session
from agentoolkit.database.times import micros

MICROS = 1_000_000
"""Costs are kept in millionths of a dollar."""

_SPENT = """
    SELECT COUNT(*), COALESCE(SUM(tokens), 0), COALESCE(SUM(cost), 0),
        COALESCE(SUM(CASE WHEN reserved_until > :now THEN tokens END), 0), COALESCE(SUM(CASE WHEN reserved_until > :now THEN cost END), 0)
    FROM agentool_agent_runs WHERE agent = :agent AND {}
"""
_SPENT_DAY = _SPENT.format("owner = :owner AND day = :day")
_SPENT_JOB = _SPENT.format("job_id = :job_id")
_USED = """
    SELECT day, agent, owner, job_id, COUNT(*), COALESCE(SUM(tokens), 0), COALESCE(SUM(cost), 0), COUNT(*) - COUNT(cost)
    FROM agentool_agent_runs WHERE day >= :since {} GROUP BY day, agent, owner, job_id
    ORDER BY day DESC, 7 DESC, 6 DESC, agent, owner, job_id LIMIT :limit
"""
_BOOK = """
    INSERT INTO agentool_agent_runs (run_id, agent, owner, job_id, day, tokens, cost, reserved_until)
    VALUES (:run_id, :agent, :owner, :job_id, :day, :tokens, :cost, :reserved_until)
    ON CONFLICT (run_id) DO UPDATE SET tokens = excluded.tokens, cost = excluded.cost, reserved_until = excluded.reserved_until
"""


class SqlLedger:
    """A ledger in a `Database`, which its first use opens and its maker closes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def reserve(self, entry: RunEntry, rules: AgentRules, limits: RunLimits, now: datetime) -> RunEntry:
        await self._database.open()
        return await self._database.write(lambda session: _reserve(session, entry, rules, limits, now))

    async def book(self, entry: RunEntry) -> None:
        await self._database.open()
        await self._database.write(lambda session: _book(session, entry))

    async def spent(self, agent: str, owner: str, day: str, job_id: str, now: datetime) -> tuple[Spent, Spent]:
        await self._database.open()
        return await self._database.read(lambda session: _spent(session, RunEntry("", agent, owner, job_id, day), now))

    async def used(self, since: str, owner: str | None, limit: int) -> Sequence[Used]:
        await self._database.open()
        asked = {"since": since, "limit": limit, **({} if owner is None else {"owner": owner})}
        sql = _USED.format("" if owner is None else "AND owner = :owner")
        rows = await self._database.read(lambda session: session.rows(sql, asked))
        return [
            Used(day, agent, of, job_id, int(runs), int(tokens), Decimal(int(cost)) / MICROS, int(unpriced))
            for day, agent, of, job_id, runs, tokens, cost, unpriced in rows
        ]


def _reserve(session: Session, entry: RunEntry, rules: AgentRules, limits: RunLimits, now: datetime) -> RunEntry:
    session.run("DELETE FROM agentool_agent_runs WHERE run_id = :run_id", {"run_id": entry.run_id})
    reserved = reservation(entry, rules, limits, _spent(session, entry, now))
    _book(session, reserved)
    return reserved


def _book(session: Session, entry: RunEntry) -> None:
    cost = None if entry.cost is None else int(entry.cost * MICROS)
    until = None if entry.reserved_until is None else micros(entry.reserved_until)
    row = {"run_id": entry.run_id, "agent": entry.agent, "owner": entry.owner, "job_id": entry.job_id, "day": entry.day}
    session.run(_BOOK, {**row, "tokens": entry.tokens, "cost": cost, "reserved_until": until})


def _spent(session: Session, entry: RunEntry, now: datetime) -> tuple[Spent, Spent]:
    asked = {"agent": entry.agent, "now": micros(now)}
    of_day = session.row(_SPENT_DAY, {**asked, "owner": entry.owner, "day": entry.day})
    of_job = session.row(_SPENT_JOB, {**asked, "job_id": entry.job_id}) if entry.job_id else None
    return _sum(of_day), _sum(of_job)


def _sum(row: Sequence[Any] | None) -> Spent:
    if row is None:
        return Spent()
    runs, tokens, cost, reserved_tokens, reserved_cost = map(int, row)
    return Spent(runs, tokens, Decimal(cost) / MICROS, reserved_tokens, Decimal(reserved_cost) / MICROS)
