"""Applications of Celery on the broker of the settings, whatever Celery itself would read."""

from __future__ import annotations

from typing import Any

import pytest
from celery import Celery
from tests.servers import free_port

from agentoolkit.actions.celery_task import CeleryClient
from agentoolkit.celery_connection import BrokerAway, check_broker, connected_app
from agentoolkit.entrypoints import send_hello_task
from agentoolkit.settings import CelerySettings, Settings
from agentoolkit.system.scheduler.executors.celery import create_app

MINE, THEIRS = "redis://127.0.0.1:1/1", "redis://127.0.0.1:2/2"


def addresses(app: Any) -> tuple[str, str, str]:
    reads, writes = app.connection_for_read(), app.connection_for_write()
    return f"{reads.host}/{reads.virtual_host}", f"{writes.host}/{writes.virtual_host}", app.backend.as_uri()


@pytest.fixture
def another_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables that another application of this machine reads."""
    monkeypatch.setenv("CELERY_BROKER_URL", THEIRS)
    monkeypatch.setenv("CELERY_RESULT_BACKEND", THEIRS)


def of_variables(monkeypatch: pytest.MonkeyPatch) -> CelerySettings:
    monkeypatch.setenv("AGENTOOL_CELERY_BROKER", MINE)
    monkeypatch.setenv("AGENTOOL_CELERY_RESULT_BACKEND", MINE)
    return Settings().celery


def of_code(monkeypatch: pytest.MonkeyPatch) -> CelerySettings:
    return Settings(celery_broker=MINE, celery_result_backend=MINE).celery


@pytest.mark.parametrize("settings", [of_variables, of_code])
@pytest.mark.parametrize("make", [connected_app, create_app, lambda settings: CeleryClient(settings).app], ids=["any", "courier", "client"])
def test_the_settings_decide(another_broker: None, monkeypatch: pytest.MonkeyPatch, make: Any, settings: Any):
    """Celery reads two of the variables itself, and prefers them to what it is given: messages went to a server where nobody waits."""
    with make(settings(monkeypatch)) as app:
        assert addresses(app) == ("127.0.0.1:1/1", "127.0.0.1:1/1", MINE)


def test_variables_of_celery_are_enough(another_broker: None):
    """They are settings too, where nothing of ours says otherwise."""
    with connected_app(Settings().celery) as app:
        assert addresses(app) == ("127.0.0.1:2/2", "127.0.0.1:2/2", THEIRS)


def test_a_task_module_may_choose_where_its_results_are_kept():
    """If no setting says so."""
    with connected_app(CelerySettings.model_validate({"broker": MINE})) as app:
        app.conf.result_backend = THEIRS
        assert app.backend.as_uri() == THEIRS


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_a_broker_that_is_away_is_told_with_its_address(scheme: str):
    """Without its password."""
    port = free_port()
    with Celery("far", broker=f"{scheme}://user:hunter2@127.0.0.1:{port}/0") as app, pytest.raises(BrokerAway) as told:
        check_broker(app)
    assert (f"127.0.0.1:{port}" in str(told.value), "hunter2" in str(told.value)) == (True, False)


def test_who_says_hello_is_told_that_the_broker_is_away(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """At once, in one sentence: it blamed the workers, after half a minute."""
    monkeypatch.setenv("CELERY_BROKER_URL", f"redis://127.0.0.1:{free_port()}/0")
    assert send_hello_task.main([]) == 1
    assert capsys.readouterr().err.startswith("The broker redis://127.0.0.1:")


def test_hello_is_said_whatever_else_may_be_sent(monkeypatch: pytest.MonkeyPatch, redis_url: str, capsys: pytest.CaptureFixture[str]):
    """Allowing a task of one's own, as the how-to does, refused the greeting by which it looks for a worker."""
    monkeypatch.setenv("CELERY_BROKER_URL", redis_url)
    monkeypatch.setenv("AGENTOOL_CELERY_TASKS", "greet")
    assert send_hello_task.main([]) == 0
    assert capsys.readouterr().out.startswith("Task agentool.hello was sent as ")
