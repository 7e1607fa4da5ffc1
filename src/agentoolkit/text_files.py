"""Files of text: read as bytes once, and decoded strictly, so that no letter changes in silence; written whole or not at all."""

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
    """Decode a whole file; a byte order mark is taken off.

    Raises:
        InvalidInput: It is not UTF-8; the line and the byte are named.
    """
    content = without_mark(content, source)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problem = f"{source} is not UTF-8: line {line}, {describe_undecodable(error, content)}."
        raise InvalidInput(problem, field="file", value=source, remedy=_REMEDY) from error


def split_lines(content: bytes, source: str) -> list[bytes]:
    """Split a file into lines, so that each can be decoded by itself. Only line feeds end lines.

    Raises:
        InvalidInput: It is UTF-16, of which no line can be read.
    """
    return [line.removesuffix(b"\r") for line in without_mark(content, source).split(b"\n")]


def without_mark(content: bytes, source: str) -> bytes:
    """Take off a byte order mark. Raises `InvalidInput` where it is that of UTF-16."""
    if content.startswith(_UTF_16):
        raise InvalidInput(f"{source} is UTF-16, not UTF-8.", field="file", value=source, remedy="Save it as UTF-8.")
    return content.removeprefix(codecs.BOM_UTF8)


@contextmanager
def replace_text(path: Path) -> Generator[TextIO]:
    """Write a file beside its place and put it there at the end: until then, and if that fails, the old one stays.

    A new file is for its owner only; a device or a pipe is written to itself. An `OSError` names the path that was given.
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
    """Say which byte of a line is not UTF-8, and where in the line it is."""
    line_start = content.rfind(b"\n", 0, error.start) + 1
    return f"byte {error.start - line_start + 1} is 0x{content[error.start]:02X}"
