"""Outcomes reach their queues: once, in order, intact, and a queue that refuses never changes what happened."""

from __future__ import annotations

import asyncio

import pytest

from agentoolkit.system.scheduler.engine import outbox
from agentoolkit.system.scheduler.engine.outbox import ATTEMPTS

QUEUES = {"result_queue": "results", "error_queue": "errors"}


@pytest.fixture
def refuse(kit, monkeypatch):
    """Let every queue but 'b' refuse so many deliveries; call it with the number."""
    enqueue = kit.queue.enqueue
    left = 0

    async def refusing(request):
        nonlocal left
        if left and request.queue_name != "b":
            left -= 1
            raise OSError("disk full")
        return await enqueue(request)

    def refuse(times: int) -> None:
        nonlocal left
        left = times

    monkeypatch.setattr(kit.queue, "enqueue", refusing)
    return refuse


async def test_results_arrive_in_order(kit, scheduler):
    """Each run's result is in the queue, the oldest first, with its job and due time."""
    await scheduler.add("1 minute", job_id="job", **QUEUES)
    await kit.advance(minutes=3)
    messages = await scheduler.messages("results")
    assert [message["scheduled_at"][14:16] for message in messages] == ["01", "02", "03"]
    assert {(message["job_id"], message["agentool_name"], message["status"]) for message in messages} == {("job", "probe", "success")}


async def test_a_run_without_a_queue_waits_for_no_delivery(kit, scheduler, monkeypatch):
    """run_now answers while the outcomes of others are still on their way to a queue that hangs."""
    hangs = asyncio.Event()

    async def enqueue(request):
        hangs.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(kit.queue, "enqueue", enqueue)
    await scheduler.add("now", job_id="job", **QUEUES)
    delivering = asyncio.ensure_future(kit.advance())
    await hangs.wait()
    answer = await asyncio.wait_for(scheduler("run_now", agentool_name="probe", input_data={"operation": "run"}), 5)
    delivering.cancel()
    assert answer["result"] == "done"


async def test_a_run_waits_for_its_own_delivery(kit, scheduler):
    """When run_now has answered, its result is in the queue."""
    await scheduler("run_now", agentool_name="probe", input_data={"operation": "run"}, result_queue="results")
    assert [message["result"] for message in await scheduler.messages("results")] == ["done"]


async def test_delivered_result_says_so_in_the_history(kit, scheduler):
    """After delivery the record says delivered; without a queue it says none."""
    await scheduler.add("now", job_id="queued", **QUEUES)
    await scheduler.add("now", job_id="plain")
    await kit.advance()
    deliveries = {record["job_id"]: record["delivery"] for record in await scheduler.history()}
    assert deliveries == {"queued": "delivered", "plain": "none"}


async def test_failure_without_error_queue_goes_nowhere(kit, scheduler, probe):
    """A failure is not sent to the result queue, nor a success to the error queue."""
    await scheduler.add("1 minute", job_id="job", result_queue="results")
    probe.raises = ValueError()
    await kit.advance(minutes=1)
    assert (await scheduler.messages("results"), (await scheduler.history("job"))[0]["delivery"]) == ([], "none")


@pytest.mark.parametrize("refusals", [1, ATTEMPTS - 1])
async def test_refused_delivery_is_tried_again(kit, scheduler, refuse, refusals):
    """A queue that refuses for a while gets the result later, once; meanwhile the record says success, and pending."""
    refuse(refusals)
    await scheduler.add("now", job_id="job", **QUEUES)
    await kit.advance()
    (before,) = await scheduler.history("job")
    await kit.advance(minutes=5)
    (after,) = await scheduler.history("job")
    assert (before["status"], before["delivery"]) == ("success", "pending")
    assert (after["status"], after["delivery"], len(await scheduler.messages("results"))) == ("success", "delivered", 1)


