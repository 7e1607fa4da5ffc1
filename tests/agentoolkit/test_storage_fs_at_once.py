"""Siblings of the fault that check and act were two steps: many calls of storage_fs at the same time."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from agentool import Injector
from agentoolkit.settings import FileSettings
from agentoolkit.storage.fs import create_storage_fs_agent
from agentoolkit.storage.fs.folder import Folder

MANY = 10


class Files:
    """Calls storage_fs with the root /data."""

    def __init__(self, folder: Path) -> None:
        self.data = folder
        self._injector = Injector()
        create_storage_fs_agent(FileSettings(folders={"/data": folder}), injector=self._injector)

    async def at_once(self, *calls: dict[str, Any]) -> list[Any]:
        """Make calls at the same time, and return what each answered or raised."""
        return await asyncio.gather(*(self._injector.run("storage_fs", call) for call in calls), return_exceptions=True)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def done(answers: list[Any]) -> int:
    return sum(not isinstance(answer, BaseException) for answer in answers)


async def test_one_file_that_many_move_away_is_in_one_place(files: Files):
    """Of many that move one file to names of their own, one has it; it is nowhere twice and never gone."""
    for round_ in range(20):
        (files.data / "one").write_text(str(round_))
        moves = [{"operation": "move", "source": "/data/one", "destination": f"/data/{round_}-{place}"} for place in range(MANY)]
        answers = await files.at_once(*moves)
        assert (done(answers), [path.read_text() for path in files.data.iterdir()]) == (1, [str(round_)])
        next(files.data.iterdir()).unlink()


async def test_copies_and_moves_to_one_free_name_destroy_nothing(files: Files):
    """Of copies and moves to one name one succeeds, and every content is still somewhere."""
    for round_ in range(20):
        for number in range(MANY):
            (files.data / f"{round_}-{number}").write_text(f"{round_}-{number}")
        calls = [
            {
                "operation": "copy" if number % 2 else "move",
                "source": f"/data/{round_}-{number}",
                "destination": f"/data/to{round_}",
                "overwrite": False,
            }
            for number in range(MANY)
        ]
        assert done(await files.at_once(*calls)) == 1
    assert {path.read_text() for path in files.data.iterdir()} == {f"{round_}-{number}" for round_ in range(20) for number in range(MANY)}


async def test_lines_that_many_append_are_all_there(files: Files):
    """Each of many that append to a file that was not there adds its line, whole, and one of them made the file."""
    calls = [{"operation": "write", "path": "/data/log", "content": f"{number} " * 500 + "\n", "mode": "append"} for number in range(50)]
    answers = await files.at_once(*calls)
    lines = (files.data / "log").read_text().splitlines()
    assert sorted(lines) == sorted(f"{number} " * 500 for number in range(50))
    assert sum(answer.created for answer in answers) == 1


async def test_a_file_that_many_replace_is_one_of_theirs_whole(files: Files):
    """Whoever reads meanwhile, or afterwards, sees one content from its beginning to its end."""
    contents = [str(number) * 200_000 for number in range(MANY)]
    (files.data / "file").write_text(contents[0])
    writes = [{"operation": "write", "path": "/data/file", "content": content} for content in contents]
    answers = await files.at_once(*(call for write in writes for call in (write, {"operation": "read", "path": "/data/file"})))
    assert {answer.content for answer in answers[1::2]} <= set(contents)
    assert ((files.data / "file").read_text() in contents, done(answers)) == (True, 2 * MANY)


@pytest.mark.parametrize("kind", ["folder", "file"])
@pytest.mark.parametrize("operation", ["list", "copy", "delete"])
async def test_what_goes_away_meanwhile_ends_nothing(files: Files, monkeypatch: pytest.MonkeyPatch, operation: str, kind: str):
    """Between the look at a name and its use somebody else deletes it: the others are listed, copied, deleted."""
    for name in ("a", "b", "c"):
        (files.data / "from" / name).mkdir(parents=True)
        (files.data / "from" / name / "file").write_text("x")
    gone, status = files.data / "from" / "b" / ("" if kind == "folder" else "file"), Folder.status

    def look_and_lose(self: Folder, name: str | None = None) -> os.stat_result:
        found = status(self, name)
        if name == gone.name and gone.exists() and found.st_ino == gone.stat().st_ino:
            shutil.rmtree(gone) if kind == "folder" else gone.unlink()
        return found

    monkeypatch.setattr(Folder, "status", look_and_lose)
    places = {"source": "/data/from", "destination": "/data/to"} if operation == "copy" else {"path": "/data/from", "recursive": True}
    (answer,) = await files.at_once({"operation": operation, **places})
    monkeypatch.undo()
    left = sorted(path.name for path in (files.data / "to").glob("*/file")) if operation == "copy" else []
    assert not isinstance(answer, BaseException)
    assert gone.exists() is False
    if operation == "list":
        assert {"a/file", "c/file"} <= {entry.path for entry in answer.entries}
    elif operation == "copy":
        assert len(left) == 2
    else:
        assert not (files.data / "from").exists()
