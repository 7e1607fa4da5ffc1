"""The AgenTool ``storage_fs``: what it does below its roots, and that nothing leads out of them."""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import threading
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentool import Injector, InvalidInput
from agentoolkit.settings import FileSettings
from agentoolkit.storage.fs import (
    FileChanged,
    FileTooLarge,
    PathNotAllowed,
    PathNotFound,
    PathTaken,
    WrongKind,
    create_storage_fs_agent,
    operations,
    rename_new,
)
from agentoolkit.storage.fs.allowed_paths import Roots
from agentoolkit.storage.fs.folder import Folder
from agentoolkit.storage.fs.folder_contents import Copying, FileEntry


class Asking:
    """Calls storage_fs with the roots /data and /backup, beside which there is a file nobody may touch."""

    def __init__(self, folder: Path, **limits: int) -> None:
        self.data, self.backup, self.outside = folder / "data", folder / "backup", folder / "outside"
        for made in (self.data, self.backup, self.outside):
            made.mkdir()
        self.secret = self.outside / "secret.txt"
        self.secret.write_text("secret")
        self.injector = Injector()
        self.agentool = create_storage_fs_agent(
            FileSettings(folders={"/data": self.data, "/backup": self.backup}, **limits), injector=self.injector
        )

    async def __call__(self, operation: str, **fields: Any) -> Any:
        return await self.injector.run("storage_fs", {"operation": operation, **fields})

    def check(self, operation: str, **fields: Any) -> None:
        self.agentool.check({"operation": operation, **fields})


@pytest.fixture
def ask(tmp_path: Path) -> Asking:
    return Asking(tmp_path)


@pytest.fixture
def ask_limited(tmp_path: Path) -> Asking:
    return Asking(tmp_path, size=10, tree_size=100, tree_entries=5)


