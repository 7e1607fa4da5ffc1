"""The AgenTool ``logging``: what is let through, remembered, written and left out."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agentool import ConfigurationError, Injector, InvalidInput
from agentoolkit.settings import LogSettings, Settings
from agentoolkit.system.logging import LogService, create_logging_agent, service, writing
from agentoolkit.system.logging.records import LogRecord, RecordFilter
from agentoolkit.testing import ManualTime, toolkit
from agentoolkit.wiring import Toolkit

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


# Searching


@pytest.mark.parametrize("source", ["memory", "file"])
@pytest.mark.parametrize("text", ["müller", 'say "hi"', "c:\\temp", "日本", "1.5"])
async def test_text_is_found_as_it_was_logged(ask_file: Asking, source: str, text: str):
    """Letters of all alphabets, quotes and backslashes are found, in the message and in the data."""
    await ask_file.log("other")
    await ask_file.log(f"it is {text.upper()} there")
    await ask_file.log("data", data={"a": [{"b": f"x{text}"}]})
    found = await ask_file.messages(source=source, text=text)
    assert found == [f"it is {text.upper()} there", "data"]


@pytest.mark.parametrize("source", ["memory", "file"])
async def test_keys_and_values_that_json_does_not_have_are_logged_as_text(ask_file: Asking, source: str):
    """A key that is no text, a set, an object, and lists without bottom, fail neither the record nor a later read."""
    endless: list[Any] = []
    endless.append(endless)
    ask_file.service.log("INFO", "a", "odd", {1: {("b", 2): {3}}, "path": Path("c"), "endless": endless})
    await ask_file.log("plain")
    assert await ask_file.messages(source=source) == ["odd", "plain"]


@pytest.mark.parametrize(
    "line",
    [
        '{"time": "t", "level": "weird", "logger_name": "a", "message": "m", "data": {}}',
        '{"time": "t", "level": "INFO", "logger_name": "a", "message": 7, "data": {}}',
        '{"time": "t", "level": "INFO", "logger_name": "a", "message": "m", "data": [1]}',
    ],
)
async def test_an_odd_line_of_the_file_costs_one_line(ask_file: Asking, tmp_path: Path, line: str):
    """A line with a level or fields of another kind is left out, and the others are read."""
    (tmp_path / "logs/a.log").write_text(f"{line}\n")
    await ask_file.log("mine")
    assert await ask_file.messages(source="file", level="INFO", text="m") == ["mine"]


# Files


async def test_a_file_in_the_home_folder_is_written_and_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """`~` means the same when the log is written and when it is read."""
    monkeypatch.setenv("HOME", str(tmp_path))
    ask = Asking(file=Path("~/l.log"))
    await ask.log("kept")
    assert await ask.messages(source="file") == ["kept"]
    await ask.service.close()


def test_a_file_that_cannot_be_written_is_refused(tmp_path: Path):
    """One error names the setting; nothing is found out only when the first record is lost."""
    (tmp_path / "file").write_text("")
    for wrong in (tmp_path / "file/a.log", tmp_path):
        with pytest.raises(ConfigurationError, match=r"log_file: The log file .* cannot be written"):
            Asking(file=wrong)


async def test_records_logged_while_it_closes_are_written(ask_file: Asking, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What comes after the thread's last look is in the file all the same, and nothing is counted as dropped."""
    output = ask_file.service._output
    await ask_file.log("before")
    end = output._ending
    assert end is not None

    def end_and_log() -> None:
        end()
        ask_file.service.log("INFO", "a", "during", {})

    monkeypatch.setattr(output, "_ending", end_and_log)
    await ask_file.service.close()
    assert [line["message"] for line in lines(tmp_path / "logs/a.log")] == ["before", "during"]
    assert ask_file.service.dropped == 0


# What the package itself reports


async def test_what_the_package_reports_is_in_the_log():
    """Warnings of the scheduler, with the error behind them, can be read as what was logged through the AgenTool can."""
    async with toolkit() as kit:
        try:
            raise ValueError("disk full of token=abc")
        except ValueError:
            logging.getLogger("agentoolkit.system.scheduler.engine.clock").exception("The clock's round failed")
        answer = await kit.injector.run("logging", {"operation": "read", "logger_name": "agentoolkit.system.scheduler"})
    (record,) = answer.records
    assert (record.level, record.message, record.data["error"]) == (
        "ERROR",
        "The clock's round failed",
        "ValueError: disk full of token=[redacted]",
    )


async def test_at_debug_the_log_tells_what_the_scheduler_does():
    """At DEBUG each change of a job and an execution is one line; at INFO there is none."""
    async with toolkit() as kit:
        job = {"schedule": "in 1 minute", "agentool_name": "logging", "input_data": {"operation": "read"}}
        await kit.injector.run("scheduler", {"operation": "schedule", "job_id": "quiet", **job})
        await kit.advance(minutes=1)
        await kit.injector.run("logging", {"operation": "set_level", "level": "DEBUG"})
        await kit.injector.run("scheduler", {"operation": "schedule", "job_id": "told", **job})
        await kit.advance(minutes=1)
        answer = await kit.injector.run("logging", {"operation": "read", "text": "scheduler.task."})
    assert [record.message.partition(":")[0] for record in answer.records] == [
        "scheduler.task.scheduled",
        "scheduler.task.started",
        "scheduler.task.success",
    ]
    assert "quiet" not in answer.model_dump_json()


