"""The AgenTool ``notification``, delivered for real: to the log, to listeners, to a desktop program, by HTTP and by mail."""

from __future__ import annotations

import asyncio
import json
import logging
import sys

import pytest
from pydantic import SecretStr

from agentool import ConfigurationError, Injector, InvalidInput, MissingExtra
from agentoolkit.actions.notification import NotificationFailed, create_notification_agent
from agentoolkit.system.logging.records import RecordFilter

from .servers import Answer, HttpServer, SmtpServer, listening

TOKEN = "tok3n-of-the-caller"


def notifying(**services):
    injector = Injector()
    agentool = create_notification_agent({name: SecretStr(url) for name, url in services.items()}, injector=injector)

    async def send(message="Backup complete", **fields):
        return await injector.run("notification", {"operation": "send", "message": message, **fields})

    send.agentool = agentool
    send.check = lambda **fields: agentool.check({"operation": "send", "message": "a", **fields})
    return send


# The log and listeners


@pytest.mark.parametrize(("kind", "level"), [("info", "INFO"), ("success", "INFO"), ("warning", "WARNING"), ("error", "ERROR")])
async def test_the_log_is_the_default_target(caplog, kind, level):
    """Without targets a notification is logged, at the level that its type means."""
    with caplog.at_level(logging.INFO, "agentoolkit.notifications"):
        output = await notifying()(notification_type=kind, title="Nightly")
    assert (output.message, output.delivered) == ("Backup complete", ["log"])
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [(level, "Nightly: Backup complete")]


async def test_a_message_stays_one_record(caplog):
    """Line breaks and control characters are shown as escapes, so that no message looks like further records."""
    with caplog.at_level(logging.INFO, "agentoolkit.notifications"):
        await notifying()("done\n2030-01-01 CRITICAL forged \x1b[31mé")
    assert caplog.records[0].getMessage() == "done\\n2030-01-01 CRITICAL forged \\x1b[31mé"


async def test_listeners_are_told_until_they_leave():
    """The target `event` reaches every listener."""
    send, told = notifying(), []
    leave = send.agentool.deps.subscribe(told.append)
    await send(targets=["event"])
    leave()
    await send(targets=["event"])
    assert told == [("Backup complete", "", "info")]


@pytest.mark.parametrize("error", [RuntimeError("no bell"), KeyboardInterrupt("no bell"), asyncio.CancelledError("no bell")])
async def test_a_listener_that_fails_silences_no_other(error):
    """Every listener is told, async ones too, and the target has failed."""
    send, told = notifying(), []

    def fail(notification):
        raise error

    async def tell(notification):
        told.append(notification.message)

    send.agentool.deps.subscribe(fail)
    send.agentool.deps.subscribe(tell)
    with pytest.raises(NotificationFailed, match="event: no bell"):
        await send(targets=["event"])
    assert told == ["Backup complete"]


@pytest.mark.parametrize("name", ["log", "event", "desktop"])
def test_no_service_has_the_name_of_a_built_in_target(name):
    """Such a service could never be reached, so it is refused when the AgenTool is made."""
    with pytest.raises(ConfigurationError, match=f"'{name}', which is a built-in target"):
        notifying(**{name: "json://127.0.0.1/"})


# Again


async def attempts_at(kit, targets, times=3):
    """Schedule a notification that is retried, and let all its attempts pass."""
    data = {"operation": "send", "message": "Backup complete", "targets": targets}
    job = {"schedule": "in 1 minute", "agentool_name": "notification", "input_data": data, "max_retries": times - 1}
    await kit.injector.run("scheduler", {"operation": "schedule", **job})
    await kit.advance(hours=2)


async def test_a_retry_sends_only_where_it_failed(kit):
    """Of two targets one fails twice: it is sent to three times, the other one once."""
    notifier, log, tried = kit.injector.get("notification").deps, [], []

    def fail_twice(notification):
        tried.append(notification)
        if len(tried) < 3:
            raise RuntimeError("not yet")

    notifier.subscribe(fail_twice)
    records = kit.injector.get("logging").deps
    await attempts_at(kit, ["log", "event"])
    log = records.remembered(RecordFilter(logger_name="agentoolkit.notifications"), 10)
    assert (len(tried), [record.message for record in log]) == (3, ["Backup complete"])


async def test_a_further_execution_sends_everywhere_again(kit):
    """What is remembered belongs to one execution: the next due time sends to all targets."""
    notifier, told = kit.injector.get("notification").deps, []

    def fail(notification):
        told.append(notification)
        raise RuntimeError("never")

    notifier.subscribe(fail)
    for _ in range(2):
        await attempts_at(kit, ["log", "event"], times=2)
    log = kit.injector.get("logging").deps.remembered(RecordFilter(logger_name="agentoolkit.notifications"), 10)
    assert (len(told), len(log)) == (4, 2)


