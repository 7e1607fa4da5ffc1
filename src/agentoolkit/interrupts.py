"""Tell a person's Ctrl-C from an error of the code that runs. Ctrl-C ends the program and is not that code's failure."""

from __future__ import annotations

import asyncio
import signal
import threading


def is_interrupt(error: BaseException) -> bool:
    """Tell whether a person pressed Ctrl-C, rather than the running code raising this error.

    ``asyncio.run`` cancels the program at the first Ctrl-C and raises only at the second. On an event loop run in another
    way Python raises at once, and the error cannot be told from one that code raises itself.
    """
    if not isinstance(error, KeyboardInterrupt) or threading.current_thread() is not threading.main_thread():
        return False
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        return True
    runner_raises = getattr(getattr(asyncio.Runner, "_on_sigint", None), "__code__", None)
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_code is runner_raises


def ends_the_loop(error: BaseException) -> bool:
    """Tell whether the running code did not cause this: its coroutine was discarded, or a person pressed Ctrl-C."""
    if isinstance(error, GeneratorExit):
        try:
            return asyncio.current_task() is None
        except RuntimeError:
            return True
    return is_interrupt(error)


def raise_from_loop(error: BaseException) -> None:
    """Raise an error from the event loop itself, after the current step, so that the caller's state stays whole."""

    def end() -> None:
        raise error

    try:
        asyncio.get_running_loop().call_soon(end)
    except RuntimeError:  # no event loop runs, so nothing is half done
        raise error from None
