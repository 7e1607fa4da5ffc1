"""The AgenTool ``sequence``: order, values handed on, failure, undoing, and what is refused when it is scheduled."""

from __future__ import annotations

import asyncio
import traceback
from functools import partial
from typing import Literal

import pytest

from agentool import BaseOperationInput, ConfigurationError, Injector, InvalidInput, RunContext, create_agentool
from agentool.references import MAX_FILLED, has_references
from agentoolkit.actions import sequence_run
from agentoolkit.actions.sequence import SequenceFailed, create_sequence_agent
from agentoolkit.actions.steps import open_values
from agentoolkit.actions.task_types import register_task_type
from agentoolkit.settings import SequenceSettings, Settings
from agentoolkit.testing import toolkit
from agentoolkit.wiring import Toolkit

from .conftest import create_note


def step(name=None, operation="take", value=None, **more):
    return {"name": name, "agentool_name": "note", "input_data": {"operation": operation, "value": value or name}, **more}


class StrangerInput(BaseOperationInput):
    operation: Literal["answer"]


class EndingInput(BaseOperationInput):
    operation: Literal["raise_cancelled", "cancel_itself", "exit", "wait"]


async def ending_raise_cancelled(ctx: RunContext[None]) -> None:
    """Wait for something that was cancelled."""
    raise asyncio.CancelledError


async def ending_cancel_itself(ctx: RunContext[None]) -> None:
    """Cancel the task it runs in."""
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(0)


async def ending_exit(ctx: RunContext[None]) -> None:
    """Exit."""
    raise SystemExit("done")


async def ending_wait(ctx: RunContext[None]) -> None:
    """Wait for ever."""
    await asyncio.Event().wait()


def create_ending(injector: Injector) -> None:
    handlers = {"raise_cancelled": ending_raise_cancelled, "cancel_itself": ending_cancel_itself, "exit": ending_exit, "wait": ending_wait}
    create_agentool("ending", EndingInput, handlers, injector=injector)


class Sequencing:
    """A sequence AgenTool and the notes its steps take."""

    def __init__(self):
        self.injector = Injector()
        self.notes = create_note(self.injector)
        self.agentool = create_sequence_agent(injector=self.injector)

    async def run(self, *steps, **fields):
        return await self.injector.run("sequence", {"operation": "run", "steps": list(steps), **fields})

    async def fail(self, *steps, **fields):
        with pytest.raises(SequenceFailed) as failed:
            await self.run(*steps, **fields)
        return failed.value

    def refuse(self, *steps, **fields):
        with pytest.raises(InvalidInput) as refused:
            self.agentool.check({"operation": "run", "steps": list(steps), **fields})
        return str(refused.value)


@pytest.fixture
def sequence():
    return Sequencing()


def statuses(output):
    return {record.name: record.status for record in output.steps}


# Order


async def test_steps_go_in_the_order_of_the_list(sequence):
    """A step that names no needs comes after the one before it."""
    output = await sequence.run(step("a", "wait"), step("b"), step("c"))
    assert sequence.notes.taken == ["a", "b", "c"]
    assert statuses(output) == {"a": "success", "b": "success", "c": "success"}


async def test_steps_that_need_nothing_go_side_by_side(sequence):
    """Steps with an empty list of needs run at once."""
    await sequence.run(*[step(name, "wait", needs=[]) for name in "abc"])
    assert sequence.notes.together == 3


async def test_a_step_waits_for_all_that_it_needs(sequence):
    """A step starts when every step it names is done, wherever it stands in the list."""
    await sequence.run(step("last", needs=["a", "b"]), step("a", "wait", needs=[]), step("b", "wait", needs=[]))
    assert sequence.notes.taken == ["a", "b", "last"]


async def test_so_many_steps_run_at_once_at_most():
    """The number of steps that run at once is bounded."""
    injector = Injector()
    notes = create_note(injector)
    create_sequence_agent(SequenceSettings(concurrency=2), injector=injector)
    steps = [step(name, "wait", needs=[]) for name in "abcde"]
    await injector.run("sequence", {"operation": "run", "steps": steps})
    assert notes.together == 2


async def test_steps_without_a_name_are_numbered(sequence):
    """A step's default name is its place."""
    assert list(statuses(await sequence.run(step(value=1), step(value=2)))) == ["step_1", "step_2"]