async def test_delivery_is_given_up_at_last(kit, scheduler, refuse):
    """After the last try the record says that delivery failed; the execution stays a success."""
    refuse(ATTEMPTS)
    await scheduler.add("now", job_id="job", **QUEUES)
    await kit.advance(hours=1)
    (record,) = await scheduler.history("job")
    assert (record["status"], record["delivery"], await scheduler.messages("results")) == ("success", "failed", [])


async def test_one_refused_delivery_does_not_hold_up_others(kit, scheduler, refuse):
    """While one result waits for its next try, another job's arrives."""
    refuse(1)
    await scheduler.add("now", job_id="first", result_queue="a")
    await kit.advance()
    await scheduler.add("now", job_id="second", result_queue="b")
    await kit.advance()
    assert [message["job_id"] for message in await scheduler.messages("b")] == ["second"]


async def test_busy_scheduler_does_not_use_up_the_tries(kit, scheduler, refuse):
    """A refused delivery waits longer each time, whatever else is delivered meanwhile: ten seconds of refusal are survived."""
    refuse(ATTEMPTS - 1)
    await scheduler.add("now", job_id="first", result_queue="a")
    await kit.advance()
    await scheduler.add("1 second", job_id="busy", result_queue="b")
    await kit.advance(seconds=6)
    assert (await scheduler.history("first"))[0]["delivery"] == "pending"
    await kit.advance(seconds=10)
    assert (await scheduler.history("first"))[0]["delivery"] == "delivered"


async def test_more_outcomes_than_a_batch_are_all_delivered(kit, scheduler, monkeypatch):
    """Outcomes that arrive together are all delivered at once, however many are read from the outbox at a time."""
    monkeypatch.setattr(outbox, "BATCH", 2)
    for number in range(5):
        await scheduler.add("1 minute", job_id=f"job{number}", result_queue="results")
    await kit.advance(minutes=1)
    assert len(await scheduler.messages("results")) == 5


async def test_second_delivery_of_an_outcome_is_recognised(kit, scheduler, monkeypatch):
    """If the scheduler dies between delivery and noting it, the result is delivered again and the queue keeps one."""
    store, lost = kit.scheduler.store, []

    async def forgets_once(execution_ids):
        if lost:
            return await type(store).delivered(store, execution_ids)
        lost.append(execution_ids)
        raise OSError("killed")

    monkeypatch.setattr(store, "delivered", forgets_once)
    await scheduler.add("now", job_id="job", **QUEUES)
    await kit.advance(minutes=5)
    assert (len(lost), len(await scheduler.messages("results"))) == (1, 1)
    assert (await scheduler.history("job"))[0]["delivery"] == "delivered"


async def test_unreadable_outbox_is_read_again(kit, scheduler, monkeypatch):
    """If the outbox cannot be read, it is read again a little later."""
    store, failures = kit.scheduler.store, []

    async def fails_once(limit):
        if failures:
            return await type(store).outbox(store, limit)
        failures.append(limit)
        raise OSError("disk")

    monkeypatch.setattr(store, "outbox", fails_once)
    await scheduler.add("now", job_id="job", **QUEUES)
    await kit.advance(minutes=1)
    assert (len(failures), len(await scheduler.messages("results"))) == (1, 1)


async def test_outcome_that_another_process_delivered_is_not_waited_for(kit, scheduler, refuse, monkeypatch):
    """If a message that was refused here leaves the outbox otherwise, nothing keeps looking for it."""
    refuse(1)
    await scheduler.add("now", job_id="job", **QUEUES)
    await kit.advance()
    await kit.scheduler.store.delivered(["job@2030-01-01T00:00:00+00:00"])
    reads, outbox = [], kit.scheduler.store.outbox

    async def counted(limit):
        reads.append(limit)
        return await outbox(limit)

    monkeypatch.setattr(kit.scheduler.store, "outbox", counted)
    await kit.advance(minutes=5)
    assert len(reads) == 1


