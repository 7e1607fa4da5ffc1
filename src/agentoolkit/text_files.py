"""Text files. Reading decodes strictly, so that no letter changes unnoticed; writing replaces the whole file or nothing."""

from __future__ import annotations

import codecs
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkstemp
from typing import TextIO

from agentool.errors import InvalidInput

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_REMEDY = "Save it as UTF-8, e.g. with iconv -f latin1 -t utf-8."


def decode_text(content: bytes, source: str) -> str:
    """Decode a whole file and drop its byte order mark.

    Raises:
        InvalidInput: It is not UTF-8. The message names the line and the byte.
    """
    content = without_mark(content, source)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problem = f"{source} is not UTF-8: line {line}, {describe_undecodable(error, content)}."
        raise InvalidInput(problem, field="file", value=source, remedy=_REMEDY) from error


def split_lines(content: bytes, source: str) -> list[bytes]:
    """Split a file into lines that can be decoded one by one. Only line feeds end lines.

    Raises:
        InvalidInput: It is UTF-16.
    """
    return [line.removesuffix(b"\r") for line in without_mark(content, source).split(b"\n")]


def without_mark(content: bytes, source: str) -> bytes:
    """Drop the byte order mark of UTF-8. Raises `InvalidInput` for the mark of UTF-16."""
    if content.startswith(_UTF_16):
        raise InvalidInput(f"{source} is UTF-16, not UTF-8.", field="file", value=source, remedy="Save it as UTF-8.")
    return content.removeprefix(codecs.BOM_UTF8)


@contextmanager
def replace_text(path: Path) -> Generator[TextIO]:
    """Write a temporary file beside the target and move it there at the end. Until then, and after a failure, the old file stays.

    Only its owner can read a new file. A device or a pipe is written directly. An `OSError` names the given path.
    """
    target = path.resolve()
    try:
        if target.exists() and not target.is_file():
            with target.open("w", encoding="utf-8") as file:
                yield file
            return
        handle, temporary = mkstemp(prefix=f".{target.name[:100]}.", suffix=".part", dir=target.parent)
        try:
            with open(handle, "w", encoding="utf-8") as file:
                if target.exists():
                    os.chmod(temporary, target.stat().st_mode & 0o777)
                yield file
                file.flush()
                os.fsync(handle)
            os.replace(temporary, target)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError as error:
        error.filename = str(path)
        raise


def describe_undecodable(error: UnicodeDecodeError, content: bytes) -> str:
    """Return the position in its line, and the value, of the byte that is not UTF-8."""
    line_start = content.rfind(b"\n", 0, error.start) + 1
    return f"byte {error.start - line_start + 1} is 0x{content[error.start]:02X}"
