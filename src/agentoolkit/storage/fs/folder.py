"""An open folder, in which names are looked up without following links. `allowed_paths` decides which folders are opened.

Every access uses an open folder and one name in it, step by step from a root. So no link can be placed
between the check of a path and its use.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from secrets import token_hex
from types import TracebackType
from typing import BinaryIO, Literal, Self

from agentoolkit.storage.fs.rename_new import rename_new

Kind = Literal["file", "folder", "link", "special"]

_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
# Without O_NONBLOCK, opening a named pipe would wait for its other end.
_FILE = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)

Versions = Mapping[tuple[int, int], tuple[int, int]]
"""Files by device and inode: their size, and their time of change in nanoseconds."""

SUPPORTED = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")
"""Tell whether this system supports it, as Linux and macOS do."""


def kind_of(status: os.stat_result) -> Kind:
    """Return the kind of an entry."""
    kinds: dict[int, Kind] = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link"}
    return kinds.get(stat.S_IFMT(status.st_mode), "special")


def readable(name: str) -> str:
    """Return a name as text, with bytes that are not UTF-8 as escapes: neither JSON nor a database can hold them."""
    return os.fsencode(name).decode(errors="backslashreplace")


class Folder:
    """A folder that is open inside a ``with`` block. Methods raise `OSError`; a link is ``ELOOP``."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    @classmethod
    def at(cls, path: os.PathLike[str]) -> Folder:
        """Open a root. A root may itself be a link, because the application named it."""
        return cls(os.open(path, _FOLDER & ~getattr(os, "O_NOFOLLOW", 0)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        os.close(self._handle)

    def child(self, name: str) -> Folder:
        """Open a folder in this one."""
        try:
            return Folder(os.open(name, _FOLDER, dir_fd=self._handle))
        except NotADirectoryError:
            if self.kind(name) == "link":  # some systems call a link no folder
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name) from None
            raise

    def status(self, name: str | None = None) -> os.stat_result:
        """Return the status of an entry, or of the folder itself."""
        if name is None:
            return os.fstat(self._handle)
        return os.stat(name, dir_fd=self._handle, follow_symlinks=False)

    def kind(self, name: str) -> Kind | None:
        """Return the kind of an entry; None if it does not exist."""
        try:
            return kind_of(self.status(name))
        except FileNotFoundError:
            return None

    def names(self) -> Sequence[str]:
        """Return the names of all entries, sorted."""
        return sorted(os.listdir(self._handle))

    def make(self, name: str) -> None:
        """Make a folder in this one."""
        os.mkdir(name, dir_fd=self._handle)

    def remove(self, name: str) -> None:
        """Remove a file, a link or an empty folder."""
        if self.kind(name) == "folder":
            os.rmdir(name, dir_fd=self._handle)
        else:
            os.unlink(name, dir_fd=self._handle)

    def remove_unchanged(self, name: str, versions: Versions) -> bool:
        """Remove a file if it is one of these versions and unchanged. Otherwise it stays, and the answer is False.

        It is renamed first, so that later writes under its name create another file.
        """
        aside = f".{token_hex(8)}.part"
        self.rename(name, self, aside)
        status = self.status(aside)
        if versions.get((status.st_dev, status.st_ino)) == (status.st_size, status.st_mtime_ns):
            os.unlink(aside, dir_fd=self._handle)
            return True
        self.rename(aside, self, name, overwrite=False)
        return False

    def rename(self, name: str, other: Folder, new_name: str, *, overwrite: bool = True) -> None:
        """Move an entry to another folder on the same disk, in one step. An existing entry is replaced, or the error is ``EEXIST``."""
        if overwrite:
            os.rename(name, new_name, src_dir_fd=self._handle, dst_dir_fd=other._handle)
        else:
            rename_new(self._handle, name, other._handle, new_name)

    def reading(self, name: str) -> BinaryIO:
        """Open a file for reading."""
        return self._file(name, os.O_RDONLY, "rb")

    def appending(self, name: str) -> BinaryIO:
        """Open a file for appending; create a missing one."""
        return self._file(name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, "ab")

    @contextmanager
    def replacing(self, name: str, *, overwrite: bool = True) -> Generator[BinaryIO]:
        """Write a temporary file and move it to its place at the end: readers see the whole old file or the whole new one.

        Without `overwrite` the error is ``EEXIST`` if something exists there at the end.
        """
        kind = self.kind(name)
        self._refuse_other_than_file(kind, name)
        temporary = f".{token_hex(8)}.part"
        try:
            with self._file(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, "wb") as file:
                if kind is not None:
                    os.fchmod(file.fileno(), self.status(name).st_mode & 0o777)
                yield file
                file.flush()
                os.fsync(file.fileno())
            self.rename(temporary, self, name, overwrite=overwrite)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary, dir_fd=self._handle)
            raise
        os.fsync(self._handle)

    def _file(self, name: str, flags: int, mode: str) -> BinaryIO:
        handle = os.open(name, flags | _FILE, 0o666, dir_fd=self._handle)
        try:
            self._refuse_other_than_file(kind_of(os.fstat(handle)), name)
            return os.fdopen(handle, mode)  # type: ignore[return-value]
        except BaseException:
            os.close(handle)
            raise

    def _refuse_other_than_file(self, kind: Kind | None, name: str) -> None:
        refusals: dict[Kind | None, int] = {"folder": errno.EISDIR, "link": errno.ELOOP, "special": errno.EINVAL}
        if number := refusals.get(kind):
            said = "It is neither a file nor a folder" if kind == "special" else os.strerror(number)
            raise OSError(number, said, name)
