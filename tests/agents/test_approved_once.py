"""What a person approved is done at most once, and nothing else is done for it, however often the run is tried again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic_ai import exceptions
from tests.agents.conftest import SUNDAY
from tests.agents.test_approvals import PAY, Bank, decide, ended, history, parked, waiting

from agentool import Injector, InvalidInput
from agentoolkit.actions.agent import register_agent
from agentoolkit.agents.errors import NoSuchApproval
from agentoolkit.agents.parked_runs import MAX_LISTED
from agentoolkit.settings import Settings
from agentoolkit.testing import ManualTime, TestToolkit

RETRIES = {"max_retries": 3}


@pytest.fixture
def bank() -> Bank:
    """A bank that has paid nothing."""
    return Bank()


def is_down(messages: Any) -> str:
    """A model that cannot be reached."""
    raise exceptions.ModelConnectionError("m", "reset")


async def test_a_retry_does_not_repeat_an_approved_call(kit: TestToolkit, bank: Bank) -> None:
    """The call was made, then the model was away: the next attempt is told what the call came to, and pays nothing."""
    await decide(kit, "approve", await parked(kit, bank, PAY, is_down, bank.note, **RETRIES))
    await kit.advance(minutes=30)
    run = (await history(kit))[-1]
    assert (run["status"], run["attempt"]) == ("success", 2)
    assert (bank.paid, bank.told) == ([5], ["paid 5"])


async def test_a_call_whose_end_nobody_knows_is_not_repeated(kit: TestToolkit, bank: Bank) -> None:
    """The connection broke after the payment: the next attempt is told that it may have been made, and the model can say so."""
    bank.breaks = True
    await decide(kit, "approve", await parked(kit, bank, **RETRIES))
    await kit.advance(minutes=30)
    assert (await history(kit))[-1]["status"] == "success"
    assert bank.paid == [5]
    assert "nobody knows how it ended" in bank.told[0]


async def test_each_of_several_approved_calls_is_made_once(kit: TestToolkit, bank: Bank) -> None:
    """Where one broke, the next attempt repeats neither it nor the one that ended well."""
    two = [("pay", {"amount": 5}), ("pay", {"amount": 7})]
    await decide(kit, "approve", await parked(kit, bank, two, is_down, is_down, bank.note, **RETRIES))
    await kit.advance(hours=1)
    assert (sorted(bank.paid), sorted(bank.told)) == ([5, 7], ["paid 5", "paid 7"])


async def test_a_new_process_does_not_repeat_it_either(tmp_path: Path, bank: Bank) -> None:
    """What was begun is in the database: the attempt of a process that comes later finds it there."""
    settings = Settings.from_values({"timezone": "UTC", "database": str(tmp_path / "jobs.db")})
    async with TestToolkit(settings, ManualTime(SUNDAY), Injector()) as kit:
        await decide(kit, "approve", await parked(kit, bank, PAY, is_down, **RETRIES))
    later = ManualTime(kit.clock.now() + timedelta(hours=1))
    async with TestToolkit(settings, later, Injector()) as kit:
        register_agent("a", bank.agent(bank.note), approvals="park")
        await kit.advance(seconds=5)
        runs = await ended(kit, 2)
    assert (runs[-1]["status"], bank.paid, bank.told) == ("success", [5], ["paid 5"])


async def test_an_approval_holds_for_no_later_call(kit: TestToolkit, bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run came to a second call, and could not write that it waits: the next attempt parks it and does not take it for approved."""
    store = kit.injector.get("agent").deps.parked.approvals
    add, full = store.add, [OSError("disk full")]

    async def add_later(approval: Any) -> None:
        if full and approval.calls[0].arguments == {"amount": 700}:
            raise full.pop()
        await add(approval)

    monkeypatch.setattr(store, "add", add_later)
    await decide(kit, "approve", await parked(kit, bank, PAY, ("pay", {"amount": 700}), bank.note, **RETRIES))
    await kit.advance(minutes=30)
    (second,) = await waiting(kit)
    assert (bank.paid, full, second.calls[0]["arguments"]) == ([5], [], {"amount": 700})
    await decide(kit, "approve", second.approval_id)
    assert bank.paid == [5, 700]


# Edits.


TWO = [("pay", {"amount": 5}), ("pay", {"amount": 700})]


async def test_an_edit_changes_the_call_that_it_names(kit: TestToolkit, bank: Bank) -> None:
    """Of two calls of one tool, the one whose id is given."""
    approval_id = await parked(kit, bank, TWO, bank.note)
    calls = (await waiting(kit))[0].calls
    await decide(kit, "approve", approval_id, edits={calls[0]["call_id"]: {"amount": 6}})
    assert sorted(bank.paid) == [6, 700]


