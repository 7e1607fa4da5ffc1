"""The errors of the file storage. Each is also the builtin of the same meaning.

FileError (OSError)
├── PathNotAllowed   (PermissionError) outside of the roots, through a link, or not permitted by the system
├── PathNotFound     (FileNotFoundError)
├── PathTaken        (FileExistsError) something is there already
├── WrongKind        a folder where a file is needed, or the reverse, or neither of them
├── FileChanged      it was written while it was moved to another disk
└── FileTooLarge     a file, or a tree of them, beyond a limit
"""

from __future__ import annotations

import errno

from agentool.errors import AgenToolError
from agentoolkit.storage.fs.folder import readable

SETTING = "the setting `files` (AGENTOOL_FILES), which maps what paths begin with to folders"


class FileError(AgenToolError, OSError):
    """Base of the errors of the file storage."""


class PathNotAllowed(FileError, PermissionError):
    """The path leads out of the roots, or the system does not permit access."""


class PathNotFound(FileError, FileNotFoundError):
    """Nothing exists at the path."""


class PathTaken(FileError, FileExistsError):
    """Something exists at the path already."""


class WrongKind(FileError):
    """It is a folder and no file, or a file and no folder, or neither."""


class FileChanged(FileError):
    """It was written while it was moved to another disk: the source stays, beside its copy."""


class FileTooLarge(FileError):
    """It is larger than a limit, which is a setting."""


_MEANINGS: dict[int, tuple[type[FileError], str, str]] = {
    errno.ENOENT: (PathNotFound, "There is nothing at {path}", "'list' the folder to see what there is."),
    errno.EEXIST: (PathTaken, "Something is at {path} already", "Delete it first, or name another place."),
    errno.ENOTEMPTY: (PathTaken, "The folder {path} is not empty", "Set recursive to delete what is in it too."),
    errno.ELOOP: (PathNotAllowed, "{path} is, or leads through, a link", "Name the file itself; links are not followed."),
    errno.ENOTDIR: (WrongKind, "{path} is, or leads through, a file where a folder is needed", "Name a folder."),
    errno.EISDIR: (WrongKind, "{path} is a folder", "Name a file."),
    errno.EACCES: (PathNotAllowed, "The system does not permit it for {path}", "Ask the owner of the files."),
    errno.EPERM: (PathNotAllowed, "The system does not permit it for {path}", "Ask the owner of the files."),
}


def explained(error: OSError, path: str) -> FileError:
    """Turn the system's error about a path into a `FileError`."""
    kind, meaning, remedy = _MEANINGS.get(error.errno or 0, (FileError, f"{error.strerror or error}: {{path}}", ""))
    name = error.filename if isinstance(error.filename, str) else ""
    # A name with a slash is one of this machine, not one of the caller's.
    within = f" ({readable(name)})" if name and "/" not in name and not path.endswith(name) else ""
    return kind(f"{meaning.format(path=repr(path))}{within}.", field="path", value=path, remedy=remedy)
