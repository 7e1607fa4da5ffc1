"""Makes the AgenTool ``storage_fs``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from agentool.agentool import AgenTool, create_agentool
from agentool.core.injector import Injector, get_injector
from agentoolkit.settings import FileSettings
from agentoolkit.storage.fs.operations import HANDLERS, check_paths
from agentoolkit.storage.fs.schemas import FsInput
from agentoolkit.storage.fs.service import FileService

NAME = "storage_fs"

DESCRIPTION = """\
Reads, writes, copies, moves, deletes and lists files, only below folders that the application declares. Links are not
followed."""


def create_storage_fs_agent(
    settings: FileSettings | Mapping[str, Path | str] | None = None, *, injector: Injector | None = None
) -> AgenTool[FileService]:
    """Create the AgenTool ``storage_fs`` and register it, or return the registered one.

    Args:
        settings: Folders by what paths into them begin with, by default none, and every path is refused; and what one call
            may take. A mapping alone, as ``{"/data": "/srv/data"}``, is the folders.
        injector: Where to register; the current one by default.
    """
    injector = injector or get_injector()
    if NAME in injector and settings is None:
        return injector.get(NAME)
    if not isinstance(settings, FileSettings):
        settings = FileSettings(folders={root: Path(folder) for root, folder in (settings or {}).items()})
    service = FileService(settings)
    return create_agentool(
        NAME, FsInput, HANDLERS, deps=service, description=DESCRIPTION, precheck=check_paths, examples=EXAMPLES, injector=injector
    )


EXAMPLES = (
    {"operation": "copy", "source": "/data", "destination": "/backup"},
    {"operation": "write", "path": "/data/notes.txt", "content": "One line\n", "mode": "append"},
    {"operation": "list", "path": "/data", "pattern": "*.csv", "recursive": True},
)
