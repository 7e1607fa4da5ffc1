"""What garbage collection looks through in a process that does nothing else: told by what it finds, because time depends on the machine."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from weakref import ref

import pytest

from agentoolkit.garbage_while_serving import FREEZES, MOST, collected_in_portions
from agentoolkit.settings import Settings
from agentoolkit.wiring import Toolkit


class Ring:
    """Refers to itself, so that only a collection takes it away."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture(autouse=True)
def nothing_frozen() -> Iterator[None]:
    gc.freeze()  # what the other tests need is not looked through here
    yield
    gc.freeze()  # nor by the tests that follow


@pytest.fixture
def little_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but what a test makes counts as left out: a process of many tests has much else."""
    others, count = gc.get_freeze_count(), gc.get_freeze_count
    monkeypatch.setattr(gc, "get_freeze_count", lambda: max(count() - others, 0))


def is_looked_through(thing: object) -> bool:
    return any(held is thing for held in gc.get_objects())


def left_out(times: int) -> list[list[Ring]]:
    """Make much, and collect, so many times. Return what was made."""
    made: list[list[Ring]] = []
    for _ in range(times):
        made.append([Ring() for _ in range(MOST + 1)])
        gc.collect()
    return made


async def test_what_a_collection_leaves_is_left_out_of_the_next():
    """Where it leaves more than a few objects, each further one looks through what came since."""
    with collected_in_portions():
        ((first, *_),) = left_out(1)
        one = Ring()
        assert (is_looked_through(first), is_looked_through(one)) == (False, True)


async def test_few_objects_are_looked_through_again():
    """Where little is left, it may still become garbage that is found: nothing is left out."""
    with collected_in_portions():
        one = Ring()
        gc.collect()
        assert is_looked_through(one)


async def test_garbage_of_what_was_left_out_goes_after_so_many_times(little_else: None):
    """All is looked through then, however few blocks of memory it is: a buffer of a megabyte is none that Python counts."""
    with collected_in_portions():
        made = left_out(FREEZES - 1)
        garbage = ref(made[0].pop())
        await asyncio.sleep(0)
        assert garbage() is not None
        made += left_out(1)
        await asyncio.sleep(0)
        assert garbage() is None


async def test_the_collection_after_a_look_at_all_looks_through_what_came_since(little_else: None):
    """Python puts off a full collection until a quarter as much is new as the one before has looked through: that one was short."""
    with collected_in_portions():
        made = left_out(FREEZES)
        looked_through: list[int] = []
        gc.callbacks.append(note := lambda phase, info: looked_through.append(len(gc.get_objects())) if phase == "start" else None)
        await asyncio.sleep(0)
        gc.callbacks.remove(note)
        assert not is_looked_through(made[0][0])
    assert looked_through[0] > FREEZES * MOST > MOST > looked_through[1]


async def test_what_is_little_beside_the_rest_is_no_reason_for_a_look_at_all(little_else: None):
    """So much is looked through only when a third of it is new: to look through it all takes long."""
    much = [[number] for number in range(3 * FREEZES * MOST)]
    gc.freeze()
    with collected_in_portions():
        made = left_out(FREEZES)
        garbage = ref(made[0].pop())
        await asyncio.sleep(0)
        assert garbage() is not None
        del much  # what has gone counts no more, so that a peak is forgotten
        made += left_out(FREEZES)
        await asyncio.sleep(0)
        assert garbage() is None


@pytest.mark.parametrize("first", [0, 1])
async def test_blocks_may_overlap(first: int):
    """Whichever ends first, the collector is changed until the last ends, and then as it was."""
    before = gc.get_threshold(), list(gc.callbacks)
    blocks = [collected_in_portions(), collected_in_portions()]
    for block in blocks:
        block.__enter__()
    within = gc.get_threshold(), list(gc.callbacks)
    blocks.pop(first).__exit__(None, None, None)
    assert (gc.get_threshold(), list(gc.callbacks)) == within != before
    assert len(within[1]) == len(before[1]) + 1
    blocks.pop().__exit__(None, None, None)
    assert (gc.get_threshold(), list(gc.callbacks)) == before


@pytest.mark.parametrize("freeze", [False, True])
async def test_collections_are_as_they_were_after_a_toolkit(freeze: bool):
    """A server that closes leaves nothing behind, and a guest in somebody's process changes nothing at any time."""
    before = gc.get_threshold(), list(gc.callbacks)
    kits = [Toolkit(Settings(timezone="UTC", freeze=freeze)) for _ in range(2)]
    for kit in kits:
        await kit.__aenter__()
        assert ((gc.get_threshold(), list(gc.callbacks)) == before) != freeze
    for kit in kits:
        assert ((gc.get_threshold(), list(gc.callbacks)) == before) != freeze
        await kit.__aexit__(None, None, None)
    assert (gc.get_threshold(), list(gc.callbacks)) == before
    assert (gc.get_freeze_count() == 0) == freeze
