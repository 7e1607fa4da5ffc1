"""Files, only below folders that the application declares."""

from agentoolkit.storage.fs.agentool import create_storage_fs_agent
from agentoolkit.storage.fs.errors import FileChanged, FileError, FileTooLarge, PathNotAllowed, PathNotFound, PathTaken, WrongKind
from agentoolkit.storage.fs.schemas import FsInput
from agentoolkit.storage.fs.service import FileService

__all__ = [
    "FileChanged",
    "FileError",
    "FileService",
    "FileTooLarge",
    "FsInput",
    "PathNotAllowed",
    "PathNotFound",
    "PathTaken",
    "WrongKind",
    "create_storage_fs_agent",
]
