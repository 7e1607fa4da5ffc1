"""The folder of this package in a user's home."""

from __future__ import annotations

from pathlib import Path

OWN_FOLDER = "~/.agentool"


def own_folder() -> Path:
    """Return its path. Raises `RuntimeError` if the home folder is unknown."""
    return Path(OWN_FOLDER).expanduser()