def tree(folder: Path) -> dict[str, str]:
    """Return the files below a folder and what they hold."""
    return {path.relative_to(folder).as_posix(): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def make(folder: Path, **files: str) -> None:
    """Make files; a double underscore in a name is a slash."""
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


# Reading and writing


async def test_what_is_written_is_read(ask: Asking):
    """Text comes back as it was written, and the first time the file is new."""
    answers = [await ask("write", path="/data/a.txt", content="grüße\r\n") for _ in range(2)]
    assert [(answer.created, answer.size) for answer in answers] == [(True, 9), (False, 9)]
    assert (await ask("read", path="/data/a.txt")).content == "grüße\r\n"


async def test_bytes_go_as_base64(ask: Asking):
    """What is no text is written and read as base64."""
    content = base64.b64encode(b"\xff\x00").decode()
    await ask("write", path="/data/a", content=content, encoding="base64")
    assert (await ask("read", path="/data/a", encoding="base64")).content == content
    with pytest.raises(WrongKind, match="base64"):
        await ask("read", path="/data/a")


@pytest.mark.parametrize(("encoding", "content"), [("base64", "no base64!"), ("base64", "é"), ("base64", "abc"), ("text", "\ud800")])
async def test_content_that_is_not_what_it_is_said_to_be_is_refused(ask: Asking, encoding: str, content: str):
    """By its field, before anything is written."""
    with pytest.raises(InvalidInput) as refused:
        await ask("write", path="/data/a", content=content, encoding=encoding)
    assert (refused.value.field, tree(ask.data)) == ("content", {})


async def test_append_adds_at_the_end(ask: Asking):
    """Each append comes after what is there, and the first one makes the file."""
    for line in ("one\n", "two\n"):
        await ask("write", path="/data/log", content=line, mode="append")
    assert tree(ask.data) == {"log": "one\ntwo\n"}


async def test_a_write_that_fails_leaves_the_old_file(ask: Asking, monkeypatch: pytest.MonkeyPatch):
    """When the disk is full, the old content is still there, and nothing else."""
    make(ask.data, a="old")

    def fail(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        await ask("write", path="/data/a", content="new")
    assert tree(ask.data) == {"a": "old"}


async def test_a_reader_never_sees_half_of_a_file(ask: Asking):
    """While a file is replaced again and again, each reading is one of the versions, whole."""
    versions = {letter * 100_000 for letter in "ab"}
    make(ask.data, a="a" * 100_000)
    writes = [ask("write", path="/data/a", content=version) for version in versions for _ in range(10)]
    reads = [ask("read", path="/data/a") for _ in range(20)]
    answers = await asyncio.gather(*writes, *reads)
    assert {answer.content for answer in answers[20:]} <= versions


async def test_writing_keeps_a_files_mode(ask: Asking):
    """A script stays executable when it is replaced."""
    make(ask.data, script="old")
    (ask.data / "script").chmod(0o750)
    await ask("write", path="/data/script", content="new")
    assert (ask.data / "script").stat().st_mode & 0o777 == 0o750


@pytest.mark.parametrize("fields", [{"operation": "read"}, {"operation": "write", "content": "x"}])
async def test_a_folder_is_no_file(ask: Asking, fields: dict[str, str]):
    """A folder is neither read nor written."""
    (ask.data / "folder").mkdir()
    with pytest.raises(WrongKind):
        await ask(path="/data/folder", **fields)


async def test_a_missing_file_is_a_file_not_found_error(ask: Asking):
    """What is not there is told as Python tells it, with the path that was asked for and no path of the machine."""
    with pytest.raises(FileNotFoundError) as caught:
        await ask("read", path="/data/none/a.txt")
    assert "'/data/none/a.txt'" in str(caught.value)
    assert str(ask.data) not in str(caught.value)


async def test_a_root_whose_folder_is_gone_is_told(ask: Asking):
    """A root that is not mounted is not made, and is told as such."""
    ask.data.rmdir()
    with pytest.raises(PathNotFound, match="root does not exist"):
        await ask("write", path="/data/a", content="x")


# Copying, moving, deleting


async def test_a_file_is_copied_with_its_time_and_mode(ask: Asking):
    """A copy is the same in content, time of change and mode."""
    make(ask.data, a="text")
    os.utime(ask.data / "a", (1, 1))
    (ask.data / "a").chmod(0o640)
    answer = await ask("copy", source="/data/a", destination="/backup/b")
    status = (ask.backup / "b").stat()
    assert (tree(ask.backup), status.st_mtime, status.st_mode & 0o777) == ({"b": "text"}, 1, 0o640)
    assert (answer.kind, answer.entries, answer.size) == ("file", 1, 4)


async def test_a_folder_is_copied_into_what_is_there(ask: Asking):
    """All files arrive, those of the same name are replaced, and others stay."""
    make(ask.data, a="1", sub__deep__b="2")
    make(ask.backup, a="old", own="mine")
    await ask("copy", source="/data", destination="/backup")
    assert tree(ask.backup) == {"a": "1", "own": "mine", "sub/deep/b": "2"}


async def test_a_folder_is_copied_to_a_new_place(ask: Asking):
    """The folder to copy to is made, the folder it is to be in is not."""
    make(ask.data, sub__a="1")
    await ask("copy", source="/data/sub", destination="/backup/new")
    assert tree(ask.backup) == {"new/a": "1"}
    with pytest.raises(PathNotFound, match="'/backup/x/y'"):
        await ask("copy", source="/data/sub", destination="/backup/x/y")


async def test_copy_without_overwrite_keeps_what_is_there(ask: Asking):
    """A file that is there already is a PathTaken."""
    make(ask.data, a="new")
    make(ask.backup, a="old")
    with pytest.raises(FileExistsError):
        await ask("copy", source="/data/a", destination="/backup/a", overwrite=False)
    assert tree(ask.backup) == {"a": "old"}


async def test_links_and_special_files_are_left_out_and_told(ask: Asking):
    """A link and a named pipe in a folder are not copied, and the answer names them."""
    make(ask.data, a="1")
    (ask.data / "link").symlink_to(ask.secret)
    os.mkfifo(ask.data / "pipe")
    answer = await ask("copy", source="/data", destination="/backup")
    assert (tree(ask.backup), answer.skipped, answer.skipped_count) == ({"a": "1"}, ["link", "pipe"], 2)


@pytest.mark.parametrize("destination", ["/data/sub/inner", "/data/sub"])
async def test_a_folder_is_not_copied_or_moved_into_itself(ask: Asking, destination: str):
    """The source, and what is in it, is no destination."""
    make(ask.data, sub__a="1")
    for operation in ("copy", "move"):
        with pytest.raises(PathNotAllowed, match="in, or is"):
            await ask(operation, source="/data/sub", destination=destination)
    assert tree(ask.data) == {"sub/a": "1"}


async def test_roots_inside_each_other_are_known(tmp_path: Path):
    """That one root's folder is in the other's is seen by the folders, not by the names."""
    (tmp_path / "inner").mkdir()
    injector = Injector()
    create_storage_fs_agent({"/all": tmp_path, "/backup": tmp_path / "inner"}, injector=injector)
    with pytest.raises(PathNotAllowed):
        await injector.run("storage_fs", {"operation": "copy", "source": "/all", "destination": "/backup"})


async def test_a_file_for_a_folder_is_refused(ask: Asking):
    """A file is not copied onto a folder, nor a folder onto a file."""
    make(ask.data, file="1", folder__a="2")
    for source, destination in (("/data/file", "/data/folder"), ("/data/folder", "/data/file")):
        with pytest.raises(WrongKind):
            await ask("copy", source=source, destination=destination)
    assert tree(ask.data) == {"file": "1", "folder/a": "2"}


async def test_files_and_folders_are_moved(ask: Asking):
    """What was moved is there and not here, from root to root too."""
    make(ask.data, a="1", sub__b="2")
    await ask("move", source="/data/a", destination="/data/sub/a")
    answer = await ask("move", source="/data/sub", destination="/backup/sub")
    assert (tree(ask.data), tree(ask.backup), answer.kind) == ({}, {"sub/a": "1", "sub/b": "2"}, "folder")


@pytest.mark.parametrize(
    ("operation", "fields", "field"),
    [
        ("move", {"source": "/data/a", "destination": "/data/archive/"}, "destination"),
        ("copy", {"source": "/data/a", "destination": "/data/archive/"}, "destination"),
        ("write", {"path": "/data/archive/", "content": "x"}, "path"),
        ("read", {"path": "/data/a/"}, "path"),
    ],
)
async def test_a_path_with_a_slash_at_its_end_is_no_files(ask: Asking, operation: str, fields: dict[str, str], field: str):
    """A file that is put into a folder which is not there would take its name. A folder may have the slash."""
    await ask("write", path="/data/a", content="abc")
    with pytest.raises(WrongKind, match="ends with a slash") as refused:
        await ask(operation, **fields)
    assert refused.value.field == field
    await ask("make_folder", path="/data/sub/")
    await ask("move", source="/data/sub/", destination="/data/other/")
    assert [entry.path for entry in (await ask("list", path="/data/")).entries] == ["a", "other"]


async def test_a_move_tells_the_size_of_the_file(ask: Asking):
    """As a copy does."""
    await ask("write", path="/data/a", content="abcdefg")
    assert (await ask("move", source="/data/a", destination="/data/b")).size == 7


async def test_base64_may_be_in_lines(ask: Asking):
    """As programs and mails write it."""
    content = base64.encodebytes(bytes(range(256))).decode().replace("\n", "\r\n ")
    assert (await ask("write", path="/data/a", content=content, encoding="base64")).size == 256


async def test_move_replaces_only_when_told_and_only_a_file(ask: Asking):
    """By default what is there is kept; with overwrite a file gives way, a folder never."""
    make(ask.data, a="new", b="old", folder__c="3")
    with pytest.raises(PathTaken):
        await ask("move", source="/data/a", destination="/data/b")
    await ask("move", source="/data/a", destination="/data/b", overwrite=True)
    with pytest.raises(PathTaken):
        await ask("move", source="/data/b", destination="/data/folder", overwrite=True)
    assert tree(ask.data) == {"b": "new", "folder/c": "3"}


def two_disks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the system refuse to rename ``sub``, as from one disk to another."""
    rename = Folder.rename

    def refuse(folder: Folder, name: str, other: Folder, new_name: str, *, overwrite: bool = True) -> None:
        if name == "sub":
            raise OSError(18, "Invalid cross-device link")
        rename(folder, name, other, new_name, overwrite=overwrite)

    monkeypatch.setattr(Folder, "rename", refuse)


async def test_a_move_between_disks_copies_and_deletes(ask: Asking, monkeypatch: pytest.MonkeyPatch):
    """Where the system cannot rename, the files are copied and then deleted."""
    make(ask.data, sub__a="1")
    two_disks(monkeypatch)
    await ask("move", source="/data/sub", destination="/backup/sub")
    assert (tree(ask.data), tree(ask.backup)) == ({}, {"sub/a": "1"})


def append(path: Path) -> None:
    with path.open("a") as file:
        file.write("more")


MEANWHILE = {
    "appended": lambda sub: append(sub / "a"),
    "replaced": lambda sub: ((sub / "new").write_text("2"), (sub / "new").replace(sub / "a")),
    "rewritten in place": lambda sub: (sub / "a").write_text("2"),
    "new": lambda sub: (sub / "b").write_text("2"),
    "a new folder": lambda sub: (sub / "inner").mkdir(),
}
"""What somebody does at the source of a move, once it was copied."""


@pytest.mark.parametrize("happens", MEANWHILE)
async def test_a_move_between_disks_keeps_what_is_written_meanwhile(ask: Asking, monkeypatch: pytest.MonkeyPatch, happens: str):
    """What is written at the source after it was copied stays there, the copy too, and the move says so."""
    make(ask.data, sub__a="1")
    two_disks(monkeypatch)
    copy = Copying.folder

    def copy_then_write(*given: Any) -> None:
        copy(*given)
        MEANWHILE[happens](ask.data / "sub")

    monkeypatch.setattr(Copying, "folder", copy_then_write)
    with pytest.raises(FileChanged, match="written while it was moved"):
        await ask("move", source="/data/sub", destination="/backup/sub")
    left = {str(path.relative_to(ask.data)) for path in ask.data.rglob("*")}
    assert (left, tree(ask.backup)) == (
        {
            "appended": {"sub", "sub/a"},
            "replaced": {"sub", "sub/a"},
            "rewritten in place": {"sub", "sub/a"},
            "new": {"sub", "sub/b"},
            "a new folder": {"sub", "sub/inner"},
        }[happens],
        {"sub/a": "1"},
    )


async def test_a_folder_is_deleted_only_when_asked(ask: Asking):
    """A folder with something in it stays, unless recursive is set."""
    make(ask.data, sub__a="1", sub__deep__b="2")
    with pytest.raises(PathTaken, match="recursive"):
        await ask("delete", path="/data/sub")
    assert (await ask("delete", path="/data/sub", recursive=True)).entries == 4
    assert list(ask.data.iterdir()) == []


async def test_deleting_removes_a_link_not_what_it_leads_to(ask: Asking):
    """A link is deleted itself, alone or in a folder."""
    (ask.data / "sub").mkdir()
    for place in (ask.data / "link", ask.data / "sub" / "link"):
        place.symlink_to(ask.outside)
    await ask("delete", path="/data/link")
    await ask("delete", path="/data/sub", recursive=True)
    assert (list(ask.data.iterdir()), tree(ask.outside)) == ([], {"secret.txt": "secret"})


@pytest.mark.parametrize(
    "fields", [{"operation": "delete", "path": "/data"}, {"operation": "move", "source": "/data", "destination": "/backup/x"}]
)
async def test_a_root_is_neither_deleted_nor_moved(ask: Asking, fields: dict[str, str]):
    """A root itself stays."""
    with pytest.raises(PathNotAllowed, match="root"):
        await ask(**fields)


# Looking


async def test_list_is_in_order_with_kinds_and_sizes(ask: Asking):
    """Files, folders and links are told apart, by name."""
    make(ask.data, b="12", a__x="1")
    (ask.data / "link").symlink_to(ask.secret)
    entries = (await ask("list", path="/data")).entries
    assert [(entry.path, entry.kind, entry.size) for entry in entries] == [("a", "folder", None), ("b", "file", 2), ("link", "link", None)]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.csv", ["a.csv", "sub/b.csv"]),
        ("sub/*", ["sub/b.csv", "sub/c.txt"]),
        ("*", ["a.csv", "sub", "sub/b.csv", "sub/c.txt"]),
        ("[", []),
    ],
)
async def test_list_by_pattern(ask: Asking, pattern: str, expected: list[str]):
    """A pattern is about the name; one with a slash is about the path."""
    make(ask.data, **{"a.csv": "", "sub__b.csv": "", "sub__c.txt": ""})
    entries = (await ask("list", path="/data", pattern=pattern, recursive=True)).entries
    assert [entry.path for entry in entries] == expected


async def test_list_is_limited(ask: Asking):
    """Of more than the limit, the first are listed, and the answer says that there are more."""
    make(ask.data, a="", b="", c="")
    answers = [await ask("list", path="/data", limit=limit) for limit in (2, 3)]
    assert [(answer.count, answer.more) for answer in answers] == [(2, True), (3, False)]


async def test_info(ask: Asking):
    """A file's kind, size and time are told; what is not there is an error."""
    make(ask.data, a="123")
    os.utime(ask.data / "a", (0, 0))
    info = await ask("info", path="/data/a")
    assert (info.kind, info.size, info.modified_at) == ("file", 3, "1970-01-01T00:00:00+00:00")
    assert (await ask("info", path="/data")).kind == "folder"
    with pytest.raises(PathNotFound):
        await ask("info", path="/data/b")


async def test_make_folder_makes_those_above(ask: Asking):
    """All missing folders are made; a second time changes nothing; a file in the way is told."""
    made = [(await ask("make_folder", path="/data/a/b/c")).created for _ in range(2)]
    assert (made, (ask.data / "a/b/c").is_dir()) == ([True, False], True)
    make(ask.data, file="")
    with pytest.raises(WrongKind):
        await ask("make_folder", path="/data/file/x")


# Nothing leads out

OUTSIDE = [
    "/etc/passwd",
    "/data/../outside/secret.txt",
    "/data/sub/../../outside/secret.txt",
    "..",
    "data/a",
    "/database/a",
    "/data\0/a",
    "/",
    "//data/a",
    "~/a",
    "/data/" + "x/" * 2_100,
]


@pytest.mark.parametrize("path", OUTSIDE)
async def test_a_path_outside_of_the_roots_is_refused(ask: Asking, path: str):
    """By its text alone a path is refused, when it is scheduled and when it is used."""
    for refuse in (lambda: ask.check("read", path=path), lambda: ask.check("copy", source="/data/a", destination=path)):
        with pytest.raises(PermissionError):
            refuse()
    with pytest.raises(PathNotAllowed):
        await ask("read", path=path)


async def test_without_roots_everything_is_refused():
    """By default there are no roots, and the refusal names the setting."""
    injector = Injector()
    create_storage_fs_agent(injector=injector)
    with pytest.raises(PathNotAllowed, match="AGENTOOL_FILES"):
        await injector.run("storage_fs", {"operation": "list", "path": "/"})


def test_references_are_taken_on_trust_until_they_are_resolved(ask: Asking):
    """The precheck lets a reference pass; what it stands for is checked when it is used."""
    ask.check("read", path="!ref:config:path")


THROUGH_A_LINK: list[dict[str, Any]] = [
    {"operation": "read", "path": "/data/link/secret.txt"},
    {"operation": "read", "path": "/data/file_link"},
    {"operation": "write", "path": "/data/link/new.txt", "content": "x"},
    {"operation": "write", "path": "/data/file_link", "content": "x"},
    {"operation": "write", "path": "/data/file_link", "content": "x", "mode": "append"},
    {"operation": "copy", "source": "/data/link", "destination": "/backup/x"},
    {"operation": "copy", "source": "/data/file_link", "destination": "/backup/x"},
    {"operation": "copy", "source": "/data/a", "destination": "/data/link/x"},
    {"operation": "move", "source": "/data/link/secret.txt", "destination": "/data/x"},
    {"operation": "move", "source": "/data/a", "destination": "/data/link/x"},
    {"operation": "delete", "path": "/data/link/secret.txt"},
    {"operation": "list", "path": "/data/link"},
    {"operation": "info", "path": "/data/link/secret.txt"},
    {"operation": "make_folder", "path": "/data/link/new"},
]


@pytest.mark.parametrize("fields", THROUGH_A_LINK, ids=lambda fields: " ".join(map(str, fields.values())))
async def test_no_operation_goes_through_a_link(ask: Asking, fields: dict[str, Any]):
    """A link to a folder or to a file is not followed, wherever in the path it stands, and nothing outside changes."""
    make(ask.data, a="mine")
    (ask.data / "link").symlink_to(ask.outside)
    (ask.data / "file_link").symlink_to(ask.secret)
    with pytest.raises(PathNotAllowed, match="link"):
        await ask(**fields)
    assert tree(ask.outside) == {"secret.txt": "secret"}


async def test_a_folder_that_becomes_a_link_meanwhile_leads_nowhere(ask: Asking):
    """However often a folder is swapped for a link while it is read through, the file outside is never read."""
    make(ask.data, **{"sub__secret.txt": "mine"})
    done = threading.Event()

    def swap() -> None:
        while not done.is_set():
            (ask.data / "sub").rename(ask.data / "away")
            (ask.data / "sub").symlink_to(ask.outside)
            (ask.data / "sub").unlink()
            (ask.data / "away").rename(ask.data / "sub")

    swapping = threading.Thread(target=swap)
    swapping.start()
    try:
        answers = await asyncio.gather(*(ask("read", path="/data/sub/secret.txt") for _ in range(1_000)), return_exceptions=True)
    finally:
        done.set()
        swapping.join()
    assert {answer.content for answer in answers if not isinstance(answer, Exception)} <= {"mine"}
    assert {type(answer) for answer in answers if isinstance(answer, Exception)} <= {PathNotFound, PathNotAllowed, WrongKind}


async def test_special_files_are_not_opened(ask: Asking, monkeypatch: pytest.MonkeyPatch):
    """A named pipe, which would wait for its other end, and a socket are refused at once."""
    os.mkfifo(ask.data / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        monkeypatch.chdir(ask.data)  # a socket's path must be short
        listening.bind("socket")
        async with asyncio.timeout(5):
            for name in ("pipe", "socket"):
                for fields in (
                    {"operation": "read"},
                    {"operation": "write", "content": "x"},
                    {"operation": "write", "content": "x", "mode": "append"},
                ):
                    with pytest.raises(OSError, match=name):
                        await ask(path=f"/data/{name}", **fields)


@given(st.text(alphabet="/.a\\~ \0é", max_size=30))
def test_no_text_is_located_outside_of_its_root(path: str):
    """Whatever the text, it is refused, or what it leads to is below the root's folder."""
    try:
        location = Roots({"/data": "/srv/data"}).locate(path)
    except PathNotAllowed:
        return
    assert not set(location.parts) & {"..", ".", "/", ""}
    assert PurePosixPath("/srv/data").joinpath(*location.parts).is_relative_to("/srv/data")


# Limits


async def test_large_files_are_neither_read_nor_written(ask_limited: Asking):
    """Beyond the limit nothing is read, written or appended, and the setting is named."""
    make(ask_limited.data, large="x" * 11, small="x" * 10)
    calls: list[dict[str, Any]] = [
        {"operation": "read", "path": "/data/large"},
        {"operation": "write", "path": "/data/small", "content": "y" * 11},
        {"operation": "write", "path": "/data/small", "content": "y", "mode": "append"},
    ]
    for call in calls:
        with pytest.raises(FileTooLarge, match="files_size"):
            await ask_limited(**call)
    assert (await ask_limited("read", path="/data/small")).content == "x" * 10


@pytest.mark.parametrize("files", [{f"f{n}": "" for n in range(6)}, {"large": "x" * 101}])
async def test_large_trees_are_not_copied(ask_limited: Asking, files: dict[str, str]):
    """Too many files, or too many bytes, end a copy, and the settings are named."""
    make(ask_limited.data, **files)
    with pytest.raises(FileTooLarge, match="files_tree_size"):
        await ask_limited("copy", source="/data", destination="/backup")


async def test_deep_folders_are_refused(ask: Asking):
    """Folders nested beyond reason are refused, not a RecursionError."""
    folder = ask.data
    for _ in range(150):
        folder = folder / "d"
        folder.mkdir()
    with pytest.raises(WrongKind, match="deep"):
        await ask("copy", source="/data", destination="/backup")


async def test_a_cancelled_copy_ends(ask: Asking):
    """When nobody waits for a copy any more, its thread soon stops."""
    make(ask.data, **{f"f{n}": "x" for n in range(500)})
    copying = asyncio.ensure_future(ask("copy", source="/data", destination="/backup"))
    await asyncio.sleep(0)
    copying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await copying
    await asyncio.get_running_loop().shutdown_default_executor()
    assert len(tree(ask.backup)) < 500


@pytest.fixture
def odd(ask: Asking) -> Asking:
    """A folder with a file, and a folder with a link, whose names are no UTF-8."""
    try:
        (ask.data / os.fsdecode(b"\xff.txt")).write_text("odd")
        (ask.data / os.fsdecode(b"d\xfe")).mkdir()
    except OSError:
        pytest.skip("This file system takes UTF-8 only.")
    (ask.data / os.fsdecode(b"d\xfe") / os.fsdecode(b"l\xfd")).symlink_to("/")
    return ask


async def test_a_name_that_is_no_text_is_listed_by_its_bytes(odd: Asking):
    """It is shown with escapes, so that the list can be written down like any other, and the others are listed too."""
    (odd.data / "z").touch()
    answer = await odd("list", path="/data", recursive=True)
    assert [entry.path for entry in answer.entries] == ["d\\xfe", "d\\xfe/l\\xfd", "z", "\\xff.txt"]
    answer.model_dump_json().encode()


async def test_a_name_that_is_no_text_is_copied_as_it_is(odd: Asking):
    """The copy has the very name; what is left out is named with escapes."""
    answer = await odd("copy", source="/data", destination="/backup/copy")
    assert b"\xff.txt" in os.listdir(os.fsencode(odd.backup / "copy"))
    assert answer.skipped == ["d\\xfe/l\\xfd"]


async def test_an_error_about_a_name_that_is_no_text_is_text(odd: Asking):
    """What cannot be replaced is named with escapes."""
    (odd.backup / os.fsdecode(b"\xff.txt")).mkdir(parents=True)
    with pytest.raises(WrongKind) as refused:
        await odd("copy", source="/data", destination="/backup")
    str(refused.value).encode()


# At the same time

ROUNDS = 200 if os.environ.get("AGENTOOL_FULL") else 20
"""Of ten calls each."""


async def settled(calls: list[Any]) -> list[Any]:
    return await asyncio.gather(*calls, return_exceptions=True)


async def test_concurrent_moves_destroy_no_content(ask: Asking):
    """Of many that move to one free name one succeeds, and the others keep their files."""
    for round_ in range(ROUNDS):
        for number in range(10):
            (ask.data / f"{round_}-{number}").write_text(f"{round_}-{number}")
        moves = [ask("move", source=f"/data/{round_}-{number}", destination=f"/backup/{round_}") for number in range(10)]
        answers = await settled(moves)
        assert sorted(type(answer).__name__ for answer in answers) == ["FilesCopied", *["PathTaken"] * 9]
    left = {path.read_text() for folder in (ask.data, ask.backup) for path in folder.iterdir()}
    assert len(left) == 10 * ROUNDS


async def test_concurrent_copies_destroy_no_content(ask: Asking):
    """Without overwrite, of many that copy to one free name one succeeds and is what stays."""
    for number in range(10):
        (ask.data / str(number)).write_text(str(number) * 300_000)
    for round_ in range(ROUNDS // 20):
        copies = [ask("copy", source=f"/data/{number}", destination=f"/backup/{round_}", overwrite=False) for number in range(10)]
        answers = await settled(copies)
        (winner,) = [number for number, answer in enumerate(answers) if not isinstance(answer, Exception)]
        assert {type(answer) for answer in answers if isinstance(answer, Exception)} == {PathTaken}
        assert ((ask.backup / str(round_)).read_text()[0], len(list(ask.backup.iterdir()))) == (str(winner), round_ + 1)


async def test_a_long_copy_replaces_nothing_that_was_written_meanwhile(ask: Asking):
    """What came to the free name during the copy stays."""
    (ask.data / "long").write_bytes(b"x" * 50_000_000)
    copying = asyncio.ensure_future(ask("copy", source="/data/long", destination="/backup/y", overwrite=False))
    while not list(ask.backup.iterdir()) and not copying.done():  # noqa: ASYNC110  the copy runs in a thread
        await asyncio.sleep(0)
    (ask.backup / "y").write_text("mine")
    with pytest.raises(PathTaken, match="is there"):
        await copying
    assert [path.read_text() for path in ask.backup.iterdir()] == ["mine"]


async def test_folders_moved_at_once_to_one_name_stay_whole(ask: Asking):
    """One of the folders gets the name, the other stays where it is."""
    for name in "ab":
        (ask.data / name).mkdir()
    answers = await settled([ask("move", source=f"/data/{name}", destination="/backup/f") for name in "ab"])
    assert sorted(isinstance(answer, PathTaken) for answer in answers) == [False, True]


async def test_a_folder_is_made_by_many_at_once(ask: Asking):
    """All of them succeed, and one of them made it, its parents too."""
    for round_ in range(20):
        answers = await settled([ask("make_folder", path=f"/data/{round_}/b/c") for _ in range(8)])
        assert sorted(answer.created for answer in answers) == [False] * 7 + [True], answers


async def test_a_name_is_claimed_where_the_system_cannot_do_it_in_one_step(ask: Asking, monkeypatch: pytest.MonkeyPatch):
    """On other file systems a move to a free name works too, for files and folders, and refuses a taken one."""
    monkeypatch.setattr(rename_new, "_system_call", lambda: None)
    (ask.data / "f").write_text("f")
    (ask.data / "g").write_text("g")
    (ask.data / "d").mkdir()
    (ask.data / "d" / "in").write_text("in")
    await ask("move", source="/data/f", destination="/backup/f")
    await ask("move", source="/data/d", destination="/backup/d")
    assert ((ask.backup / "f").read_text(), (ask.backup / "d" / "in").read_text()) == ("f", "in")
    with pytest.raises(FileExistsError), Folder.at(ask.data) as here, Folder.at(ask.backup) as there:
        here.rename("g", there, "f", overwrite=False)
    assert (ask.data / "g").read_text() == "g"


@pytest.mark.parametrize("seconds", [-70_000_000_000.0, 1e15])
def test_a_time_that_no_calendar_has_breaks_no_list(seconds: float):
    """A file of the year -249, or of one after 9999, is told without a time: some disks hold such times."""
    status = os.stat_result((0, 0, 0, 0, 0, 0, 0, seconds, seconds, seconds))
    assert operations._info(FileEntry("old", "file", status)).modified_at is None
