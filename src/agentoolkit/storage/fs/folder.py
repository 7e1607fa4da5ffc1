"""An open folder, in which names are looked up without ever following a link. Which folders are open is decided in `allowed_paths`.

Everything goes by an open folder and one name in it, step by step from a root. So nobody can put a link in the way
between the check of a path and its use: there is no such time.
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
"""Can this system do it? Linux and macOS can."""


def kind_of(status: os.stat_result) -> Kind:
    """Tell what a thing in a folder is."""
    kinds: dict[int, Kind] = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link"}
    return kinds.get(stat.S_IFMT(status.st_mode), "special")


def readable(name: str) -> str:
    """Show a name as text: bytes of it that are no UTF-8 as escapes, because neither JSON nor a database holds them."""
    return os.fsencode(name).decode(errors="backslashreplace")


class Folder:
    """A folder that is open inside a ``with`` block. Methods raise `OSError`; a link is ``ELOOP``."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    @classmethod
    def at(cls, path: os.PathLike[str]) -> Folder:
        """Open a root. It may be a link itself: the owner of the application named it."""
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
        """Return the facts about a thing in this folder, or about the folder itself."""
        if name is None:
            return os.fstat(self._handle)
        return os.stat(name, dir_fd=self._handle, follow_symlinks=False)

    def kind(self, name: str) -> Kind | None:
        """Tell what a thing is; None: it is not there."""
        try:
            return kind_of(self.status(name))
        except FileNotFoundError:
            return None

    def names(self) -> Sequence[str]:
        """Return the names of all things in this folder, in order."""
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
        """Remove a file if it is one of these, and was not written since. Else it stays, and the answer is False.

        It gets another name first: what is written under its name from then on is another file.
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
        """Move a thing to another folder on the same disk. What is there is replaced, or ``EEXIST``, in one step."""
        if overwrite:
            os.rename(name, new_name, src_dir_fd=self._handle, dst_dir_fd=other._handle)
        else:
            rename_new(self._handle, name, other._handle, new_name)

    def reading(self, name: str) -> BinaryIO:
        """Open a file to be read."""
        return self._file(name, os.O_RDONLY, "rb")

    def appending(self, name: str) -> BinaryIO:
        """Open a file to be added to; one that is not there is made."""
        return self._file(name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, "ab")

    @contextmanager
    def replacing(self, name: str, *, overwrite: bool = True) -> Generator[BinaryIO]:
        """Write a file beside its place, and put it there at the end: readers see the old one or the new one, whole.

        Without `overwrite` it is ``EEXIST`` if something is there then, whenever it came.
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