async def test_each_toolkit_logs_what_happens_in_it():
    """Of two open toolkits each has the reports of its own."""
    logger = logging.getLogger("agentoolkit.test")
    async with toolkit() as one:
        logger.warning("one")
        async with toolkit() as two:
            logger.warning("two")
        told = [await kit.injector.run("logging", {"operation": "read"}) for kit in (one, two)]
    assert [[record.message for record in answer.records] for answer in told] == [["one"], ["two"]]


async def test_events_that_cannot_be_written_are_told_to_the_log_of_their_own(monkeypatch: pytest.MonkeyPatch):
    """Whoever publishes, and wherever: another open toolkit's log has nothing of it."""

    async def fail(*_: object) -> None:
        raise OSError("the disk is full")

    async with toolkit() as one, toolkit() as two:
        monkeypatch.setattr(one.events.store, "append", fail)
        one.events.publish("report.sent", "test")
        await asyncio.sleep(0.01)
        told = [await kit.injector.run("logging", {"operation": "read", "level": "ERROR"}) for kit in (one, two)]
        monkeypatch.undo()
    assert [len(answer.records) for answer in told] == [1, 0]


async def test_a_toolkit_that_was_never_opened_hears_nothing():
    """What the package reports before a toolkit is opened starts no thread in it: nobody would end that one."""
    threads = set(threading.enumerate())
    kit = Toolkit(Settings(timezone="UTC"))
    logging.getLogger("agentoolkit.database").warning("The disk is slow.")
    assert (set(threading.enumerate()) - threads, kit._log.dropped) == (set(), 0)


async def test_loggers_are_left_as_they_were():
    """A toolkit that has closed leaves no handler and no level behind."""
    logger = logging.getLogger("agentoolkit")
    before = (logger.level, list(logger.handlers))
    async with toolkit():
        assert logger.level == logging.INFO
    assert (logger.level, list(logger.handlers)) == before


ASSISTANT = """
import asyncio
from agentool import get_injector
from agentoolkit.client import get_scheduler

async def main():
    scheduler = get_scheduler()
    await scheduler.schedule_notification(message="Meeting reminder", schedule_spec="in 1 second", notification_type="info")
    for source in ("memory", "file"):
        for _ in range(100):
            await asyncio.sleep(0.05)
            answer = await get_injector().run("logging", {"operation": "read", "source": source, "text": "Meeting"})
            if answer.records:
                break
        print(source, [record.message for record in answer.records])

asyncio.run(main())
"""


@pytest.mark.parametrize("level", ["INFO", "ERROR"])
def test_a_notification_is_on_the_console_in_the_file_and_to_be_read(tmp_path: Path, level: str):
    """The assistant's first example, with no more than a log file set, arrives in all three places; also in a quiet log."""
    file = tmp_path / "a.log"
    env = {**os.environ, "AGENTOOL_LOG_FILE": str(file), "AGENTOOL_LOG_LEVEL": level}
    ran = subprocess.run([sys.executable, "-c", ASSISTANT], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.splitlines() == ["memory ['Meeting reminder']", "file ['Meeting reminder']"]
    assert [record["message"] for record in lines(file)] == ["Meeting reminder"]
    assert ran.stderr.count("INFO agentoolkit.notifications: Meeting reminder") == 1


async def test_reading_what_is_remembered_survives_a_thread_that_logs(ask: Asking, monkeypatch: pytest.MonkeyPatch):
    """Threads of databases and functions log at any time: what came before the reading is told."""
    await ask.log("first")
    await ask.log("second")
    fits = RecordFilter.fits

    def log_and_look(wanted: RecordFilter, record: LogRecord) -> bool:
        ask.service.log("INFO", "a.thread", "meanwhile", {})
        return fits(wanted, record)

    monkeypatch.setattr(RecordFilter, "fits", log_and_look)
    assert await ask.messages() == ["first", "second"]


async def test_a_level_that_is_set_meanwhile_disturbs_no_thread_that_logs(ask: Asking, monkeypatch: pytest.MonkeyPatch):
    """Whoever logs goes by the levels that there were when it began."""
    monkeypatch.setattr(service, "is_below", lambda *names: ask.service.set_level("ERROR", f"new.{len(ask.service._levels)}"))
    assert await ask.log("told")


async def test_the_lowest_level_is_found_while_another_is_set(ask: Asking, monkeypatch: pytest.MonkeyPatch):
    """As the package's loggers ask for it in one thread while another sets a level."""

    class Numbers(dict[str, int]):
        def __getitem__(self, level: str) -> int:
            if len(ask.service._levels) < 9:
                ask.service.set_level("ERROR", f"new.{len(ask.service._levels)}")
            return super().__getitem__(level)

    ask.service.set_level("DEBUG", "a")
    monkeypatch.setattr(service, "NUMBERS", Numbers(service.NUMBERS))
    assert ask.service._lowest() == logging.DEBUG