# Values


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("!step:a.value", "a"),
        ("!step:a.items.0.number", 7),
        ("!step:a", {"value": "a", "items": [{"number": 7}], "passed": True}),
    ],
)
async def test_a_step_uses_the_result_of_an_earlier_one(sequence, reference, expected):
    """A reference, at any depth, becomes the result or a part of it, as the value that it is."""
    await sequence.run(step("a"), step("b", value={"deep": [reference]}))
    assert sequence.notes.taken[-1] == {"deep": [expected]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("total: !step:a.value", "total: a"),
        ("!step:a.items.0.number EUR.", "7 EUR."),
        ("(!step:a.value/!step:a.items.0.number)", "(a/7)"),
        ("!step:a.passed, !step:a.items", 'true, [{"number": 7}]'),
        ("It was !step:a.value.", "It was a."),
    ],
)
async def test_text_is_built_from_the_results_of_earlier_steps(sequence, text, expected):
    """References within a text become text: text as it is, other values as JSON."""
    await sequence.run(step("a"), step("b", value=[text]))
    assert sequence.notes.taken[-1] == [expected]


async def test_a_part_that_a_result_does_not_have_fails_a_text(sequence):
    """A text is not sent with a hole in it."""
    error = await sequence.fail(step("a"), step("b", value="total: !step:a.valu"))
    assert "has no 'valu'. Did you mean 'value'?" in str(error)


async def test_what_was_put_into_a_text_is_no_reference(sequence):
    """A stranger's words within a text look nothing up, also in a sequence that gets the text."""
    words = "!step:inner.value"
    inner = {"operation": "run", "steps": [step("secret", value="S3CRET"), step("tell", value="!step:a.value and more: !step:a.value")]}
    called = {"name": "b", "agentool_name": "sequence", "input_data": inner}
    create_stranger(sequence, words.replace("inner", "secret"))
    await sequence.run({"name": "a", "agentool_name": "stranger", "input_data": {"operation": "answer"}}, called)
    assert sequence.notes.taken[-1] == "!step:secret.value and more: !step:secret.value"


async def test_a_reference_belongs_to_the_sequence_that_has_the_step(sequence):
    """An inner sequence's references to steps of its own are its own; others are filled in from outside."""
    inner = {"operation": "run", "steps": [step("a", value="inner"), step("b", value=["!step:a.value", "!step:outer.value"])]}
    called = {"name": "last", "agentool_name": "sequence", "input_data": inner}
    await sequence.run(step("a", value="wrong"), step("outer", value="outer"), called)
    assert sequence.notes.taken[-1] == ["inner", "outer"]


async def test_steps_of_tasks_within_a_sequence_are_its_own(sequence):
    """The same holds for tasks by their type, and for steps that have no name."""

    def task(value, **more):
        args = {"agentool_name": "note", "input_data": {"operation": "take", "value": value}}
        return {"type": "agentool", "args": args, **more}

    inner = {"type": "sequence", "args": {"task_definitions": [task("inner"), task("got !step:step_1.value")]}}
    await sequence.injector.run("sequence", {"operation": "run", "task_definitions": [task("outer"), inner]})
    assert sequence.notes.taken == ["outer", "inner", "got inner"]


async def test_a_text_built_from_a_step_is_what_a_scheduled_sequence_sends():
    """Through the scheduler too: it is accepted, and the text arrives filled in."""
    async with toolkit() as kit:
        notes = create_note(kit.injector)
        data = {"operation": "run", "steps": [step("sum", value=6), step("tell", value="total: !step:sum.value")]}
        await kit.injector.run(
            "scheduler", {"operation": "schedule", "schedule": "1 hour", "agentool_name": "sequence", "input_data": data}
        )
        await kit.advance(hours=1)
    assert notes.taken == [6, "total: 6"]


def create_stranger(sequence, text):
    async def answer(ctx: RunContext[None]) -> dict[str, str]:
        return {"value": text}

    create_agentool("stranger", StrangerInput, {"answer": answer}, injector=sequence.injector)


@pytest.mark.parametrize("text", ["!step:a.passed", "!ref:note:key"])
async def test_a_result_that_looks_like_a_reference_is_none(sequence, text):
    """What a step answers is handed on as it is: nothing is looked up because a stranger wrote it so."""

    async def answer(ctx: RunContext[None]) -> dict[str, str]:
        return {"value": text}

    create_agentool("stranger", StrangerInput, {"answer": answer}, injector=sequence.injector)
    asked = {"name": "a", "agentool_name": "stranger", "input_data": {"operation": "answer"}}
    await sequence.run(asked, step("b", value={"deep": ["!step:a.value"]}))
    (taken,) = sequence.notes.taken[-1]["deep"]
    assert (taken, has_references(taken), [*open_values(taken)]) == (text, False, [])


