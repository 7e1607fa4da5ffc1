"""What executions write while they run: the end of it, without secrets, and nothing of it left in the process's logging."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from agentool.caller import CODE, acting_as
from agentool.secrets_here import secrets_here
from agentoolkit.live_output import MAX_EXECUTIONS, MAX_KEPT, LiveOutput, LogListener

PASSWORD = "hunter2-hunter2"


def write(output: LiveOutput, *texts: str, execution_id: str = "job@1") -> str:
    """Let an execution write some texts, and return what is seen of them."""
    with acting_as(CODE.inside(execution_id)):
        for text in texts:
            output.write(text)
    return output.of(execution_id)


@pytest.fixture
def secret() -> Iterator[str]:
    """A text that nobody may see of what this context writes."""
    token = secrets_here.set((PASSWORD,))
    yield PASSWORD
    secrets_here.reset(token)


def test_the_end_is_kept() -> None:
    """Whole lines of it, as many as fit."""
    seen = write(LiveOutput(), *(f"line {number}\n" for number in range(20_000)))
    assert (seen.endswith("line 19999\n"), seen.startswith("line "), MAX_KEPT - 20 < len(seen) <= MAX_KEPT) == (True, True, True)


@pytest.mark.parametrize("length", range(MAX_KEPT - len(PASSWORD) - 12, MAX_KEPT + 3))
@pytest.mark.parametrize("end", ["\n", ""])
def test_a_secret_is_hidden_wherever_the_text_is_cut(length: int, end: str) -> None:
    """Also where the cut falls between its name and its value, or where no line ends."""
    filling = f"{end or ' '}{'x' * (length - 1)}"
    seen = write(LiveOutput(), f"password={PASSWORD}{filling}")
    assert ("hunter2" in seen, seen.endswith("xxx"), len(seen) <= MAX_KEPT) == (False, True, True)


def test_a_secret_is_hidden_wherever_a_kept_text_is_cut() -> None:
    """The same where many lines came one by one."""
    output = LiveOutput()
    write(output, *(f"{'x' * (number % 37)} password={PASSWORD}\n" for number in range(800)))
    for number in range(200):  # the cut is among these
        assert "hunter2" not in write(output, f"{'x' * (number % 37)} password={PASSWORD}\n")


def test_a_known_secret_is_hidden_in_one_piece_or_many(secret: str) -> None:
    """While it is being written its beginning is hidden too; what begins otherwise is not."""
    output = LiveOutput()
    for letter in f"it is {secret}":
        assert "hunter" not in write(output, letter).replace("it is hun", "it is ")
    assert write(output, " and hunger") == "it is [redacted] and hunger"


def test_a_known_secret_stays_hidden_though_others_wrote_meanwhile(secret: str) -> None:
    """It is known whenever its execution writes, whatever was let go of its earlier words."""
    output = LiveOutput()
    write(output, secret)
    for number in range(MAX_EXECUTIONS + 1):
        write(output, "x", execution_id=f"other@{number}")
    assert write(output, f"again {secret}\n") == "again [redacted]\n"


def test_each_execution_sees_its_own() -> None:
    """What one writes is not among the words of another, nor what nobody's code writes."""
    output = LiveOutput()
    output.write("nobody's")
    assert (write(output, "mine"), write(output, "yours", execution_id="job@2"), output.of("job@1")) == ("mine", "yours", "mine")


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_nothing_stays_in_logging(order: tuple[int, ...]) -> None:
    """In whatever order those that listened end, records are made as before them."""
    before = logging.getLogRecordFactory()
    logs = [LogListener(LiveOutput()).__enter__() for _ in order]
    for place in order:
        logs[place].__exit__(None, None, None)
    assert logging.getLogRecordFactory() is before


def test_who_still_listens_hears() -> None:
    """Also after one that began before it has ended."""
    first, second = LiveOutput(), LiveOutput()
    earlier = LogListener(first).__enter__()
    with acting_as(CODE.inside("job@1")):
        with LogListener(second):
            earlier.__exit__(None, None, None)
            logging.getLogger("work").warning("half of it")
        logging.getLogger("work").warning("all of it")
    assert (first.of("job@1"), second.of("job@1")[9:]) == ("", "WARNING half of it\n")


def test_an_applications_own_factory_stays() -> None:
    """One that was set meanwhile is not taken away, and still makes records when nobody listens any more."""
    before = logging.getLogRecordFactory()
    try:
        with LogListener(LiveOutput()):
            inner = logging.getLogRecordFactory()
            own = lambda *described, **named: inner(*described, **named)  # noqa: E731
            logging.setLogRecordFactory(own)
        with LogListener(LiveOutput()):
            pass
        assert logging.getLogRecordFactory() is own
        logging.getLogger("work").warning("still made")
    finally:
        logging.setLogRecordFactory(before)
