"""The file service: operations on files below the roots. Every method blocks, and is called in a thread."""

from __future__ import annotations

import errno
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from itertools import islice
from typing import Literal

from agentool.errors import excerpt
from agentoolkit.settings import FileSettings
from agentoolkit.storage.fs import folder_contents
from agentoolkit.storage.fs.allowed_paths import Location, Roots
from agentoolkit.storage.fs.errors import FileChanged, FileError, FileTooLarge, PathNotAllowed, PathTaken, WrongKind, explained
from agentoolkit.storage.fs.folder import Folder, Kind, kind_of
from agentoolkit.storage.fs.folder_contents import Copying, FileEntry, Progress


class FileService:
    """Files below declared roots.

    Args:
        settings: Folders by what paths into them begin with; without any, every path is refused. And what one call may take.
    """

    def __init__(self, settings: FileSettings) -> None:
        self.roots = Roots(settings.folders)
        self._limits = settings

    def progress(self) -> Progress:
        """Return a new counter for one call."""
        return Progress(self._limits.tree_entries, self._limits.tree_size)

    def read(self, location: Location) -> bytes:
        """Return the content of a file."""
        _refuse_folder(location, "path")
        with _told(location), location.parent() as folder, folder.reading(location.name) as file:
            content = file.read(self._limits.size + 1)
            self._refuse_large(len(content), location)
            return content

    def write(self, location: Location, content: bytes, mode: Literal["replace", "append"]) -> bool:
        """Write a file, whole or at its end. Tell whether it is new."""
        self._refuse_large(len(content), location)
        _refuse_folder(location, "path")
        with _told(location), location.parent() as folder:
            new = folder.kind(location.name) is None
            if mode == "replace":
                with folder.replacing(location.name) as file:
                    file.write(content)
            else:
                with folder.appending(location.name) as file:
                    self._refuse_large(file.seek(0, 2) + len(content), location)
                    file.write(content)
            return new

    def info(self, location: Location) -> FileEntry:
        """Return the facts about a path."""
        with _told(location):
            if not location.parts:
                with location.opened() as root:
                    return FileEntry(location.path, "folder", root.status())
            with location.parent() as folder:
                status = folder.status(location.name)
                return FileEntry(location.path, kind_of(status), status)

    def found(self, location: Location, matching: Callable[[FileEntry], bool], limit: int, recursive: bool) -> list[FileEntry]:
        """Return the first `limit` entries of a folder."""
        with _told(location), location.opened() as folder:
            return list(islice(filter(matching, folder_contents.walk(folder, recursive)), limit))

    def make_folder(self, location: Location) -> bool:
        """Make a folder, and those it is to be in. Tell whether it is new."""
        with _told(location):
            try:
                with location.opened():
                    return False
            except FileNotFoundError:
                return self._make(location)

    def delete(self, location: Location, progress: Progress, recursive: bool) -> None:
        """Remove a file, a link or a folder; one that is not empty only if `recursive`."""
        with _told(location), location.parent() as folder:
            kind = folder.kind(location.name)
            if kind == "folder" and recursive:
                with folder.child(location.name) as below:
                    folder_contents.empty(below, progress)
            folder.remove(location.name)
            progress.entries += 1

    def copy(self, source: Location, destination: Location, copying: Copying) -> Kind:
        """Copy a file, or what is in a folder, and tell which it was."""
        kind = self.info(source).kind
        _refuse_inside(source, destination)
        if kind != "folder":
            _refuse_folder(destination, "destination")
        with _told(source):
            if kind == "folder":
                with source.opened() as folder, _opened_or_made(destination) as other:
                    copying.folder(folder, other)
            else:
                with source.parent() as folder, destination.parent() as other:
                    copying.file(folder, source.name, other, destination.name)
        return kind

    def move(self, source: Location, destination: Location, copying: Copying) -> Kind:
        """Move a file or a folder, and tell which it was. Between disks it is copied, then deleted."""
        found = self.info(source)
        kind = found.kind
        if kind not in ("file", "folder"):
            raise WrongKind(f"It is a {kind}.", field="source", value=source.path, remedy="Only files and folders are moved.")
        _refuse_inside(source, destination)
        if kind == "file":
            _refuse_folder(destination, "destination")
        try:
            with _told(source), source.parent() as folder, destination.parent() as other:
                replaces = copying.overwrite and kind == "file"
                _refuse_taken(other, destination, replaces)
                try:
                    folder.rename(source.name, other, destination.name, overwrite=replaces)
                except FileExistsError:  # it came since it was looked for
                    _refuse_taken(other, destination, replaces)
                    raise
                copying.progress.add(entries=1, size=found.status.st_size if kind == "file" else 0)
        except FileError as error:
            if not isinstance(error.__cause__, OSError) or error.__cause__.errno != errno.EXDEV:
                raise
            self._move_between_disks(source, destination, copying)
        return kind

    def _move_between_disks(self, source: Location, destination: Location, copying: Copying) -> None:
        """Copy, then remove the copied files. Files that change at the source meanwhile stay there."""
        self.copy(source, destination, copying)
        if skipped := copying.progress.skipped:
            remedy = "What could be copied was; nothing was deleted."
            raise WrongKind(f"It holds links or special files: {excerpt(skipped)}.", field="source", value=source.path, remedy=remedy)
        with _told(source), source.parent() as folder:
            left = folder_contents.remove_copied(folder, source.name, copying.progress.copied)
        if left:
            remedy = "It is at both places now: move it again with overwrite, or delete one."
            raise FileChanged(f"It was written while it was moved: {excerpt(left)}.", field="source", value=source.path, remedy=remedy)

    def _refuse_large(self, size: int, location: Location) -> None:
        if size > self._limits.size:
            remedy = f"At most {self._limits.size:,} are read and written at once (setting `files_size`); 'copy' and 'move' take more."
            raise FileTooLarge("It has too many bytes.", field="path", value=location.path, remedy=remedy)

    def _make(self, location: Location) -> bool:
        """Make a folder; False: somebody else did meanwhile."""
        above = Location(location.path, location.folder, location.parts[:-1])
        with _told(location):
            try:
                with above.opened() as folder:
                    folder.make(location.name)
                    return True
            except FileNotFoundError:
                if not above.parts:
                    raise
            except FileExistsError:
                with location.opened():  # and it is a folder
                    return False
        self._make(above)
        return self._make(location)