async def test_a_number_that_json_does_not_have_is_text_in_a_result(sequence):
    """NaN and infinity are handed on and recorded by their names, so that the record is JSON."""

    async def answer(ctx: RunContext[None]) -> list[float]:
        return [float("nan"), float("-inf")]

    create_agentool("stranger", StrangerInput, {"answer": answer}, injector=sequence.injector)
    output = await sequence.run({"name": "a", "agentool_name": "stranger", "input_data": {"operation": "answer"}})
    assert output.steps[0].result == ["NaN", "-Infinity"]


async def test_a_part_that_a_result_does_not_have_fails_the_step(sequence):
    """The failure names the part that is missing, and the near miss."""
    error = await sequence.fail(step("a"), step("b", value="!step:a.valu"))
    assert "has no 'valu'. Did you mean 'value'?" in str(error)


async def test_a_result_taken_over_and_over_is_bounded(sequence):
    """A step whose input would become too large by the results it takes fails before it is called."""
    large = "x" * (MAX_FILLED // 10)
    error = await sequence.fail(step("a", value=large), step("b", value=["!step:a.value"] * 100_000))
    assert "more than 10,000,000 characters" in str(error)
    assert len(sequence.notes.taken) == 1


async def test_an_error_does_not_show_what_was_taken_of_another_step(sequence):
    """A result may be a secret, so a step that refuses it is recorded without it."""
    asked = {"agentool_name": "note", "input_data": {"operation": "!step:a.value"}}
    error = await sequence.fail(step("a", value="S3CRET"), asked)
    assert "operation: is not accepted" in str(error)
    assert "S3CRET" not in "".join(traceback.format_exception(error))
    assert "S3CRET" not in error.result.steps[1].error.message


async def test_results_are_bounded_as_a_whole(sequence):
    """Steps whose results together are too much to keep end the sequence, at the step with which they are."""
    large = "x" * (MAX_FILLED // 5)
    error = await sequence.fail(*[step(value=large) for _ in range(8)])
    assert "steps.step_5" in str(error)
    assert "more than 10,000,000 characters" in str(error)
    assert [record.status for record in error.result.steps] == ["success"] * 4 + ["failed"] + ["skipped"] * 3


async def test_results_that_double_at_each_step_are_bounded(sequence):
    """Steps that each take the one before twice fail as long as that is harmless."""
    doubled = [step(f"s{place}", value=[f"!step:s{place - 1}.value"] * 2) for place in range(1, 60)]
    error = await sequence.fail(step("s0", value="x" * 1000), *doubled)
    assert "more than 10,000,000 characters" in str(error)


# Conditions


async def test_a_step_runs_when_a_value_is_true(sequence):
    """A condition on a result runs or skips one step, and those after it go on."""
    a, b = step("a", value=[[]]), step("b", when="!step:a.passed")
    output = await sequence.run(a, b, step("c", when="!step:a.value.0", needs=["a"]), step("d"))
    assert statuses(output) == {"a": "success", "b": "success", "c": "skipped", "d": "success"}
    assert output.steps[2].reason == "!step:a.value.0 is not true"


@pytest.mark.parametrize("part", ["pased", "items.1", "value.x"])
async def test_a_condition_on_a_part_that_is_not_there_is_a_failure(sequence, part):
    """As in a step's input: a slip would be a step that never runs, and a sequence that succeeds all the same."""
    error = await sequence.fail(step("a"), step("b", when=f"!step:a.{part}"), step("c"))
    assert statuses(error.result) == {"a": "success", "b": "failed", "c": "skipped"}
    assert "The result of step 'a' has no" in str(error)


async def test_a_condition_on_a_step_that_did_not_run_is_not_true(sequence):
    """It has no result, and that is no slip."""
    output = await sequence.run(step("a"), step("b", when="failure"), step("c", when="!step:b.passed"))
    assert statuses(output) == {"a": "success", "b": "skipped", "c": "skipped"}


async def test_a_step_for_failures_runs_after_one_only(sequence):
    """`when: failure` runs where something it needs failed, `when: always` in any case."""
    error = await sequence.fail(step("a", "fail"), step("b"), step("alarm", when="failure"), step("tidy", when="always"))
    assert statuses(error.result) == {"a": "failed", "b": "skipped", "alarm": "success", "tidy": "success"}
    output = await sequence.run(step("a"), step("alarm", when="failure"), step("tidy", when="always"))
    assert statuses(output) == {"a": "success", "alarm": "skipped", "tidy": "success"}


# Failure


async def test_a_failing_step_in_the_middle_is_visible_as_such(sequence):
    """The error names the step, why it failed and what was not run; each step has its record."""
    error = await sequence.fail(step("a"), step("b", "fail"), step("c"))
    assert str(error) == "steps.b: Step 2 of 3, 'b', failed: failed on b. Not run: c."
    assert isinstance(error.__cause__, RuntimeError)
    assert statuses(error.result) == {"a": "success", "b": "failed", "c": "skipped"}
    assert error.result.steps[1].error.type == "RuntimeError"


async def test_stop_starts_nothing_more(sequence):
    """After a failure not even steps that do not depend on it start."""
    error = await sequence.fail(step("b", "wait", needs=[]), step("a", "fail", needs=[]), step("c", needs=["b"]))
    assert statuses(error.result) == {"a": "failed", "b": "success", "c": "skipped"}


async def test_step_whose_error_has_no_text_fails_like_any_other(sequence):
    """The error's own code raises where it is told; the step's record is written all the same."""

    class Unspeakable(Exception):
        def __str__(self):
            raise RuntimeError

    async def answer(ctx: RunContext[None]) -> None:
        raise Unspeakable

    create_agentool("stranger", StrangerInput, {"answer": answer}, injector=sequence.injector)
    asked = {"name": "a", "agentool_name": "stranger", "input_data": {"operation": "answer"}}
    record, _ = (await sequence.fail(asked, step("b"))).result.steps
    assert (record.status, record.error.message) == ("failed", "(its text cannot be written: RuntimeError)")


async def test_continue_runs_what_does_not_need_the_failed_step(sequence):
    """With `continue` independent steps run, and the sequence fails in the end all the same."""
    steps = (step("a", "fail", needs=[]), step("after_a"), step("b", needs=[]), step("after_b"))
    error = await sequence.fail(*steps, on_failure="continue")
    assert statuses(error.result) == {"a": "failed", "after_a": "skipped", "b": "success", "after_b": "success"}


async def test_compensate_undoes_what_was_done_in_reverse_order(sequence):
    """Steps that succeeded are undone, the last first, with their own results."""

    def undone(name):
        return {"agentool_name": "note", "input_data": {"operation": "take", "value": f"!step:{name}.value"}}

    steps = [step(name, compensate=undone(name)) for name in ("a", "b")]
    error = await sequence.fail(*steps, step("c", "fail", compensate=undone("c")), on_failure="compensate")
    assert sequence.notes.taken == ["a", "b", "c", "b", "a"]
    assert [(record.name, record.status) for record in error.result.compensations] == [("b", "success"), ("a", "success")]


@pytest.mark.parametrize("raises", ["raise_cancelled", "cancel_itself", "exit"])
async def test_a_step_that_ends_itself_is_a_failed_step(sequence, raises):
    """A step that raises CancelledError or SystemExit, though nobody cancelled the sequence, fails; the next is skipped."""
    create_ending(sequence.injector)
    ending = {"name": "a", "agentool_name": "ending", "input_data": {"operation": raises}}
    async with asyncio.timeout(5):
        failed = await sequence.fail(ending, step("b"))
    assert statuses(failed.result) == {"a": "failed", "b": "skipped"}
    assert failed.result.steps[0].error.message != ""


async def test_a_sequence_that_is_cancelled_runs_no_further_step(sequence):
    """Cancelled from outside, a sequence is cancelled: its step is not a failed one, and what waits for it never runs."""
    create_ending(sequence.injector)
    waiting = {"name": "a", "agentool_name": "ending", "input_data": {"operation": "wait"}}
    running = asyncio.ensure_future(sequence.run(waiting, step("b"), step("c", needs=["a"], when="always")))
    for _ in range(3):
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait({running}, timeout=5)
    assert (running.cancelled(), sequence.notes.taken) == (True, [])


async def cut_short(running):
    """Cancel a sequence after a moment, as a job's timeout does; answer with what it raised."""
    for _ in range(6):
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait({running}, timeout=5)
    assert running.done()
    try:
        await running
    except asyncio.CancelledError as error:
        return error
    pytest.fail("it was not cancelled")


def undone(name):
    return {"agentool_name": "note", "input_data": {"operation": "take", "value": f"undo {name}"}}


async def test_a_sequence_that_is_cut_short_undoes_what_was_done(sequence):
    """A timeout is a failure: with `compensate` the steps that succeeded are undone before the sequence ends."""
    create_ending(sequence.injector)
    waiting = {"name": "c", "agentool_name": "ending", "input_data": {"operation": "wait"}}
    steps = [step("a", compensate=undone("a")), step("b", compensate=undone("b")), waiting, step("d")]
    error = await cut_short(asyncio.ensure_future(sequence.run(*steps, on_failure="compensate")))
    assert sequence.notes.taken == ["a", "b", "undo b", "undo a"]
    assert [record.name for record in error.result.compensations] == ["b", "a"]


async def test_a_sequence_that_is_cut_short_says_how_each_step_ended(sequence):
    """The CancelledError carries the record: done, cut short, and not begun; without `compensate` nothing is undone."""
    create_ending(sequence.injector)
    waiting = {"name": "b", "agentool_name": "ending", "input_data": {"operation": "wait"}}
    error = await cut_short(asyncio.ensure_future(sequence.run(step("a", compensate=undone("a")), waiting, step("c"))))
    assert statuses(error.result) == {"a": "success", "b": "failed", "c": "skipped"}
    assert (error.result.steps[1].error.message, error.result.steps[2].reason) == ("It was cut short.", "the sequence was cut short")
    assert (error.result.status, sequence.notes.taken) == ("failed", ["a"])


WAIT = {"agentool_name": "ending", "input_data": {"operation": "wait"}}


def told(records):
    return [(record.name, record.status, record.error.message if record.error else record.reason) for record in records]


async def test_an_undoing_that_hangs_does_not_hold_up_the_end(sequence, monkeypatch):
    """After a cancellation undoing is bounded. What was begun and what was not even that is told."""
    monkeypatch.setattr(sequence_run, "UNDO_SECONDS", 0.05)
    create_ending(sequence.injector)
    steps = [step("z", compensate=undone("z")), step("a", compensate=WAIT), {"name": "b", **WAIT}]
    error = await cut_short(asyncio.ensure_future(sequence.run(*steps, on_failure="compensate")))
    assert statuses(error.result) == {"z": "success", "a": "success", "b": "failed"}
    assert told(error.result.compensations) == [("a", "failed", "It was cut short."), ("z", "skipped", "there was no time left to undo it")]


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_an_undoing_that_is_cut_short_is_one(sequence, place):
    """Cancelled while it undoes: the steps stay what they were, the undoing that was begun has failed, and the rest is undone."""
    create_ending(sequence.injector)
    names = ["a", "b", "c"]
    steps = [step(name, compensate=WAIT if name == names[place] else undone(name)) for name in names]
    running = asyncio.ensure_future(sequence.run(*steps, step("d", "fail"), on_failure="compensate"))
    for _ in range(100):
        await asyncio.sleep(0)
    error = await cut_short(running)
    assert statuses(error.result) == {"a": "success", "b": "success", "c": "success", "d": "failed"}
    cut = {names[place]: ("failed", "It was cut short.")}
    assert told(error.result.compensations) == [(name, *cut.get(name, ("success", ""))) for name in "cba"]


async def test_an_undoing_that_fails_does_not_keep_the_others_from_being_undone(sequence):
    """Each compensation has its own record, and the error is that of the step."""
    fails = {"agentool_name": "note", "input_data": {"operation": "fail"}}
    steps = [step("a", compensate=fails), step("b", compensate=fails), step("c", "fail")]
    error = await sequence.fail(*steps, on_failure="compensate")
    assert [record.status for record in error.result.compensations] == ["failed", "failed"]
    assert "'c', failed" in str(error)


# What is refused when it is scheduled


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([], "0 steps"),
        ([step("a"), step("a")], "another step has it"),
        ([step("a.b")], "has a dot"),
        ([step("alpha"), step("b", needs=["alpa"])], "Did you mean 'alpha'?"),
        ([step("a", needs=["b"]), step("b", needs=["a"])], "wait for each other: "),
        ([step("a", needs=["a"])], "wait for each other: a → a"),
        ([step("a", needs=[]), step("b", value="!step:a.value", needs=[])], "uses the result of 'a', which does not come before it"),
        ([step("a", value="!step:")], "A reference names a step"),
        ([step("a"), step("b", value="total: !step:")], "A reference names a step"),
        ([step("a", needs=[]), step("b", value="total: !step:a.value", needs=[])], "uses the result of 'a', which does not come before it"),
        ([step("alpha"), step("b", value="from !step:alpha.value and !step:alpa.value")], "Did you mean 'alpha'?"),
        ([step("a"), step("b", when="if !step:a.passed")], "Unknown condition"),
        ([step("a", when="sometimes")], "Unknown condition 'sometimes'"),
        ([step("a", "tak")], "steps.a"),
        ([step("a", other=1)], "is not a field"),
        ([{**step("a"), "agentool_name": "nota"}], "Did you mean 'note'?"),
        ([step("a", compensate={"agentool_name": "note", "input_data": {}})], "steps.a"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(sequence, steps, said):
    """Every step, its target, its input and its place are checked before anything runs."""
    assert said in sequence.refuse(*steps)


def test_more_than_a_hundred_steps_are_refused(sequence):
    """A sequence has a bounded number of steps."""
    assert "101 steps" in sequence.refuse(*[step() for _ in range(101)])


def test_values_that_are_still_to_come_are_taken_on_trust(sequence):
    """A reference may stand where the AgenTool wants another type than text."""
    assert sequence.agentool.check({"operation": "run", "steps": [step("a"), step("b", operation="!step:a.value")]})


def test_steps_and_tasks_cannot_both_be_given(sequence):
    """Exactly one of the two forms is given."""
    assert "Either steps or task_definitions" in sequence.refuse(step("a"), task_definitions=[])


# Tasks by their type


async def test_a_task_is_a_step_by_its_type(sequence):
    """A task of type agentool calls any AgenTool, and takes part in everything that steps do."""
    task = {"type": "agentool", "args": {"agentool_name": "note", "input_data": {"operation": "take", "value": 1}}}
    undo = {"type": "plugin_command", "args": {"plugin_name": "note", "command_name": "take", "arguments": {"value": -1}}}
    fails = {"type": "plugin_command", "args": {"plugin_name": "note", "command_name": "fail"}, "name": "broken"}
    definitions = [{**task, "compensate": undo}, fails]
    with pytest.raises(SequenceFailed) as failed:
        await sequence.injector.run("sequence", {"operation": "run", "task_definitions": definitions, "on_failure": "compensate"})
    assert statuses(failed.value.result) == {"step_1": "success", "broken": "failed"}
    assert sequence.notes.taken == [1, None, -1]


async def test_a_sequence_can_be_a_step(sequence):
    """A task of type sequence runs within another one."""
    inner = {"type": "sequence", "args": {"steps": [step("deep")]}}
    output = await sequence.injector.run("sequence", {"operation": "run", "task_definitions": [inner]})
    assert output.steps[0].result["steps"][0]["name"] == "deep"


async def test_a_registered_task_type_can_be_used(sequence):
    """One call makes a further type known."""
    register_task_type("memo", "note", lambda args: {"operation": "take", "value": args["text"]}, injector=sequence.injector)
    await sequence.injector.run("sequence", {"operation": "run", "task_definitions": [{"type": "memo", "args": {"text": "hello"}}]})
    assert sequence.notes.taken == ["hello"]


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ({"type": "shell_comand"}, "task_definitions.0.type: Unknown task type 'shell_comand'. Did you mean 'shell_command'?"),
        ({"type": "plugin_command", "args": {"plugin_name": "note"}}, "needs 'command_name'"),
        ({"type": "mcp_tool", "args": {}}, "No AgenTool is named 'mcp'"),
    ],
)
def test_a_task_that_is_none_is_refused(sequence, task, said):
    """The refusal names the task's place, what is wrong and the near miss."""
    with pytest.raises(InvalidInput, match=r"task_definitions|step_1") as refused:
        sequence.agentool.check({"operation": "run", "task_definitions": [task]})
    assert said in str(refused.value)


# Scheduled


async def test_a_scheduled_sequence_is_one_execution_with_a_record_of_each_step():
    """The execution fails as one, and its result tells which step failed."""
    async with toolkit() as kit:
        create_note(kit.injector)
        if "sequence" not in kit.injector:
            create_sequence_agent(injector=kit.injector, time=kit.clock)
        steps = [step("a"), step("b", "fail"), step("c")]
        fields = {"operation": "schedule", "schedule": "1 hour", "agentool_name": "sequence", "job_id": "chain"}
        await kit.injector.run("scheduler", {**fields, "input_data": {"operation": "run", "steps": steps}})
        await kit.advance(hours=1)
        answer = await kit.injector.run("scheduler", {"operation": "get_history", "job_id": "chain"})
        (execution,) = answer.data["history"]
    assert (execution["status"], execution["error"]["type"]) == ("failed", "SequenceFailed")
    assert [record["status"] for record in execution["result"]["steps"]] == ["success", "failed", "skipped"]
    assert execution["result"]["steps"][0]["started_at"] == "2030-01-01T01:00:00Z"


def test_a_task_type_needs_something_that_has_types():
    """Whoever registers a type before there is a sequence tool is told what to do first."""
    with pytest.raises(ConfigurationError, match="get_scheduler"):
        register_task_type("memo", "note", injector=Injector())


@pytest.mark.parametrize("directly", [True, False])
async def test_a_job_that_schedules_another_stores_no_secret(directly: bool) -> None:
    """What the new job refers to is looked up when that one runs."""
    async with toolkit() as kit:
        await kit.injector.run("storage_kv", {"operation": "set", "key": "token", "value": "hush"})
        inner = {"operation": "set", "key": "copy", "value": "!ref:storage_kv:token"}
        new = {"operation": "schedule", "job_id": "new", "schedule": "1 day", "agentool_name": "storage_kv", "input_data": inner}
        step = {"operation": "run", "steps": [{"agentool_name": "scheduler", "input_data": new}]}
        direct = {"agentool_name": "scheduler", "input_data": new}
        target = direct if directly else {"agentool_name": "sequence", "input_data": step}
        outer = {"operation": "schedule", "job_id": "outer", "schedule": "in 1 hour", **target}
        await kit.injector.run("scheduler", outer)
        await kit.advance(hours=2)
        stored = next(stored for stored in await kit.scheduler.lookup.jobs() if stored.job.job_id == "new")
        assert stored.job.input_data == inner
        await kit.advance(days=1)
        assert (await kit.injector.run("storage_kv", {"operation": "get", "key": "copy"})).value == "hush"


async def cut_by_its_job(ends):
    """Run a sequence whose second step waits for ever as a job, end it, and answer with its execution and the notes."""
    async with Toolkit(Settings(timezone="UTC")) as kit:
        notes = create_note(kit.injector)
        create_ending(kit.injector)
        waiting = {"name": "b", "agentool_name": "ending", "input_data": {"operation": "wait"}}
        data = {"operation": "run", "steps": [step("a", compensate=undone("a")), waiting, step("c")], "on_failure": "compensate"}
        ask = partial(kit.injector.run, "scheduler")
        job = {"schedule": "2030-01-01", "agentool_name": "sequence", "input_data": data, "timeout": 0.2 if ends == "timeout" else 60}
        await ask({"operation": "schedule", "job_id": "j", **job})
        running = asyncio.ensure_future(ask({"operation": "run_now", "job_id": "j"}))
        while ends == "cancel" and not notes.taken:  # noqa: ASYNC110  the step tells nobody
            await asyncio.sleep(0.01)
        if ends == "cancel":
            (execution,) = (await ask({"operation": "list_executions", "job_id": "j"})).data["history"]
            await ask({"operation": "cancel_execution", "execution_id": execution["execution_id"]})
        await asyncio.wait({running}, timeout=10)
        assert running.done()
        running.exception()
        (execution,) = (await ask({"operation": "list_executions", "job_id": "j"})).data["history"]
        return (await ask({"operation": "get_execution", "execution_id": execution["execution_id"]})).data, notes.taken


@pytest.mark.parametrize(("ends", "status"), [("timeout", "failed"), ("cancel", "cancelled")])
async def test_a_sequence_ended_by_its_job_is_undone_and_recorded(ends, status):
    """A job's timeout, and `cancel_execution`, leave the record of every step and of what was undone in the history."""
    execution, taken = await cut_by_its_job(ends)
    steps = {found["name"]: found["status"] for found in execution["result"]["steps"]}
    assert (execution["status"], taken, steps) == (status, ["a", "undo a"], {"a": "success", "b": "failed", "c": "skipped"})
    assert [found["name"] for found in execution["result"]["compensations"]] == ["a"]
