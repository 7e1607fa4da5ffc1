"""The ping: while the scheduler works an address is called, and silence says that it does not."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from pydantic import ValidationError

from agentoolkit.ping import Ping, fetch
from agentoolkit.settings import Settings
from agentoolkit.testing import ManualTime, toolkit

START = "2030-01-01T00:00:00+00:00"


class Monitor:
    """A local server that counts what it is asked."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.answer = 200
        monitor = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                monitor.calls.append(self.path)
                self.send_response(monitor.answer)
                if monitor.answer == 302:
                    self.send_header("Location", "file:///etc/hostname")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Stay silent."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/secret"
        self.thread = Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()


@pytest.fixture
def monitor() -> Iterator[Monitor]:
    """A monitor that listens."""
    monitor = Monitor()
    yield monitor
    monitor.server.shutdown()
    monitor.server.server_close()
    monitor.thread.join()


async def pinged(ping: Ping, time: ManualTime, rounds: int) -> None:
    """Let a ping do so many rounds."""
    ping.start()
    for left in reversed(range(rounds)):
        assert ping._round is not None
        await ping._round
        await time.advance(seconds=60 if left else 0)
    await ping.stop()


async def well() -> bool:
    return True


async def unwell() -> bool:
    return False


async def raising() -> bool:
    raise OSError("no database")


async def test_it_pings_again_and_again(monitor: Monitor) -> None:
    """The address is called at once, and then every so many seconds."""
    time = ManualTime(START)
    await pinged(Ping(monitor.url, 60, time, well), time, 3)
    assert monitor.calls == ["/secret"] * 3


async def test_it_is_silent_when_something_is_wrong(monitor: Monitor) -> None:
    """A process that does not lead, or whose claims fail, does not ping."""
    time = ManualTime(START)
    await pinged(Ping(monitor.url, 60, time, unwell), time, 2)
    await pinged(Ping(monitor.url, 60, time, raising), time, 2)
    assert monitor.calls == []


async def test_a_failure_is_logged_once(monitor: Monitor, caplog: pytest.LogCaptureFixture) -> None:
    """A monitor that is down is logged when it begins, not at every ping, and never with its secret."""
    monitor.answer = 500
    time = ManualTime(START)
    await pinged(Ping(monitor.url, 60, time, well), time, 3)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "secret" not in caplog.text


async def test_a_recovery_is_logged_once(monitor: Monitor, caplog: pytest.LogCaptureFixture) -> None:
    """When it works again, that is said too."""
    caplog.set_level(logging.INFO, "agentoolkit.ping")
    time = ManualTime(START)
    ping = Ping(monitor.url, 60, time, well)
    monitor.answer = 500
    await pinged(ping, time, 2)
    monitor.answer = 200
    await pinged(ping, time, 2)
    assert [record.levelno for record in caplog.records] == [logging.WARNING, logging.INFO]


async def test_a_toolkit_that_leads_pings(monitor: Monitor) -> None:
    """The setting ping_url is all it needs."""
    async with toolkit(START, Settings(ping_url=monitor.url)) as kit:
        assert kit._ping is not None
        assert kit._ping._round is not None
        await kit._ping._round
    assert monitor.calls == ["/secret"]


async def test_a_stopped_scheduler_is_not_well() -> None:
    """After operation 'stop' there is nothing to be glad about."""
    async with toolkit(START) as kit:
        assert await kit.scheduler.lifecycle.is_well()
        await kit.injector.run("scheduler", {"operation": "stop"})
        assert not await kit.scheduler.lifecycle.is_well()


async def test_failing_claims_are_not_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process whose claims fail leads in name only."""

    async def refuse(*_: object) -> None:
        raise OSError("disk full")

    async with toolkit(START) as kit:
        kit.scheduler.store.claim = refuse  # type: ignore[method-assign]
        call = {"operation": "peek", "queue_name": "a"}
        job = {"operation": "schedule", "schedule": "1 second", "agentool_name": "queue", "input_data": call}
        await kit.injector.run("scheduler", job)
        logging.disable(logging.ERROR)
        await kit.advance(seconds=2)
        logging.disable(logging.NOTSET)
        assert not await kit.scheduler.lifecycle.is_well()


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://host/x", "host", "http://"])
def test_only_web_addresses_are_accepted(url: str) -> None:
    """The setting takes http and https."""
    with pytest.raises(ValidationError):
        Settings(ping_url=url)


def test_a_redirect_leads_to_no_file(monitor: Monitor) -> None:
    """A monitor cannot send the ping to a file of this machine."""
    monitor.answer = 302
    with pytest.raises(OSError, match="302"):
        fetch(monitor.url)


def test_no_error_has_the_address(monitor: Monitor) -> None:
    """The path of a ping's address is often a secret."""
    monitor.answer = 500
    for url in (monitor.url, "http://127.0.0.1:1/secret", "http://[secret/"):
        with pytest.raises(OSError) as failed:
            fetch(url)
        assert "secret" not in str(failed.value)
        assert failed.value.__cause__ is None
