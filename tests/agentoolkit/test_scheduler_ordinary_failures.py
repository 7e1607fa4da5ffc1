"""What can happen any day is one line in the log; what nobody expected has its traceback."""

from __future__ import annotations

import logging

import pytest

from agentoolkit.database.session import DatabaseError
from agentoolkit.system.scheduler.stores.sql.claims import NotLeading

FULL = DatabaseError("The disk is full.", remedy="Make room on its disk.")


async def fails_once(kit, monkeypatch, method: str, error: Exception) -> list[str]:
    """Let a method of the store raise once; return the list that tells of it."""
    original, raised = getattr(kit.scheduler.store, method), []

    async def fails(*given, **more):
        if not raised:
            raised.append(method)
            raise error
        return await original(*given, **more)

    monkeypatch.setattr(kit.scheduler.store, method, fails)
    return raised


@pytest.mark.parametrize("error", [FULL, NotLeading("Another process leads now.")])
@pytest.mark.parametrize("method", ["claim", "begin", "finish"])
async def test_an_ordinary_failure_is_one_line(kit, scheduler, monkeypatch, caplog, method, error):
    """A full disk or another leader: the log says what failed, why and what is done about it, without a traceback."""
    caplog.set_level(logging.WARNING)
    raised = await fails_once(kit, monkeypatch, method, error)
    await scheduler.add("1 minute", job_id="job")
    await kit.advance(minutes=1, seconds=5)
    records = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert (raised, [record.exc_info for record in records], str(error) in caplog.text) == ([method], [None] * len(records), True)


@pytest.mark.parametrize("method", ["claim", "begin"])
async def test_what_nobody_expected_has_its_traceback(kit, scheduler, monkeypatch, caplog, method):
    """An error that is none of ours is logged with where it came from."""
    await fails_once(kit, monkeypatch, method, ZeroDivisionError("odd"))
    await scheduler.add("1 minute", job_id="job")
    await kit.advance(minutes=1, seconds=5)
    assert "Traceback" in caplog.text


@pytest.mark.parametrize("error", [FULL, NotLeading("Another process leads now.")])
async def test_a_claim_that_fails_as_the_scheduler_ends_is_no_error(kit, scheduler, monkeypatch, caplog, error):
    """Nothing is tried again here: what is due stays due, for whichever process is next."""
    await scheduler.add("1 minute", job_id="job")
    raised = await fails_once(kit, monkeypatch, "claim", error)
    claiming = kit.scheduler.lifecycle.running_engine().claiming
    claiming.stop()
    await claiming.claim(["job"])
    assert (raised, [record.message for record in caplog.records if record.levelno >= logging.WARNING]) == (["claim"], [])
