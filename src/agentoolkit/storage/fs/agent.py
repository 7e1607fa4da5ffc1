"""Makes the AgenTool ``storage_fs``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from agentool.agentool import AgenTool, create_agentool
from agentool.core.injector import Injector, get_injector
from agentoolkit.storage.fs.operations import HANDLERS, check_paths
from agentoolkit.storage.fs.schemas import FsInput
from agentoolkit.storage.fs.service import FileLimits, FileService

NAME = "storage_fs"

DESCRIPTION = """\
Reads, writes, copies, moves, deletes and lists files, only below folders that the application declares. Links are not
followed."""


def create_storage_fs_agent(
    folders: Mapping[str, Path | str] | None = None, limits: FileLimits | None = None, *, injector: Injector | None = None
) -> AgenTool[FileService]:
    """Make the AgenTool ``storage_fs`` and register it; where there is one already, return that.

    Args:
        folders: Folders by what paths into them begin with, as ``{"/data": "/srv/data"}``; by default none, and every
            path is refused.
        limits: What one call may take.
        injector: Where to register; the current one by default.
    """
    injector = injector or get_injector()
    if NAME in injector and folders is None and limits is None:
        return injector.get(NAME)
    service = FileService(folders or {}, limits)
    return create_agentool(
        NAME, FsInput, HANDLERS, deps=service, description=DESCRIPTION, precheck=check_paths, examples=EXAMPLES, injector=injector
    )


EXAMPLES = (
    {"operation": "copy", "source": "/data", "destination": "/backup"},
    {"operation": "write", "path": "/data/notes.txt", "content": "One line\n", "mode": "append"},
    {"operation": "list", "path": "/data", "pattern": "*.csv", "recursive": True},
)
