"""Output for any terminal: what an encoding does not have is written in plain letters, and a reader who leaves ends nothing."""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any

from rich.console import Console

_PLAIN = {"→": "->", "…": "...", "–": "-", "—": "-", "‘": "'", "’": "'", "“": '"', "”": '"', "×": "x", "•": "*", "\u202f": " "}
_ERRORS = "agentool.plain"


def _write_plainly(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    return "".join(_PLAIN.get(letter) or letter.encode("ascii", "backslashreplace").decode() for letter in letters), error.end


codecs.register_error(_ERRORS, _write_plainly)


def make_writable() -> None:
    """Let stdout and stderr take every letter, in whatever encoding they are."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors=_ERRORS)


def is_writable(text: str) -> bool:
    """Does stdout's encoding have all letters of a text?"""
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


class PlainConsole(Console):
    """A console that shows no colours and no other styles where ``NO_COLOR`` is set, and makes nothing of a text by itself."""

    def __init__(self, **options: Any) -> None:
        super().__init__(highlight=False, color_system=None if os.environ.get("NO_COLOR") else "auto", **options)


class ServingConsole(PlainConsole):
    """A console for a process that goes on when nobody reads it any more. That is said once, on stderr."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print, unless stdout has been closed or cannot take any more."""
        try:
            super().print(*objects, **options)
        except OSError as error:
            self._give_up(error.strerror or str(error))

    def on_broken_pipe(self) -> None:
        """Take note that the reader has left."""
        self._give_up("its reader has left")

    def _give_up(self, reason: str) -> None:
        if not self.quiet:
            self.quiet = True
            silence_stdout()
            told = f"agentool: nothing more is printed, {reason}. Jobs go on running; Ctrl-C ends them.\n"
            with suppress(OSError):
                sys.stderr.write(told)
                sys.stderr.flush()


def silence_stdout() -> None:
    """Let stdout lead nowhere, after its reader has left: nothing more is to be written, also not by Python at its end."""
    try:
        number = sys.stdout.fileno()
    except (OSError, ValueError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)


@contextmanager
def stdout_for_results() -> Generator[None]:
    """Keep stdout for what a command answers: what handlers and their programs print goes to stderr meanwhile."""
    shown, sys.stdout = sys.stdout, sys.stderr
    kept: int | None = None
    try:
        shown.flush()
        number, other = shown.fileno(), sys.stderr.fileno()
        kept = os.dup(number)
        os.dup2(other, number)
    except (OSError, ValueError):
        number = -1  # not a file of the system's: nothing but print() writes there
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stdout = shown
        if kept is not None:
            os.dup2(kept, number)
            os.close(kept)
