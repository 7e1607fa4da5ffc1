"""Copy, remove and list the contents of folders, with limits and stoppable."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from threading import Event

from agentoolkit.storage.fs.allowed_paths import DEEPEST
from agentoolkit.storage.fs.errors import FileTooLarge, PathTaken, WrongKind
from agentoolkit.storage.fs.folder import Folder, Kind, Versions, kind_of, readable

_CHUNK = 1 << 20
_MAX_NAMED = 20


class Stopped(Exception):
    """The caller no longer waits for it."""


@dataclass(slots=True)
class Progress:
    """The work done so far, and its limits."""

    most_entries: int
    most_bytes: int
    entries: int = 0
    bytes: int = 0
    skipped: list[str] = field(default_factory=list[str])
    """Links and special files, which are not copied; the first few."""
    skipped_count: int = 0
    copied: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict[tuple[int, int], tuple[int, int]])
    """The files and folders that were copied, files as they were before. See `Versions`."""
    stop: Event = field(default_factory=Event)

    def add(self, entries: int = 0, size: int = 0) -> None:
        """Count. Raises `FileTooLarge`, `Stopped`."""
        self.entries += entries
        self.bytes += size
        if self.stop.is_set():
            raise Stopped
        if self.entries > self.most_entries or self.bytes > self.most_bytes:
            limits = f"{self.most_entries:,} entries (setting `files_tree_entries`) or {self.most_bytes:,} bytes (`files_tree_size`)"
            raise FileTooLarge(f"There are more than {limits}.", field="path", remedy="Take one part after the other.")

    def skip(self, path: str) -> None:
        """Record a skipped entry."""
        self.skipped_count += 1
        if len(self.skipped) < _MAX_NAMED:
            self.skipped.append(readable(path))


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A thing in a folder."""

    path: str
    """From the folder that was listed."""
    kind: Kind
    status: os.stat_result


@dataclass(frozen=True, slots=True)
class Copying:
    """One copy under way."""

    progress: Progress
    overwrite: bool

    def file(self, source: Folder, name: str, target: Folder, new_name: str) -> None:
        """Copy a file with its time and mode."""
        kind = target.kind(new_name)
        if kind not in ("file", None):
            raise WrongKind(
                f"A {kind} is there.", field="destination", value=new_name, remedy="Name the new file, not the folder it is to be in."
            )
        if kind is not None and not self.overwrite:
            raise _taken(new_name)
        try:
            with source.reading(name) as reader, target.replacing(new_name, overwrite=self.overwrite) as writer:
                status = os.fstat(reader.fileno())  # before it is read: what is written from now on may not be in the copy
                while chunk := reader.read(_CHUNK):
                    self.progress.add(size=len(chunk))
                    writer.write(chunk)
                writer.flush()
                os.fchmod(writer.fileno(), status.st_mode & 0o777)
                os.utime(writer.fileno(), ns=(status.st_atime_ns, status.st_mtime_ns))
        except FileExistsError as error:  # it came while its content was copied
            raise _taken(new_name) from error
        self.progress.copied[status.st_dev, status.st_ino] = status.st_size, status.st_mtime_ns
        self.progress.add(entries=1)

    def folder(self, source: Folder, target: Folder, path: str = "", depth: int = 0) -> None:
        """Copy everything in a folder into another one, which keeps what else it has."""
        refuse_deep(depth)
        status = source.status()
        self.progress.copied[status.st_dev, status.st_ino] = 0, 0
        for name in source.names():
            inner = f"{path}{name}"
            kind = source.kind(name)
            try:
                if kind == "file":
                    self.file(source, name, target, name)
                elif kind == "folder":
                    with source.child(name) as below, made(target, name) as other:
                        self.progress.add(entries=1)
                        self.folder(below, other, f"{inner}/", depth + 1)
                elif kind is not None:
                    self.progress.skip(inner)
            except FileNotFoundError:
                if source.kind(name) is not None:  # else it went away meanwhile
                    raise


def _taken(name: str) -> PathTaken:
    return PathTaken(f"A file {name!r} is there.", field="destination", value=name, remedy="Set overwrite to replace it.")


def made(parent: Folder, name: str) -> Folder:
    """Open a folder inside another; create a missing one."""
    with suppress(FileExistsError):
        parent.make(name)
    return parent.child(name)


def walk(folder: Folder, recursive: bool, path: str = "", depth: int = 0) -> Iterator[FileEntry]:
    """Yield all entries below a folder, each folder before its contents."""
    refuse_deep(depth)
    for name in folder.names():
        try:
            status = folder.status(name)
        except FileNotFoundError:  # it went away meanwhile
            continue
        found = FileEntry(f"{path}{readable(name)}", kind_of(status), status)
        yield found
        if recursive and found.kind == "folder":
            try:
                below = folder.child(name)
            except FileNotFoundError:
                continue
            with below:
                yield from walk(below, True, f"{found.path}/", depth + 1)


def matches(found: FileEntry, pattern: str) -> bool:
    """Tell whether an entry matches a pattern. A pattern with a slash is compared with the path, any other with the name."""
    return fnmatchcase(found.path if "/" in pattern else PurePosixPath(found.path).name, pattern)


def empty(folder: Folder, progress: Progress, depth: int = 0) -> None:
    """Remove everything in a folder. Links are removed, not followed."""
    refuse_deep(depth)
    for name in folder.names():
        with suppress(FileNotFoundError):  # it went away meanwhile
            if folder.kind(name) == "folder":
                with folder.child(name) as below:
                    empty(below, progress, depth + 1)
            folder.remove(name)
            progress.add(entries=1)


def remove_copied(folder: Folder, name: str, copied: Versions, path: str = "") -> list[str]:
    """Remove a copied file or folder. Entries that changed or appeared meanwhile stay, and their paths are returned."""
    path = f"{path}{name}"
    kind = folder.kind(name)
    if kind != "folder":
        is_gone = kind is None or (kind == "file" and folder.remove_unchanged(name, copied))
        return [] if is_gone else [path]
    with folder.child(name) as below:
        status = below.status()
        if (status.st_dev, status.st_ino) not in copied:
            return [path]
        left = [found for inner in below.names() for found in remove_copied(below, inner, copied, f"{path}/")]
    try:
        if not left:
            folder.remove(name)
    except OSError as error:
        if error.errno != errno.ENOTEMPTY:
            raise
        return [path]
    return left


def refuse_deep(depth: int) -> None:
    """Raise `WrongKind` for folders that are nested too deeply."""
    if depth > DEEPEST:
        raise WrongKind(f"Folders are nested more than {DEEPEST} deep.", field="path")