# The desktop


async def test_the_desktop_is_reached_by_notify_send(tmp_path, monkeypatch):
    """notify-send gets title, message and urgency as arguments, whatever is in them."""
    program = tmp_path / "notify-send"
    program.write_text(f"#!{sys.executable}\nimport sys, json\njson.dump(sys.argv[1:], open({str(tmp_path / 'shown')!r}, 'w'))\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    await notifying()("--help $HOME", title="Disk", notification_type="error", targets=["desktop"])
    assert json.loads((tmp_path / "shown").read_text()) == ["--urgency=critical", "--", "Disk", "--help $HOME"]


async def test_a_desktop_program_that_fails_is_a_failure(tmp_path, monkeypatch):
    """What notify-send says is why it failed."""
    program = tmp_path / "notify-send"
    program.write_text(f"#!{sys.executable}\nimport sys\nsys.exit('no bus')\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotificationFailed, match="desktop: notify-send did not show it: no bus"):
        await notifying()(targets=["desktop"])


def test_without_a_desktop_it_is_refused_when_scheduled(monkeypatch):
    """Where there is no notify-send the refusal says what to do."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InvalidInput, match="Install libnotify"):
        notifying().check(targets=["desktop"])


# Services


async def test_a_service_is_reached_by_its_name():
    """A configured service gets message, title and type by HTTP."""
    async with listening(HttpServer()) as server:
        send = notifying(hook=f"json://127.0.0.1:{server.port}/inbox")
        assert (await send(title="Nightly", notification_type="error", targets=["hook"])).delivered == ["hook"]
    (request,) = server.requests
    sent = json.loads(request.body)
    assert (request.path, sent["title"], sent["message"], sent["type"]) == ("/inbox", "Nightly", "Backup complete", "failure")


async def test_a_mail_is_sent():
    """A mail service delivers by SMTP."""
    async with listening(SmtpServer()) as server:
        url = f"mailto://127.0.0.1:{server.port}?from=jobs@example.com&to=ada@example.com&smtp=127.0.0.1&mode=insecure"
        await notifying(ada=url)("Disk is full", title="Alarm", targets=["ada"])
    (mail,) = server.mails
    assert "Subject: Alarm" in mail
    assert "Disk is full" in mail


async def test_one_failing_target_does_not_keep_it_from_the_others():
    """The failure says which target failed and why, and where it did arrive."""
    async with listening(HttpServer(answer=lambda request: Answer(status=500))) as server:
        send = notifying(broken=f"json://127.0.0.1:{server.port}/{TOKEN}")
        with pytest.raises(NotificationFailed, match=r"not delivered to broken: .*It did arrive at event, log\.") as failed:
            await send(targets=["event", "broken", "log"])
    assert failed.value.result.delivered == ["event", "log"]
    assert list(failed.value.result.failed) == ["broken"]


async def test_a_failure_shows_no_secret():
    """No part of a service's URL is in what a failure says."""
    send = notifying(broken=f"json://ada:{TOKEN}@127.0.0.1:9/{TOKEN}?key={TOKEN}")
    with pytest.raises(NotificationFailed) as failed:
        await send(targets=["broken"])
    assert TOKEN not in f"{failed.value!r} {failed.value} {failed.value.result}"
    assert "Connection" in str(failed.value)


def test_a_url_that_is_none_is_refused_without_being_shown():
    """The application's mistake is named by the service's name alone."""
    with pytest.raises(ConfigurationError, match="Apprise does not know the URL of service 'hook'") as refused:
        notifying(hook=f"nonsense://{TOKEN}").check(targets=["hook"])
    assert TOKEN not in str(refused.value)


def test_without_apprise_the_extra_is_named(monkeypatch):
    """A service without the library that reaches it is one clear sentence."""
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(MissingExtra, match=r"agentool\[notify\]"):
        notifying(hook="json://127.0.0.1/").check(targets=["hook"])


# What is refused


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"targets": ["hok"]}, "Did you mean 'hook'?"),
        ({"targets": ["json://127.0.0.1/"]}, "`notification_services`"),
        ({"message": ""}, "at least 1"),
        ({"message": "a" * 10_001}, "at most 10000"),
        ({"notification_type": "fatal"}, "notification_type"),
    ],
)
def test_what_cannot_be_sent_is_refused(fields, said):
    """Targets are names that are known, and never addresses that a caller gives."""
    with pytest.raises(InvalidInput) as refused:
        notifying(hook="json://127.0.0.1/").check(**fields)
    assert said in str(refused.value)
