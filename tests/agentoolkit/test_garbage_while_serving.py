"""What garbage collection looks through in a process that does nothing else: told by what it finds, because time depends on the machine."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from weakref import ref

import pytest

from agentoolkit import garbage_while_serving
from agentoolkit.garbage_while_serving import FEW_BLOCKS, MOST, collected_in_portions
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
    gc.unfreeze()


def is_looked_through(thing: object) -> bool:
    return any(held is thing for held in gc.get_objects())


def test_what_a_collection_leaves_is_left_out_of_the_next():
    """Where it leaves more than a few objects, each further one looks through what came since."""
    with collected_in_portions():
        many = [Ring() for _ in range(MOST + 1)]
        gc.collect()
        one = Ring()
        assert (is_looked_through(many[0]), is_looked_through(one)) == (False, True)


def test_few_objects_are_looked_through_again():
    """Where little is left, it may still become garbage that is found: nothing is left out."""
    with collected_in_portions():
        one = Ring()
        gc.collect()
        assert is_looked_through(one)


def test_garbage_of_what_was_left_out_goes_when_memory_has_doubled(monkeypatch: pytest.MonkeyPatch):
    """All is looked through once more then, so that garbage is never more than half of what is there."""
    with collected_in_portions():
        many = [Ring() for _ in range(MOST + 1)]
        gc.collect()
        garbage = ref(many.pop())
        gc.collect()
        assert garbage() is not None
        monkeypatch.setattr(sys, "getallocatedblocks", lambda: 2 * FEW_BLOCKS + 1)
        more = [Ring() for _ in range(MOST + 1)]
        for _ in range(2):  # one that notices, one that looks at all
            gc.collect()
        assert garbage() is None
        assert not is_looked_through(more[0])


def test_what_is_kept_is_looked_through_once_for_each_doubling(monkeypatch: pytest.MonkeyPatch):
    """After a look at all, the memory that is in use then is what has to double."""
    monkeypatch.setattr(garbage_while_serving, "FEW_BLOCKS", 1)
    with collected_in_portions():
        many = [Ring() for _ in range(MOST + 1)]
        doubled = 2 * sys.getallocatedblocks() + 10 * MOST
        monkeypatch.setattr(sys, "getallocatedblocks", lambda: doubled)
        gc.collect()
        seen = [is_looked_through(many[0])]
        gc.collect()
        more = [Ring() for _ in range(MOST + 1)]
        gc.collect()
        seen += [is_looked_through(many[0]), is_looked_through(more[0])]
    assert seen == [True, False, False]


@pytest.mark.parametrize("freeze", [False, True])
async def test_collections_are_as_they_were_after_a_toolkit(freeze: bool):
    """A server that closes leaves nothing behind, and a guest in somebody's process changes nothing at any time."""
    before = gc.get_threshold(), list(gc.callbacks)
    async with Toolkit(Settings(timezone="UTC", freeze=freeze)):
        assert ((gc.get_threshold(), list(gc.callbacks)) == before) != freeze
    assert (gc.get_threshold(), list(gc.callbacks)) == before