async def test_queue_that_does_not_answer_counts_as_refusing(kit, scheduler, monkeypatch):
    """A delivery that takes too long is a refusal: run_now answers, and the result is delivered later."""
    enqueue, hung = kit.queue.enqueue, []

    async def hangs_once(request):
        if not hung:
            hung.append(request)
            await asyncio.Event().wait()
        return await enqueue(request)

    monkeypatch.setattr(outbox, "DELIVERY_SECONDS", 0.05)
    monkeypatch.setattr(kit.queue, "enqueue", hangs_once)
    answer = await scheduler("run_now", agentool_name="probe", input_data={"operation": "run"}, result_queue="results")
    await kit.advance(seconds=1)
    assert (answer["result"], len(hung), len(await scheduler.messages("results"))) == ("done", 1, 1)


async def test_run_now_delivers_before_it_answers(scheduler):
    """When run_now answers, its result is in the queue."""
    await scheduler("run_now", agentool_name="probe", input_data={"operation": "run"}, result_queue="results")
    assert len(await scheduler.messages("results")) == 1


async def test_run_now_of_a_job_uses_the_jobs_queues(scheduler, probe):
    """run_now of a job delivers as the job does, a failure too."""
    await scheduler.add("1 hour", job_id="job", **QUEUES)
    probe.raises = ValueError("no such thing")
    with pytest.raises(RuntimeError):
        await scheduler("run_now", job_id="job")
    (message,) = await scheduler.messages("errors")
    assert message["error"] == {"type": "ValueError", "message": "no such thing"}


async def test_what_a_receiver_answers_is_logged_in_one_line(kit, scheduler, monkeypatch, caplog):
    """A refusal that quotes a stranger neither begins another line of the log nor gives orders to a terminal."""

    async def refusing(request):
        raise OSError("400 x\n01:40 job success\x1b[2J")

    monkeypatch.setattr(kit.queue, "enqueue", refusing)
    await scheduler.add("1 minute", job_id="job", max_runs=1, **QUEUES)
    await kit.advance(minutes=1)
    assert "400 x\\n01:40 job success\\x1b[2J" in caplog.records[0].getMessage()


async def test_a_result_too_large_for_a_queue_fails_visibly(kit, scheduler, probe, caplog, monkeypatch):
    """It stays in the history, its delivery is failed there, and the log says why."""
    monkeypatch.setattr(kit.queue, "_largest_message", 1_000)
    probe.returns = "x" * 1_000
    await scheduler.add("1 minute", job_id="job", max_runs=1, **QUEUES)
    await kit.advance(minutes=2)
    (record,) = await scheduler.history("job")
    assert (record["status"], len(record["result"]), record["delivery"]) == ("success", 1_000, "failed")
    assert "given up" in caplog.text
    assert "queue_message_size" in caplog.text


async def test_the_queues_of_a_job_exist_from_then_on(kit, scheduler):
    """Scheduled or changed, a job's queues are there before its first outcome; an address makes none, a dry run neither."""

    async def names():
        return [found["queue_name"] for found in (await kit.injector.run("queue", {"operation": "list_queues"})).data["queues"]]

    await scheduler.add("1 minute", job_id="dry", result_queue="dry", dry_run=True)
    await scheduler.add("1 minute", job_id="job", result_queue="https://example.org/hook", error_queue="errors")
    assert await names() == ["errors"]
    await scheduler("update", job_id="job", result_queue="results")
    assert await names() == ["errors", "results"]


async def test_a_queue_with_settings_of_its_own_is_left_so(kit, scheduler):
    """A job takes a queue as it is."""
    await kit.injector.run("queue", {"operation": "create_queue", "queue_name": "results", "max_size": 3})
    await scheduler.add("1 minute", job_id="job", result_queue="results")
    (queue,) = (await kit.injector.run("queue", {"operation": "list_queues"})).data["queues"]
    assert queue["max_size"] == 3
