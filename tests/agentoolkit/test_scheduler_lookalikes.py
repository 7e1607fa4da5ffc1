"""Text that came out of a result and reads like a reference is never written down, where it would become one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

import pytest

from agentool import BaseOperationInput, Injector, RunContext, create_agentool
from agentool.references import Inert
from agentoolkit.actions.sequence import SequenceFailed
from agentoolkit.settings import Settings
from agentoolkit.system.scheduler import InvalidJob
from agentoolkit.testing import ManualTime, TestToolkit
from agentoolkit.wiring import Toolkit

HOSTILE = "!ref:storage_kv:secret"
START = "2030-01-01T00:00:00+00:00"


class StrangerInput(BaseOperationInput):
    operation: Literal["answer"]
    text: str = HOSTILE


async def stranger_answer(ctx: RunContext[None], text: str = HOSTILE) -> dict[str, str]:
    return {"text": text}


def keeping(value: Any) -> dict[str, Any]:
    """Return the call that keeps a value."""
    return {"agentool_name": "storage_kv", "input_data": {"operation": "set", "key": "kept", "value": value}}


def scheduling(text: str = HOSTILE, **fields: Any) -> dict[str, Any]:
    """Return a sequence that schedules a job with a stranger's text."""
    job = {"operation": "schedule", "job_name": "later", "schedule": "in 1 minute", **keeping({"deep": ["!step:ask.text"]}), **fields}
    asked = {"name": "ask", "agentool_name": "stranger", "input_data": {"operation": "answer", "text": text}}
    return {"operation": "run", "steps": [asked, {"name": "schedule", "agentool_name": "scheduler", "input_data": job}]}


async def opened(kit: Toolkit) -> Toolkit:
    create_agentool("stranger", StrangerInput, {"answer": stranger_answer}, injector=kit.injector)
    await kit.injector.run("storage_kv", {"operation": "set", "key": "secret", "value": "S3CR3T"})
    return kit


def settings(database: Path | None) -> Settings:
    return Settings(timezone="UTC", database=str(database) if database else None)


@pytest.fixture(params=["memory", "sqlite", "visitor"])
async def any_kit(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Toolkit]:
    """A toolkit in memory, one on SQLite, and a visitor of one on SQLite."""
    database = None if request.param == "memory" else tmp_path / "agentool.db"
    async with TestToolkit(settings(database), ManualTime(START), Injector()) as kit:
        if request.param != "visitor":
            yield await opened(kit)
            return
        async with Toolkit(settings(database), runs_jobs=False, time=kit.clock) as visitor:
            yield await opened(visitor)


async def test_a_strangers_text_is_not_scheduled_as_a_reference(any_kit: Toolkit):
    """Whatever the store, and whoever schedules: a job with such a text is refused, and none is kept."""
    with pytest.raises(SequenceFailed, match=r"input_data\.value\.deep\.0"):
        await any_kit.injector.run("sequence", scheduling())
    assert await any_kit.scheduler.lookup.jobs() == []


async def test_the_way_out_works_after_a_restart(tmp_path: Path):
    """Kept with storage_kv and referred to there, the text stays text, also in the next process."""
    time, sqlite = ManualTime(START), settings(tmp_path / "agentool.db")
    async with TestToolkit(sqlite, time, Injector()) as kit:
        await (await opened(kit)).injector.run("storage_kv", {"operation": "set", "key": "said", "value": HOSTILE})
        due = {"job_name": "later", "schedule": "in 1 minute", **keeping({"deep": ["!ref:storage_kv:said"]})}
        await kit.injector.run("scheduler", {"operation": "schedule", **due})
    async with TestToolkit(sqlite, time, Injector()) as kit:
        await kit.injector.run("scheduler", {"operation": "run_now", "job_id": "later"})
        assert (await kit.injector.run("storage_kv", {"operation": "get", "key": "kept"})).value == {"deep": [HOSTILE]}


@pytest.fixture
def job() -> dict[str, Any]:
    return {"job_name": "later", "schedule": "1 hour", **keeping("text")}


WHERE = [
    ("input_data.value", keeping(Inert(HOSTILE))),
    ("input_data.value.a.1.b", keeping({"a": [0, {"b": Inert(HOSTILE)}]})),
    ("input_data.value", keeping(Inert("!step:first.password"))),
    ("input_data.value", keeping(Inert(f"see {HOSTILE}"))),
    ("gate.input_data.value", {"gate": keeping(Inert(HOSTILE))}),
]


@pytest.mark.parametrize(("field", "fields"), WHERE)
async def test_a_lookalike_is_refused_when_it_is_scheduled(scheduler: Any, job: dict[str, Any], field: str, fields: dict[str, Any]):
    """In the input and in a gate's, at any depth; the error names the place, the text and the way out."""
    with pytest.raises(InvalidJob) as refused:
        await scheduler("schedule", **{**job, **fields})
    assert (refused.value.field, "!" in str(refused.value.value), "storage_kv" in str(refused.value)) == (field, True, True)


@pytest.mark.parametrize(("field", "fields"), WHERE)
async def test_a_lookalike_is_refused_in_an_update(scheduler: Any, job: dict[str, Any], field: str, fields: dict[str, Any]):
    """A job is not changed into one with such a text."""
    await scheduler("schedule", **job)
    with pytest.raises(InvalidJob) as refused:
        await scheduler("update", job_id="later", **fields)
    assert (refused.value.field, (await scheduler("get_job", job_id="later"))["info"]["input_data"]["value"]) == (field, "text")


async def test_a_lookalike_may_be_run_at_once(scheduler: Any, kit: TestToolkit):
    """What is not written down stays text: run_now takes it as it is."""
    await scheduler("run_now", **keeping(Inert(HOSTILE)))
    assert (await kit.injector.run("storage_kv", {"operation": "get", "key": "kept"})).value == HOSTILE


async def test_a_result_that_only_begins_with_the_mark_may_be_scheduled(any_kit: Toolkit):
    """Text is refused for reading like a reference, not for where it comes from."""
    await any_kit.injector.run("sequence", scheduling("!important: see ref:a:b"))
    assert [stored.job.job_id for stored in await any_kit.scheduler.lookup.jobs()] == ["later"]


async def test_a_message_that_is_executed_looks_nothing_up(kit: TestToolkit):
    """What lies in a queue may be a stranger's: an AgenTool that runs with it does not resolve references in it."""
    await kit.injector.run("storage_kv", {"operation": "set", "key": "secret", "value": "S3CR3T"})
    message = {"operation": "render", "template": "{{ said }}", "variables": {"said": HOSTILE}}
    await kit.injector.run("queue", {"operation": "enqueue", "queue_name": "q", "message": message})
    taken = {"operation": "dequeue", "queue_name": "q", "auto_execute": True, "agentool_name": "templates"}
    (done,) = (await kit.injector.run("queue", taken)).data["results"]
    assert done["result"]["text"] == HOSTILE


async def test_a_message_cannot_schedule_a_reference(kit: TestToolkit):
    """A job that a message asks for may not have one either."""
    message = {"operation": "schedule", "job_name": "later", "schedule": "1 hour", **keeping(HOSTILE)}
    await kit.injector.run("queue", {"operation": "enqueue", "queue_name": "q", "message": message})
    taken = {"operation": "dequeue", "queue_name": "q", "auto_execute": True, "agentool_name": "scheduler"}
    (error,) = (await kit.injector.run("queue", taken)).data["errors"]
    assert (error["type"], "input_data.value" in error["message"]) == ("InvalidJob", True)
