"""Many executions that an ended process left behind: they are taken over in portions, each by as few statements as one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agentoolkit.database.session import Session
from agentoolkit.system.scheduler.execution_records import Execution
from agentoolkit.system.scheduler.stores.sql import SqlJobStore, execution_take_overs

from .job_store_steps import START, add, at, begin, claim, none_held
from .owners import dies


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Tell how many statements were run since it was asked last."""
    run, noted = Session._sql, list[str]()

    def counting(session: Session, sql: str) -> str:
        noted.append(sql)
        return run(session, sql)

    def since() -> int:
        number = len(noted)
        noted.clear()
        return number

    monkeypatch.setattr(Session, "_sql", counting)
    return since


async def left_behind(first: SqlJobStore, second: SqlJobStore, number: int) -> list[Execution]:
    """Let a process claim so many executions, begin one of them, and die; another one leads then."""
    await add(first, coalesce=False, misfire_grace_time=None, max_instances=1_000)
    claimed = await claim(first, number)
    await begin(first, claimed[0])
    await dies(first)
    assert await second.lead(START)
    return claimed


async def test_many_are_taken_over_in_portions_the_oldest_first(first: SqlJobStore, second: SqlJobStore, monkeypatch: pytest.MonkeyPatch):
    """Of fifty, with portions of twenty, three answers hold all, each once and in order, and the fourth holds none."""
    monkeypatch.setattr(execution_take_overs, "PORTION", 20)
    claimed = await left_behind(first, second, 50)
    held, sizes = list[str](), list[int]()
    for _ in range(4):
        taken = await second.take_over(at(60), held.__contains__)
        sizes.append(len(taken))
        held += [execution.execution_id for _, execution in taken]
    assert (sizes, held) == ([20, 20, 10, 0], [execution.execution_id for execution in claimed])


async def test_taking_over_many_costs_no_more_statements_than_a_few(
    first: SqlJobStore, second: SqlJobStore, monkeypatch: pytest.MonkeyPatch, statements: Callable[[], int]
):
    """The transaction in which others wait has as many statements for fifty executions as for two."""
    await left_behind(first, second, 52)
    costs = list[int]()
    for portion in (2, 50):
        monkeypatch.setattr(execution_take_overs, "PORTION", portion)
        statements()
        taken = await second.take_over(at(200), none_held)
        costs.append(statements())
        assert len(taken) == portion
    assert costs[0] == costs[1]
