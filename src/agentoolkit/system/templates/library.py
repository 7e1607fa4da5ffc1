"""Templates by name: files of one folder, or, without a folder, in memory."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from agentool.errors import InvalidInput, excerpt
from agentoolkit.system.templates.errors import InvalidTemplate, TemplateError, TemplateNotFound
from agentoolkit.text_files import replace_text

SUFFIX = ".j2"
_NAME = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9_.-]*/)*[A-Za-z0-9_-][A-Za-z0-9_.-]*")
_MAX_NAME_LENGTH = 200
_MAX_CHARACTER_SIZE = 4
"""Bytes of UTF-8."""


class Library(Protocol):
    """Holds templates. Methods may read and write files, so they are called in threads."""

    def find(self, name: str) -> str | None:
        """Return the source of a template, if there is one."""
        ...

    def has(self, name: str) -> bool:
        """Is there a template of this name?"""
        ...

    def save(self, name: str, source: str) -> bool:
        """Keep a template; tell whether it is a new one."""
        ...

    def delete(self, name: str) -> bool:
        """Remove a template; tell whether there was one."""
        ...

    def names(self) -> Sequence[str]:
        """Return all names in order."""
        ...


class MemoryLibrary:
    """Templates that live as long as the process."""

    def __init__(self) -> None:
        self._sources: dict[str, str] = {}

    def find(self, name: str) -> str | None:
        return self._sources.get(name)

    def has(self, name: str) -> bool:
        return name in self._sources

    def save(self, name: str, source: str) -> bool:
        new = checked_name(name) not in self._sources
        self._sources[name] = source
        return new

    def delete(self, name: str) -> bool:
        return self._sources.pop(name, None) is not None

    def names(self) -> Sequence[str]:
        return sorted(self._sources)


class FolderLibrary:
    """Templates in the files of a folder: ``mail/welcome.html`` is ``mail/welcome.html.j2`` in it.

    Args:
        folder: Made when the first template is saved. A link in it that leads out of it leads nowhere.
        largest: Characters of a template; larger ones are not read.
    """

    def __init__(self, folder: Path, largest: int) -> None:
        self._folder = folder.expanduser().resolve()
        self._largest = largest

    def find(self, name: str) -> str | None:
        path = self._path(name)
        if path is None or not path.is_file():
            return None
        with _told(name, "read"), path.open("rb") as file:
            content = file.read(_MAX_CHARACTER_SIZE * self._largest + 1)
        source = content.decode("utf-8", errors="replace")
        if len(source) > self._largest:
            raise InvalidTemplate(f"{name!r} has more than {self._largest:,} characters.", field="template_name", value=name)
        return source

    def has(self, name: str) -> bool:
        path = self._path(name)
        return path is not None and path.is_file()

    def save(self, name: str, source: str) -> bool:
        path = self._path(checked_name(name))
        if path is None:
            raise InvalidInput(f"{excerpt(name)} leads out of the folder.", field="template_name", value=name)
        new = not path.exists()
        with _told(name, "saved"):
            path.parent.mkdir(parents=True, exist_ok=True)
            with replace_text(path) as file:
                file.write(source)
        return new

    def delete(self, name: str) -> bool:
        there = self.has(name)
        if there and (path := self._path(name)):
            with _told(name, "deleted"):
                path.unlink(missing_ok=True)
        return there

    def names(self) -> Sequence[str]:
        files = (path.relative_to(self._folder).as_posix() for path in self._folder.rglob(f"*{SUFFIX}"))
        return sorted(name for file in files if self.has(name := file.removesuffix(SUFFIX)))

    def _path(self, name: str) -> Path | None:
        """Return where a template would be; None where no template can be."""
        if not _is_name(name):
            return None
        path = (self._folder / f"{name}{SUFFIX}").resolve()
        return path if path.is_relative_to(self._folder) else None


def checked_name(name: str) -> str:
    """Return a name that a template can have. Raises `InvalidInput`."""
    if not _is_name(name):
        remedy = "Use letters, digits, '_', '-' and '.', with '/' for folders, as in 'mail/welcome.html'."
        raise InvalidInput(f"{excerpt(name)} cannot be a template's name.", field="template_name", value=name, remedy=remedy)
    return name


def found(library: Library, name: str) -> str:
    """Return the source of a template. Raises `TemplateNotFound`."""
    source = library.find(name)
    if source is None:
        raise TemplateNotFound.among(name, library.names())
    return source


@contextmanager
def _told(name: str, what: str) -> Generator[None]:
    """Turn the system's errors into one that names the template, and no path of this machine."""
    try:
        yield
    except OSError as error:
        problem = f"{name!r} cannot be {what}: {error.strerror or error}."
        remedy = "Look at the folder of the setting `template_folder`, or choose another name."
        raise TemplateError(problem, field="template_name", value=name, remedy=remedy) from error


def _is_name(name: str) -> bool:
    return len(name) <= _MAX_NAME_LENGTH and _NAME.fullmatch(name) is not None
