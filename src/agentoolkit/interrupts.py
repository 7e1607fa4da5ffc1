"""A person's Ctrl-C that arrives while code of others runs: no failure of that code, and it ends the program."""

from __future__ import annotations

import asyncio
import signal
import threading


def is_interrupt(error: BaseException) -> bool:
    """Was this raised because a person pressed Ctrl-C, and not by the code that ran just then?

    ``asyncio.run`` takes the first one to cancel the program, and raises only the next. On an event loop that is run
    otherwise Python raises it at once, and nobody can tell it from one that code raises itself.
    """
    if not isinstance(error, KeyboardInterrupt) or threading.current_thread() is not threading.main_thread():
        return False
    return signal.getsignal(signal.SIGINT) is signal.default_int_handler or _comes_from_runner(error)


def ends_the_loop(error: BaseException) -> bool:
    """Is this not the doing of the code that ran: a coroutine that is thrown away, or a person's Ctrl-C?"""
    if isinstance(error, GeneratorExit):
        try:
            return asyncio.current_task() is None
        except RuntimeError:
            return True
    return is_interrupt(error)


def raise_from_loop(error: BaseException) -> None:
    """Let an error end the event loop as soon as what runs now is done, so that whoever called is left as it should be."""

    def end() -> None:
        raise error

    try:
        asyncio.get_running_loop().call_soon(end)
    except RuntimeError:  # nothing that could be left half done
        raise error from None


def _comes_from_runner(error: BaseException) -> bool:
    raises = getattr(getattr(asyncio.Runner, "_on_sigint", None), "__code__", None)
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_code is raises
