"""Every call of the database fails once, at call 1, 2, 3 … until the scenario passes without: SQLite's own method."""

from __future__ import annotations

import logging
import os
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from agentoolkit.system.scheduler.execution_records import ExecutionStatus

from .scenario import START, Faults, Scenario

if TYPE_CHECKING:
    from tests.postgres import MigratedPostgres

STEP = 1 if os.environ.get("AGENTOOL_FULL") else 37
"""In the short form every so many-th call fails, each time beginning with another."""
DUE = {"a": [1, 2, 4, 5, 6, 7], "b": [1, 2, 3, 4, 5, 6, 7], "c": [1, 2, 3, 4]}
"""The seconds at which each job is due: a is paused from 2.25 to 3.25, c cancelled at 4.25, the others end at 7.5."""


async def carried_out(database: str, number: int, kind: str, monkeypatch: pytest.MonkeyPatch) -> Scenario:
    with monkeypatch.context() as patching:
        scenario = Scenario(database, Faults(number, kind))
        scenario.faults.install(patching)
        await scenario.run()
    return scenario


def wrong(scenario: Scenario) -> list[str]:
    """Compare rows, handler starts and deliveries with what the definitions of the jobs alone say."""
    expected = {f"{job}@{(START + timedelta(seconds=second)).isoformat()}" for job, seconds in DUE.items() for second in seconds}
    expected |= {f"d@after-{id_}" for id_ in expected if id_.startswith("b")}
    rows = Counter(row.execution_id for row in scenario.rows)
    found = [f"{id_}: no row" for id_ in expected - rows.keys()]
    found += [f"{id_}: {number} rows for {int(id_ in expected)}" for id_, number in rows.items() if (number, id_ in expected) != (1, True)]
    for row in scenario.rows:
        starts = [scenario.handler.starts[row.execution_id, attempt] for attempt in range(1, row.attempt + 1)]
        never_started = row.job_id == "c" and row.status is ExecutionStatus.CANCELLED and starts == [0]  # its job was cancelled first
        if (row.status is not ExecutionStatus.SUCCESS or starts != [1] * row.attempt) and not never_started:
            found.append(f"{row.execution_id}: {row.status} {row.reason}, started {starts}")
    delivered = Counter(message["execution_id"] for message in scenario.messages)
    if delivered != Counter(row.execution_id for row in scenario.rows if row.job_id == "c" and row.status is ExecutionStatus.SUCCESS):
        found.append(f"delivered {dict(delivered)}")
    return found


@pytest.mark.parametrize("kind", ["refused", "unknown"])
@pytest.mark.parametrize("system", ["sqlite", "postgres"])
async def test_every_call_may_fail_once(
    system: str, request: pytest.FixtureRequest, tmp_path, kind: str, monkeypatch: pytest.MonkeyPatch, caplog, nothing_left: None, figure
):
    """Whichever call fails, refused or done without an answer: every due time has one true row, every result one delivery."""
    caplog.set_level(logging.CRITICAL)
    postgres: MigratedPostgres | None = request.getfixturevalue("migrated_postgres") if system == "postgres" else None
    problems: dict[str, list[str]] = {}
    number = 1
    while True:
        if postgres is None:
            database = str(tmp_path / f"{number}.db")
        else:
            database = postgres.url
            postgres.empty()
        scenario = await carried_out(database, number, kind, monkeypatch)
        if found := wrong(scenario):
            problems[f"call {number}, a {scenario.faults.failed}"] = found
        if scenario.faults.calls < number:
            break
        number += STEP
    tried = (number + STEP - 1) // STEP
    figure(6, f"{'PostgreSQL' if postgres else 'SQLite'}, {kind}: {len(problems)} of {tried} failed calls cost anything")
    assert problems == {}