@contextmanager
def _told(location: Location) -> Generator[None]:
    """Turn the system's errors into errors that name the path."""
    try:
        yield
    except FileError:
        raise
    except OSError as error:
        raise explained(error, location.path) from error


@contextmanager
def _opened_or_made(location: Location) -> Generator[Folder]:
    with ExitStack() as stack:
        with _told(location):
            if location.parts:
                folder = folder_contents.made(stack.enter_context(location.parent()), location.name)
                stack.enter_context(folder)
            else:
                folder = stack.enter_context(location.opened())
        yield folder


def _refuse_inside(source: Location, destination: Location) -> None:
    if destination.real().is_relative_to(source.real()):
        raise PathNotAllowed("It is in, or is, the source.", field="destination", value=destination.path, remedy="Name another place.")


def _refuse_folder(location: Location, field: str) -> None:
    """Refuse a path that ends with a slash where a file is meant: `/data/archive/` would become a file called `archive`."""
    if location.is_folder:
        remedy = f"Write the file's own name, too: '{location.path}/…', or leave the slash out."
        raise WrongKind("It ends with a slash, and names a file.", field=field, value=f"{location.path}/", remedy=remedy)


def _refuse_taken(folder: Folder, destination: Location, may_replace: bool) -> None:
    kind = folder.kind(destination.name)
    if kind is not None and not (may_replace and kind == "file"):
        remedy = "Set overwrite to replace a file by a file, or delete it first."
        raise PathTaken(f"A {kind} is there already.", field="destination", value=destination.path, remedy=remedy)
