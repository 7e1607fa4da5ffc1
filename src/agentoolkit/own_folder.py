"""The folder in a user's home that is ours alone."""

from __future__ import annotations

from pathlib import Path

OWN_FOLDER = "~/.agentool"


def own_folder() -> Path:
    """Return where it is. Raises `RuntimeError` if it is not known whose home that would be."""
    return Path(OWN_FOLDER).expanduser()
