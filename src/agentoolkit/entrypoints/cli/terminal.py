"""Write to any terminal: in its encoding, with plain letters for missing ones, and also after its reader has left."""

from __future__ import annotations

import codecs
import json
import os
import re
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
    """Let stdout and stderr replace letters that their encoding does not have."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors=_ERRORS)


def writes_utf8() -> bool:
    """Tell whether stdout's encoding is UTF-8."""
    return codecs.lookup(sys.stdout.encoding or "utf-8").name == "utf-8"


def write_json_text(text: str) -> None:
    """Write JSON to stdout. Its readers expect UTF-8, so other encodings get escapes: their letters would be read as others."""
    sys.stdout.write(text if writes_utf8() else re.sub(r"[^\x00-\x7f]", lambda letter: json.dumps(letter[0])[1:-1], text))


class PlainConsole(Console):
    """A console without styles if ``NO_COLOR`` is set, and without automatic highlighting."""

    def __init__(self, **options: Any) -> None:
        super().__init__(highlight=False, color_system=None if os.environ.get("NO_COLOR") else "auto", **options)


class ServingConsole(PlainConsole):
    """A console for a process that goes on after its reader has left. One message on stderr says so."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print, unless stdout has been closed or cannot take any more."""
        try:
            super().print(*objects, **options)
        except OSError as error:
            self._give_up(error.strerror or str(error))

    def on_broken_pipe(self) -> None:
        """Stop printing: the reader has left."""
        self._give_up("its reader has left")

    def _give_up(self, reason: str) -> None:
        if not self.quiet:
            self.quiet = True
            silence_stdout()
            with suppress(OSError):
                sys.stderr.write(f"agentool: nothing more is printed, {reason}. Jobs go on running; Ctrl-C ends them.\n")
                sys.stderr.flush()


def silence_stdout() -> None:
    """Point stdout to nowhere after its reader has left, so that Python's own flush at exit does not fail either."""
    try:
        number = sys.stdout.fileno()
    except (OSError, ValueError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)


@contextmanager
def stdout_for_results() -> Generator[None]:
    """Keep stdout for the command's result: meanwhile the output of handlers and their programs goes to stderr."""
    shown, sys.stdout = sys.stdout, sys.stderr
    kept: int | None = None
    try:
        shown.flush()
        number, other = shown.fileno(), sys.stderr.fileno()
        kept = os.dup(number)
        os.dup2(other, number)
    except (OSError, ValueError):
        number = -1  # not a file descriptor: only print() writes there
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stdout = shown
        if kept is not None:
            os.dup2(kept, number)
            os.close(kept)
