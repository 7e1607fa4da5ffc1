"""A notification that is tried again on a real database, by another process: what has arrived is not sent again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agentoolkit.actions.notification import Notification

from .lives import PATIENCE, Life


async def statuses(life: Life, job_id: str) -> list[str]:
    return [row.status.value for row in await life.kit.scheduler.store.executions(job_id, 100)]


async def notify(life: Life, tool: str, data: dict[str, Any], told: list[str], *, fails: bool) -> None:
    """Schedule a notification that arrives in the log, and fails or not at a listener, and let its first attempt pass."""

    def listen(notification: Notification) -> None:
        told.append(notification.message)
        if fails:
            raise RuntimeError("not yet")

    life.kit.injector.get("notification").deps.subscribe(listen)
    work = {"agentool_name": tool, "input_data": data, "max_retries": 1, "retry_backoff": 60}
    await life.ask("schedule", job_id="tell", schedule="in 1 minute", **work)
    await life.advance(seconds=60)


def in_the_log(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "agentoolkit.notifications"]


SEND = {"operation": "send", "message": "Backup complete", "targets": ["log", "event"]}
IN_A_SEQUENCE = {"operation": "run", "steps": [{"agentool_name": "notification", "input_data": SEND}]}
REFERRED = {**SEND, "message": "!ref:storage_kv:password"}


@pytest.mark.parametrize(
    ("tool", "data", "logged"),
    [
        ("notification", SEND, "Backup complete"),
        ("sequence", IN_A_SEQUENCE, "Backup complete"),
        ("notification", REFERRED, "[redacted]"),
    ],
    ids=["alone", "step", "secret"],
)
async def test_another_process_sends_only_where_a_notification_failed(
    life: Life, caplog: pytest.LogCaptureFixture, tool: str, data: dict[str, Any], logged: str
):
    """What arrived is in the execution's record, so that a retry knows it after the process has ended. No log shows a secret."""
    await life.kit.injector.run("storage_kv", {"operation": "set", "key": "password", "value": "Backup complete"})
    told: list[str] = []
    with caplog.at_level("INFO", "agentoolkit.notifications"):
        await notify(life, tool, data, told, fails=True)
        await life.restart()
        life.kit.injector.get("notification").deps.subscribe(lambda notification: told.append(notification.message))
        await life.advance(minutes=2)
    assert (in_the_log(caplog), told) == ([logged], ["Backup complete"] * 2)
    assert await statuses(life, "tell") == ["success"]


async def test_a_notification_that_a_stop_cuts_short_goes_on_where_it_was(life: Life, caplog: pytest.LogCaptureFixture):
    """A scheduler that stops between two targets leaves word of the first for whoever starts it again."""

    hangs = asyncio.Event()

    async def hang(notification: Notification) -> None:
        hangs.set()
        await asyncio.Event().wait()

    life.kit.injector.get("notification").deps.subscribe(hang)
    with caplog.at_level("INFO", "agentoolkit.notifications"):
        work = {"agentool_name": "notification", "input_data": SEND}
        await life.kit.injector.run("scheduler", {"operation": "schedule", "job_id": "tell", "schedule": "now", **work})
        async with asyncio.timeout(PATIENCE):
            await hangs.wait()
        await life.close()
        await life.open()
        await life.advance(seconds=20)
    assert (in_the_log(caplog), await statuses(life, "tell")) == (["Backup complete"], ["success"])
