"""Threads for functions that block: how many at once, and what a function's own end means."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from agentoolkit.threads import FunctionEnded, FunctionThreads, Rooms


class Unspeakable(BaseException):
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize("raised", [KeyboardInterrupt("now"), GeneratorExit(), asyncio.CancelledError(), Unspeakable()])
async def test_what_ends_programs_is_the_functions_own_failure(raised: BaseException) -> None:
    """A function that raises KeyboardInterrupt or the like in its thread fails, and nothing else ends."""

    def work() -> None:
        raise raised

    with pytest.raises(FunctionEnded, match=f"work raised {type(raised).__name__}"):
        await FunctionThreads().run(work, "work")


async def test_system_exit_stays_what_it_is() -> None:
    """No retry cures it, and who decides that knows it by its class."""
    with pytest.raises(SystemExit):
        await FunctionThreads().run(lambda: exec("raise SystemExit(3)"), "work")


def test_the_limit_holds_over_several_event_loops() -> None:
    """Two functions at once, though two event loops in two threads call twenty each."""
    threads, lock = FunctionThreads(2), threading.Lock()
    running, most = 0, 0

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.005)
        with lock:
            running -= 1

    async def many() -> None:
        await asyncio.gather(*(threads.run(work, "work") for _ in range(20)))

    loops = [threading.Thread(target=lambda: asyncio.run(many())) for _ in range(2)]
    for loop in loops:
        loop.start()
    for loop in loops:
        loop.join()
    assert most == 2


async def test_who_gives_up_waiting_leaves_the_room_to_others() -> None:
    """A cancelled wait takes no room, also one that was cancelled as it was given one."""
    rooms = Rooms(1)
    await rooms.__aenter__()
    waiting = [asyncio.create_task(rooms.__aenter__()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await rooms.__aexit__()
    waiting[1].cancel()
    await asyncio.wait_for(waiting[2], 1)
    assert [task.cancelled() for task in waiting] == [True, True, False]


def test_a_loop_that_closed_while_it_waited_holds_nobody_up() -> None:
    """The next in the line gets the room."""
    rooms = Rooms(1)
    asyncio.run(rooms.__aenter__())
    loop = asyncio.new_event_loop()
    waiting = loop.create_task(rooms.__aenter__())
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()

    async def next_one() -> None:
        task = asyncio.create_task(rooms.__aenter__())
        await asyncio.sleep(0)
        await rooms.__aexit__()
        await asyncio.wait_for(task, 1)

    asyncio.run(next_one())
    waiting._log_destroy_pending = False  # it was left on purpose
