"""What an execution repeats is told by its id, and by nothing that a caller has written there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from agentoolkit.system.scheduler.errors import ExecutionNotFound, InvalidJob
from agentoolkit.system.scheduler.execution_ids import asked_execution_id, downstream_execution_id, execution_id, origin_of, upstream_of
from agentoolkit.testing import toolkit

NOW = datetime(2030, 1, 1, tzinfo=UTC)
PROBE = {"agentool_name": "queue", "input_data": {"operation": "list_queues"}}
Ask = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
async def ask() -> Any:
    async with toolkit() as kit:

        async def asked(operation: str, **fields: Any) -> dict[str, Any]:
            return (await kit.injector.run("scheduler", {"operation": operation, **fields})).data

        await asked("schedule", job_name="job", schedule="every hour", **PROBE)
        yield asked


def test_the_id_of_a_due_time_is_that_of_its_text_in_utc() -> None:
    """Also if the same instant was asked for in another zone just before, or just after."""
    due = datetime(2030, 2, 3, 4, 5, tzinfo=UTC)
    elsewhere = due.astimezone(timezone(timedelta(hours=1)))
    asked = [execution_id("job", moment) for moment in (elsewhere, due, elsewhere)]
    assert asked == ["job@2030-02-03T05:05:00+01:00", "job@2030-02-03T04:05:00+00:00", "job@2030-02-03T05:05:00+01:00"]


@pytest.mark.parametrize("key", ["nightly-replay-2024", "retry-me", "now-0-replay-x", "a~b"])
async def test_a_key_of_any_text_repeats_nothing(ask: Ask, key: str) -> None:
    """Also one that reads like the id of a retry or of a replay."""
    assert origin_of((await ask("start_run", job_id="job", run_key=key))["execution_id"]) is None


@pytest.mark.parametrize("key", ["a", "a~b", "retry-me", "nightly-replay-2024"])
async def test_a_retry_names_what_it_repeats(ask: Ask, key: str) -> None:
    """Letter by letter, also where that was a retry itself; the same execution is retried once."""
    first = (await ask("start_run", job_id="job", run_key=key))["execution_id"]
    second, again = [(await ask("start_run", job_id="job", execution_id=first))["execution_id"] for _ in range(2)]
    third = (await ask("start_run", job_id="job", execution_id=second))["execution_id"]
    assert (second, origin_of(second), origin_of(third)) == (again, first, second)


@pytest.mark.parametrize(
    "origin", ["job@2030-01-01T00:00:00+00:00", "job@after-other@now-1", "job@requested-a~b", "job@retry-now-1-replay-2"]
)
def test_a_replay_names_what_it_repeats(origin: str) -> None:
    """Whatever started that; what comes after a replay repeats nothing."""
    replay = asked_execution_id("job", NOW, origin)
    assert origin_of(replay) == origin
    assert origin_of(f"load@after-{replay}") is None


def test_a_long_id_is_not_told() -> None:
    """The id of what repeats it is kept short."""
    replay = asked_execution_id("job", NOW, "job@requested-" + "x" * 180)
    assert (len(replay) < 120, origin_of(replay)) == (True, None)


async def test_what_is_repeated_is_an_execution_of_the_job(ask: Ask) -> None:
    """One that is known; and it, or a key, is given."""
    await ask("schedule", job_name="other", schedule="every hour", **PROBE)
    other = (await ask("start_run", job_id="other", run_key="a"))["execution_id"]
    for wrong, error in ({"execution_id": "job@requested-b"}, ExecutionNotFound), ({"execution_id": other}, InvalidJob), ({}, InvalidJob):
        with pytest.raises(error):
            await ask("start_run", job_id="job", **wrong)
    with pytest.raises(InvalidJob):
        await ask("start_run", job_id="other", run_key="b", execution_id=other)


@pytest.mark.parametrize("after_any", [False, True])
def test_the_id_of_a_downstream_execution_tells_its_upstream(after_any: bool) -> None:
    """Also that of one which came after another itself; a digest in its place, and a key of a caller, tell nothing."""
    first = downstream_execution_id("b", "a@2030-01-01T00:00:00+00:00", after_any=after_any)
    second = downstream_execution_id("c", first)
    assert (upstream_of(second), upstream_of(first)) == (first, "a@2030-01-01T00:00:00+00:00")
    assert upstream_of(downstream_execution_id("c", "0" * 32, after_any=after_any)) is None
    assert upstream_of("c@requested-after-a@b") is None
