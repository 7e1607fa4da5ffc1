"""The AgenTool ``logging``: what is let through, remembered, written and left out."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agentool import Injector, InvalidInput
from agentoolkit.system.logging import LogService, LogSettings, create_logging_agent, writing
from agentoolkit.testing import ManualTime

START = "2030-01-01T00:00:00+00:00"


class Asking:
    def __init__(self, **settings: Any) -> None:
        self.clock = ManualTime(START)
        self.service = LogService(LogSettings(**{"console": False, **settings}), self.clock)
        self.injector = Injector()
        create_logging_agent(self.service, injector=self.injector)

    async def __call__(self, operation: str, **fields: Any) -> Any:
        return await self.injector.run("logging", {"operation": operation, **fields})

    async def log(self, message: str, level: str = "INFO", **fields: Any) -> bool:
        return (await self("log", level=level, message=message, **fields)).logged

    async def messages(self, **wanted: Any) -> list[str]:
        return [record.message for record in (await self("read", **wanted)).records]


@pytest.fixture
async def ask() -> AsyncIterator[Asking]:
    ask = Asking()
    yield ask
    await ask.service.close()


@pytest.fixture
async def ask_file(tmp_path: Path) -> AsyncIterator[Asking]:
    ask = Asking(file=tmp_path / "logs" / "a.log", file_size=1_000, files=2)
    yield ask
    await ask.service.close()


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


async def test_a_record_is_as_it_was_logged(ask: Asking):
    """Time, level, logger, message and data are remembered."""
    await ask.log("sent", "WARNING", data={"report": 7}, logger_name="reports.daily")
    (record,) = (await ask("read")).records
    expected = {"time": START, "level": "WARNING", "logger_name": "reports.daily", "message": "sent", "data": {"report": 7}}
    assert record.model_dump() == expected


async def test_levels_let_through_what_is_at_or_above_them(ask: Asking):
    """By default DEBUG is not logged, INFO is, and the answer says so."""
    assert [await ask.log(level, level) for level in ("DEBUG", "INFO", "CRITICAL")] == [False, True, True]
    assert await ask.messages() == ["INFO", "CRITICAL"]


async def test_a_logger_has_the_level_of_the_nearest_above_it(ask: Asking):
    """A level holds for a logger and for those below it, and one set further down counts more."""
    await ask("set_level", level="ERROR", logger_name="reports")
    await ask("set_level", level="DEBUG", logger_name="reports.daily")
    names = ["reports", "reports.weekly", "reports.daily.one", "reportsx"]
    assert [await ask.log("x", "INFO", logger_name=name) for name in names] == [False, False, True, True]


async def test_the_level_of_all_loggers(ask: Asking):
    """Without a name the level is that of all loggers that have none of their own."""
    await ask("set_level", level="ERROR")
    assert [await ask.log("x", level) for level in ("WARNING", "ERROR")] == [False, True]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"level": "ERROR"}, ["Disk full"]),
        ({"logger_name": "a"}, ["started", "Disk full"]),
        ({"text": "DISK"}, ["Disk full"]),
        ({"text": "sda"}, ["Disk full"]),
        ({"limit": 2}, ["Disk full", "ended"]),
        ({"logger_name": "a", "limit": 1}, ["Disk full"]),
    ],
)
@pytest.mark.parametrize("source", ["memory", "file"])
async def test_read_by_level_logger_and_text(ask_file: Asking, wanted: dict[str, Any], expected: list[str], source: str):
    """Memory and file answer alike: the last records that fit, the oldest first."""
    await ask_file.log("started", logger_name="a")
    await ask_file.log("Disk full", "ERROR", logger_name="a.b", data={"disk": "sda"})
    await ask_file.log("ended", logger_name="ab")
    assert await ask_file.messages(source=source, **wanted) == expected


async def test_memory_holds_the_last_records():
    """Of more records than are remembered, the last are."""
    ask = Asking(memory=2)
    for n in range(4):
        await ask.log(str(n))
    assert await ask.messages() == ["2", "3"]


async def test_a_file_has_a_json_object_a_line(ask_file: Asking, tmp_path: Path):
    """Everything is in the file once the log is closed, a message of two lines in one."""
    await ask_file.log("one\ntwo", data={"ü": [1]})
    await ask_file.service.close()
    (line,) = lines(tmp_path / "logs/a.log")
    assert (line["message"], line["data"]) == ("one\ntwo", {"ü": [1]})


async def test_files_rotate_and_the_oldest_go(ask_file: Asking, tmp_path: Path):
    """No file grows beyond its size, so many old ones are kept, and reading goes through all of them."""
    for n in range(60):
        await ask_file.log(str(n))
    found = await ask_file.messages(source="file", limit=1_000)
    files = sorted((tmp_path / "logs").iterdir())
    assert [file.name for file in files] == ["a.log", "a.log.1", "a.log.2"]
    assert max(file.stat().st_size for file in files) <= 1_000
    assert found == [str(n) for n in range(60 - len(found), 60)]
    assert len(found) > 10


async def test_what_is_no_record_in_the_file_is_left_out(ask_file: Asking, tmp_path: Path):
    """Lines that somebody else wrote do no harm."""
    (tmp_path / "logs/a.log").write_text('garbage\n{"level": "INFO"}\n[1]\n\xff\n')
    await ask_file.log("mine")
    assert await ask_file.messages(source="file") == ["mine"]


async def test_reading_a_file_that_is_not_written_is_refused(ask: Asking):
    """Without a file, the refusal names the setting."""
    with pytest.raises(InvalidInput, match="log_file"):
        await ask("read", source="file")


async def test_logging_goes_on_after_close(ask_file: Asking, tmp_path: Path):
    """A record after `close` begins anew, at the end of the same file."""
    for n in range(2):
        await ask_file.log(str(n))
        await ask_file.service.close()
    assert [line["message"] for line in lines(tmp_path / "logs/a.log")] == ["0", "1"]


async def test_closing_leaves_no_thread(ask_file: Asking):
    """The thread starts with the first record that is written, and ends with `close`."""
    before = set(threading.enumerate())
    await ask_file.log("x")
    during = set(threading.enumerate()) - before
    await asyncio.to_thread(ask_file.service._output.close)
    left = {thread for thread in set(threading.enumerate()) - before if "asyncio" not in thread.name}
    assert (len(during), left) == (1, set())


async def test_a_slow_disk_does_not_hold_up_who_logs(ask_file: Asking, monkeypatch: pytest.MonkeyPatch):
    """While nothing can be written, records are remembered, those beyond the queue are counted, and memory is bounded."""
    may_write = threading.Event()
    monkeypatch.setattr(writing, "MAX_WAITING", 5)
    monkeypatch.setattr(ask_file.service._output._handlers[0], "handle", lambda record: may_write.wait(10))
    for n in range(20):
        await ask_file.log(str(n))
    answer = await ask_file("read")
    may_write.set()
    assert (answer.count, 14 <= answer.dropped <= 15) == (20, True)


@pytest.mark.parametrize("form", ["text", "json"])
async def test_the_console_has_one_line_a_record(capsys: pytest.CaptureFixture[str], form: str):
    """On standard error each record is one line, in either form, and a line break in it cannot forge another."""
    ask = Asking(console=True, format=form)
    await ask.log("one\n2030 ERROR forged", data={"a": 1})
    await ask.service.close()
    (line,) = capsys.readouterr().err.splitlines()
    expected = {"text": 'one\\n2030 ERROR forged {"a": 1}', "json": '"message": "one\\n2030 ERROR forged"'}
    assert expected[form] in line


async def test_secrets_are_neither_remembered_nor_written(ask_file: Asking, tmp_path: Path):
    """A secret by its name, within the message or in a URL is nowhere to be found."""
    data = {"user": {"apiKey": "s1", "name": "n"}, "list": [{"password": "s2"}], "url": "postgresql://u:s3@host/db"}
    await ask_file.log('login with token=s4 and Authorization: Bearer s5, "password": "s6"', data=data)
    await ask_file.service.close()
    written = (tmp_path / "logs/a.log").read_text()
    remembered = (await ask_file("read")).model_dump_json()
    assert not [secret for secret in ("s1", "s2", "s3", "s4", "s5", "s6") if secret in written + remembered]
    assert '"name":"n"' in remembered


ORDERS = "\x1b]0;x\x07\x0b\x0c\x1c\x85\x9b2J\u2028\u2029\n"


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("field", ["message", "logger_name", "data"])
async def test_nothing_in_a_record_begins_another_line(capsys: pytest.CaptureFixture[str], form: str, field: str):
    """Neither message, logger nor data can forge a record, or give orders to the terminal; a file is as safe."""
    ask = Asking(console=True, format=form)
    hostile = f"a{ORDERS}2030 ERROR forged"
    await ask.log(**{"message": "x", field: {hostile: hostile} if field == "data" else hostile})
    await ask.service.close()
    assert capsys.readouterr().err.removesuffix("\n").isprintable()
