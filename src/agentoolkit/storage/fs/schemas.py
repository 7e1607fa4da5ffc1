"""What goes into the AgenTool ``storage_fs`` and what comes out."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from agentool.base import BaseOperationInput
from agentoolkit.storage.fs.folder import Kind

MAX_PAGE_SIZE = 10_000
PAGE = 1_000
"""Entries in a list, unless a limit is given."""

Encoding = Literal["text", "base64"]


class FsInput(BaseOperationInput):
    """Input of the AgenTool ``storage_fs``. Which fields an operation takes, and needs, is said by its handler."""

    operation: Literal["read", "write", "copy", "move", "delete", "list", "info", "make_folder"]
    path: str | None = Field(None, min_length=1, description="Below a declared root; '/' between names, no '..'")
    source: str | None = Field(None, min_length=1, description="For copy and move: the file or folder")
    destination: str | None = Field(
        None, min_length=1, description="For copy and move: what it is to be called, not the folder it is to be in"
    )
    content: str | None = Field(None, description="For write: text, or base64")
    encoding: Encoding | None = Field("text", description="'text' is UTF-8")
    mode: Literal["replace", "append"] | None = Field("replace", description="For write: the whole file, or more at its end")
    overwrite: bool | None = Field(None, description="Replace files that are there: by default copy does, and move does not")
    recursive: bool | None = Field(False, description="For delete and list: also what is in folders")
    pattern: str | None = Field("*", min_length=1, max_length=200, description="For list: '*.csv'; with a slash, about the path: 'a/*.csv'")
    limit: int | None = Field(PAGE, ge=1, le=MAX_PAGE_SIZE, description="For list: entries at most")


class WriteOptions(TypedDict, total=False):
    """What ``write`` takes besides path and content."""

    encoding: Encoding
    mode: Literal["replace", "append"]


class ListOptions(TypedDict, total=False):
    """What ``list`` takes besides the path."""

    pattern: str
    recursive: bool
    limit: int


class FileContent(BaseModel):
    """Answer to ``read``."""

    path: str
    content: str
    encoding: Encoding
    size: int = Field(description="Bytes")


class FileWritten(BaseModel):
    """Answer to ``write``."""

    path: str
    size: int = Field(description="Bytes written by this call")
    created: bool = Field(description="False where there was a file")


class FilesCopied(BaseModel):
    """Answer to ``copy`` and ``move``."""

    source: str
    destination: str
    kind: Kind
    entries: int = Field(description="Files and folders copied or moved; a folder that was moved counts as one")
    size: int = Field(description="Bytes copied, or of the file that was moved; a folder that is only renamed counts none")
    skipped: list[str] = Field(description="Links and special files that were left out; the first 20")
    skipped_count: int


class FilesDeleted(BaseModel):
    """Answer to ``delete``."""

    path: str
    entries: int = Field(description="Files and folders deleted")


class FileInfo(BaseModel):
    """Answer to ``info``, and an entry of ``list``."""

    path: str
    kind: Kind
    size: int | None = Field(description="Bytes of a file; None for others")
    modified_at: str | None = Field(description="ISO 8601, in UTC; None: before the year 1 or after 9999")


class FileList(BaseModel):
    """Answer to ``list``."""

    path: str
    entries: list[FileInfo]
    count: int
    more: bool = Field(description="There are further entries beyond the limit")


class FolderMade(BaseModel):
    """Answer to ``make_folder``."""

    path: str
    created: bool = Field(description="False if it was there")
