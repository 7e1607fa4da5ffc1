"""The allowed roots: folders by the beginning of their paths."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from agentool.errors import ConfigurationError, excerpt
from agentoolkit.storage.fs.errors import SETTING, PathNotAllowed, PathNotFound, explained
from agentoolkit.storage.fs.folder import SUPPORTED, Folder

MAX_PATH_LENGTH = 4_000
DEEPEST = 100
"""Folders below each other."""


@dataclass(frozen=True, slots=True)
class Location:
    """A place below a root."""

    path: str
    """The caller's path, normalised."""
    folder: Path
    """The root's."""
    parts: tuple[str, ...]
    """Names from the root down; none for the root itself."""
    is_folder: bool = False
    """Whether the path ends with a slash, so that no file can be meant."""

    @property
    def name(self) -> str:
        return self.parts[-1]

    @contextmanager
    def opened(self) -> Generator[Folder]:
        """Open the folder at this path."""
        with ExitStack() as stack:
            yield self._descended(stack, self.parts)

    @contextmanager
    def parent(self) -> Generator[Folder]:
        """Open the parent folder. Raises `PathNotAllowed` for a root, which cannot be changed itself."""
        if not self.parts:
            raise PathNotAllowed("It is a root.", field="path", value=self.path, remedy="Name something below it.")
        with ExitStack() as stack:
            yield self._descended(stack, self.parts[:-1])

    def real(self) -> Path:
        """Return where this is on the disk."""
        return self.folder.resolve().joinpath(*self.parts)

    def _descended(self, stack: ExitStack, parts: tuple[str, ...]) -> Folder:
        try:
            folder = stack.enter_context(Folder.at(self.folder))
        except OSError as error:
            raise PathNotFound("The folder of its root does not exist.", field="path", value=self.path, remedy="Make it.") from error
        try:
            for part in parts:
                folder = stack.enter_context(folder.child(part))
        except OSError as error:
            raise explained(error, self.path) from error
        return folder


class Roots:
    """Finds the root of a path.

    Args:
        folders: Folders by what paths begin with, as ``{"/data": "/srv/data"}``. The longest beginning that fits counts.

    Raises:
        ConfigurationError: The system cannot look up names without following links.
    """

    def __init__(self, folders: Mapping[str, Path | str]) -> None:
        if folders and not SUPPORTED:
            raise ConfigurationError("This system cannot keep paths from leading through links, so it has no storage_fs.")
        found = {PurePosixPath(prefix).parts: Path(folder).expanduser() for prefix, folder in folders.items()}
        self._roots = dict(sorted(found.items(), key=lambda root: -len(root[0])))

    def locate(self, path: str) -> Location:
        """Find the root of a path, by its text alone.

        Raises:
            PathNotAllowed: It is below no root, goes up by ``..``, or is not a path.
        """
        parts = PurePosixPath(path).parts
        if "\0" in path or len(path) > MAX_PATH_LENGTH or len(parts) > DEEPEST or ".." in parts:
            raise PathNotAllowed(f"{excerpt(path)} is not a path.", field="path", value=path, remedy="Write it out, without '..'.")
        for prefix, folder in self._roots.items():
            if parts[: len(prefix)] == prefix:
                return Location(str(PurePosixPath(*parts)), folder, parts[len(prefix) :], path.endswith("/"))
        roots = ", ".join(sorted(str(PurePosixPath(*prefix)) for prefix in self._roots)) or "the roots, as there are none"
        raise PathNotAllowed(f"{excerpt(path)} is below none of {roots}.", field="path", value=path, remedy=f"Change {SETTING}.")
