"""The operations of the AgenTool ``storage_fs``."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import TypeVar

from typing_extensions import Unpack

from agentool.context import RunContext
from agentool.errors import InvalidInput, Refusals
from agentool.operations import Handler
from agentool.references import has_references
from agentoolkit.storage.fs.errors import WrongKind
from agentoolkit.storage.fs.folder import Kind
from agentoolkit.storage.fs.folder_contents import Copying, FileEntry, Progress, matches
from agentoolkit.storage.fs.schemas import (
    PAGE,
    Encoding,
    FileContent,
    FileInfo,
    FileList,
    FilesCopied,
    FilesDeleted,
    FileWritten,
    FolderMade,
    FsInput,
    ListOptions,
    WriteOptions,
)
from agentoolkit.storage.fs.service import FileService

T = TypeVar("T")
Context = RunContext[FileService]


async def fs_read(ctx: Context, path: str, encoding: Encoding = "text") -> FileContent:
    """Read a file.

    Raises:
        PathNotAllowed, PathNotFound, WrongKind, FileTooLarge: See their descriptions.
    """
    location = ctx.deps.roots.locate(path)
    content = await asyncio.to_thread(ctx.deps.read, location)
    try:
        shown = base64.b64encode(content).decode() if encoding == "base64" else content.decode()
    except UnicodeDecodeError as error:
        raise WrongKind("It is not UTF-8 text.", field="path", value=path, remedy="Read it with encoding 'base64'.") from error
    return FileContent(path=location.path, content=shown, encoding=encoding, size=len(content))


async def fs_write(ctx: Context, path: str, content: str, **options: Unpack[WriteOptions]) -> FileWritten:
    """Write a file: all of it at once, so that nobody ever reads half of it, or at its end.

    Raises:
        PathNotAllowed, PathNotFound, WrongKind, FileTooLarge: Nothing was changed.
    """
    location = ctx.deps.roots.locate(path)
    encoding = options.get("encoding", "text")
    try:
        given = content.encode() if encoding == "text" else base64.b64decode("".join(content.split()), validate=True)
    except ValueError as error:  # a letter outside of ASCII is another one than a sign that base64 does not have
        kind = "UTF-8 text" if encoding == "text" else "base64"
        raise InvalidInput(f"It is not {kind}: {error}.", field="content", value=content, remedy="Correct it.") from error
    created = await asyncio.to_thread(ctx.deps.write, location, given, options.get("mode", "replace"))
    return FileWritten(path=location.path, size=len(given), created=created)


async def fs_copy(ctx: Context, source: str, destination: str, overwrite: bool = True) -> FilesCopied:
    """Copy a file, or a folder with all that is in it, into one that is there or is made. Links are left out.

    Raises:
        PathNotAllowed, PathNotFound, PathTaken, WrongKind, FileTooLarge: Files copied before that stay.
    """
    taken, put = ctx.deps.roots.locate(source), ctx.deps.roots.locate(destination)
    copying = Copying(ctx.deps.progress(), overwrite)
    kind: Kind = await _stoppable(copying.progress, lambda: ctx.deps.copy(taken, put, copying))
    return _copied(taken.path, put.path, kind, copying.progress)


async def fs_move(ctx: Context, source: str, destination: str, overwrite: bool = False) -> FilesCopied:
    """Move or rename a file or a folder.

    Raises:
        PathNotAllowed, PathNotFound, PathTaken, WrongKind: See their descriptions.
    """
    taken, put = ctx.deps.roots.locate(source), ctx.deps.roots.locate(destination)
    copying = Copying(ctx.deps.progress(), overwrite)
    kind: Kind = await _stoppable(copying.progress, lambda: ctx.deps.move(taken, put, copying))
    return _copied(taken.path, put.path, kind, copying.progress)


async def fs_delete(ctx: Context, path: str, recursive: bool = False) -> FilesDeleted:
    """Delete a file or an empty folder; with `recursive`, a folder with all that is in it.

    Raises:
        PathNotAllowed, PathNotFound, PathTaken: The folder is not empty, and so on.
    """
    location, progress = ctx.deps.roots.locate(path), ctx.deps.progress()
    await _stoppable(progress, lambda: ctx.deps.delete(location, progress, recursive))
    return FilesDeleted(path=location.path, entries=progress.entries)


async def fs_list(ctx: Context, path: str, **options: Unpack[ListOptions]) -> FileList:
    """List what is in a folder, by name.

    Raises:
        PathNotAllowed, PathNotFound, WrongKind: See their descriptions.
    """
    location, progress = ctx.deps.roots.locate(path), ctx.deps.progress()
    pattern, limit = options.get("pattern", "*"), options.get("limit", PAGE)

    def matching(found: FileEntry) -> bool:
        progress.add(entries=1)
        return matches(found, pattern)

    recursive = options.get("recursive", False)
    found = await _stoppable(progress, lambda: ctx.deps.found(location, matching, limit + 1, recursive))
    entries = [_info(entry) for entry in found[:limit]]
    return FileList(path=location.path, entries=entries, count=len(entries), more=len(found) > limit)


async def fs_info(ctx: Context, path: str) -> FileInfo:
    """Tell what is at a path. A link is told as one.

    Raises:
        PathNotAllowed, PathNotFound: See their descriptions.
    """
    return _info(await asyncio.to_thread(ctx.deps.info, ctx.deps.roots.locate(path)))


async def fs_make_folder(ctx: Context, path: str) -> FolderMade:
    """Make a folder, and those it is to be in. One that is there is left as it is.

    Raises:
        PathNotAllowed, WrongKind: See their descriptions.
    """
    location = ctx.deps.roots.locate(path)
    return FolderMade(path=location.path, created=await asyncio.to_thread(ctx.deps.make_folder, location))


HANDLERS: dict[str, Handler] = {
    "read": fs_read,
    "write": fs_write,
    "copy": fs_copy,
    "move": fs_move,
    "delete": fs_delete,
    "list": fs_list,
    "info": fs_info,
    "make_folder": fs_make_folder,
}


def check_paths(files: FileService, call: FsInput) -> None:
    """Refuse paths that are below no root, before anything is touched."""
    refusals = Refusals()
    for path in (call.path, call.source, call.destination):
        if path is not None and not has_references(path):
            with refusals.collect():
                files.roots.locate(path)
    refusals.raise_all()


async def _stoppable(progress: Progress, work: Callable[[], T]) -> T:
    """Do work in a thread, and let it end soon if nobody waits for it any more."""
    try:
        return await asyncio.to_thread(work)
    finally:
        progress.stop.set()


def _copied(source: str, destination: str, kind: Kind, progress: Progress) -> FilesCopied:
    return FilesCopied(
        source=source,
        destination=destination,
        kind=kind,
        entries=progress.entries,
        size=progress.bytes,
        skipped=progress.skipped,
        skipped_count=progress.skipped_count,
    )


def _info(found: FileEntry) -> FileInfo:
    size = found.status.st_size if found.kind == "file" else None
    modified_at = None
    with suppress(ValueError, OverflowError, OSError):  # a time that no calendar has
        modified_at = datetime.fromtimestamp(found.status.st_mtime, UTC).isoformat()
    return FileInfo(path=found.path, kind=found.kind, size=size, modified_at=modified_at)
