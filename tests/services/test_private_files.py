"""A database file is its owner's alone also where nothing can be said, or done, about the folder it is in."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from agentoolkit.database import private
from agentoolkit.database.private import make_private


@pytest.fixture(autouse=True)
def readable_to_all():
    """What is made here without a mode is readable to all, as it commonly is."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def made(path: Path) -> int:
    """The permissions of a file, made as a database is."""
    make_private(path)
    return path.stat().st_mode & 0o777


def test_a_file_is_private_where_nobody_has_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A container's user of whom the system knows nothing, and no `HOME`, keep no file from being made its owner's alone."""

    def unknown(uid: int) -> pwd.struct_passwd:
        raise KeyError(uid)

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert made(tmp_path / "new" / "agentool.db") == 0o600


def test_a_file_that_others_could_read_is_taken_from_them_where_nobody_has_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """One that is there already is repaired without a home, too."""

    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(private, "own_folder", homeless)
    path = tmp_path / "agentool.db"
    path.touch(0o644)
    assert made(path) == 0o600


def test_a_file_is_private_in_a_folder_whose_mode_cannot_be_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Our own folder on a file system that refuses a change of its mode keeps no file from being made private."""

    def refuse(path: object, mode: int) -> None:
        raise PermissionError(path)

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(os, "chmod", refuse)
    folder = tmp_path / ".agentool"
    folder.mkdir(0o755)
    assert made(folder / "agentool.db") == 0o600