@pytest.mark.parametrize("steps", [TWO, [*TWO, PAY]], ids=["two", "three"])
async def test_a_tools_name_is_no_name_for_several_calls(kit: TestToolkit, bank: Bank, steps: Any) -> None:
    """Which call is meant is not known, so nothing is decided, and the refusal tells the ids."""
    approval_id = await parked(kit, bank, steps, bank.note)
    calls = (await waiting(kit))[0].calls
    with pytest.raises(InvalidInput, match=f"{len(steps)} calls of 'pay' wait.*{calls[1]['call_id']} is .*700"):
        await decide(kit, "approve", approval_id, edits={"pay": {"amount": 6}})
    assert len(await waiting(kit)) == 1


@pytest.mark.parametrize(
    ("edits", "told"),
    [
        ({"pay": {"amout": 6}}, r"edits\.pay\.amout: There is no such argument\. Did you mean 'amount'"),
        ({"pay": {}}, r"edits\.pay\.amount: This argument is required and missing"),
        ({"pay": {"amount": "lots"}}, r"edits\.pay\.amount: 'lots' is no integer"),
        ({"pay": {"amount": True}}, r"edits\.pay\.amount: True is no integer"),
        ({"pya": {"amount": 6}}, r"edits: No call of 'pya' waits"),
    ],
)
async def test_edits_that_do_not_fit_are_refused(kit: TestToolkit, bank: Bank, edits: Any, told: str) -> None:
    """Before anything is decided, so that the approval is not spent on them."""
    approval_id = await parked(kit, bank)
    with pytest.raises(InvalidInput, match=told):
        await decide(kit, "approve", approval_id, edits=edits)
    assert [found.status for found in await waiting(kit)] == ["pending"]


# Jobs that are gone.


async def cancel(kit: TestToolkit) -> None:
    """Cancel job ``j``."""
    await kit.injector.run("scheduler", {"operation": "cancel", "job_id": "j"})


async def test_the_approval_of_a_cancelled_job_is_refused(kit: TestToolkit, bank: Bank) -> None:
    """Nothing can go on, so that is said, nothing waits any more, and no job of ours fails later."""
    approval_id = await parked(kit, bank, schedule="every hour")
    await cancel(kit)
    with pytest.raises(NoSuchApproval, match="The job 'j' of this run is gone, so nothing was done"):
        await decide(kit, "approve", approval_id)
    await kit.advance(days=1)
    assert (bank.paid, await waiting(kit), await failed(kit)) == ([], [], [])


async def test_what_a_cancelled_job_waits_for_is_denied_at_its_deadline(kit: TestToolkit, bank: Bank) -> None:
    """As well, and without a failure."""
    await parked(kit, bank, schedule="every hour")
    await cancel(kit)
    await kit.advance(days=1)
    assert (await waiting(kit), await failed(kit)) == ([], [])


@pytest.mark.parametrize("is_kept", [False, True], ids=["memory", "database"])
async def test_approvals_of_cancelled_jobs_hide_no_later_one(is_kept: bool, bank: Bank, tmp_path: Path) -> None:
    """More than a list holds cannot be decided on any more; the one that can is listed, and nothing is said to be cut."""
    database = {"database": str(tmp_path / "jobs.db")} if is_kept else {}
    async with TestToolkit(Settings.from_values({"timezone": "UTC", **database}), ManualTime(SUNDAY), Injector()) as kit:
        still = await parked(kit, bank)
        approvals = kit.injector.get("agent").deps.parked.approvals
        here = await approvals.get(still)
        for number in range(2 * MAX_LISTED):
            gone = {"approval_id": f"gone-{number}", "job_id": f"gone-{number}", "created_at": SUNDAY + timedelta(seconds=number // 2)}
            await approvals.add(replace(here, **gone))
        listed = await kit.injector.run("agent", {"operation": "list_approvals"})
        assert ([approval.approval_id for approval in listed.approvals], listed.is_cut) == ([still], False)


async def test_another_job_of_that_name_is_not_run_for_it(kit: TestToolkit, bank: Bank) -> None:
    """A job that was cancelled and made anew has nothing to do with the run that waits."""
    approval_id = await parked(kit, bank, schedule="every hour")
    await cancel(kit)
    await kit.advance(minutes=1)
    note = {"agentool_name": "storage_kv", "input_data": {"operation": "set", "key": "ran", "value": 1}}
    await kit.injector.run("scheduler", {"operation": "schedule", "job_name": "j", "schedule": "every day", **note})
    with pytest.raises(NoSuchApproval, match="is gone"):
        await decide(kit, "approve", approval_id)
    assert (await kit.injector.run("storage_kv", {"operation": "exists", "key": "ran"})).exists is False


async def failed(kit: TestToolkit) -> list[Any]:
    """Return what executions of all jobs failed with."""
    answer = await kit.injector.run("scheduler", {"operation": "list_executions", "execution_status": "failed"})
    return [run["error"] for run in answer.data["history"]]
