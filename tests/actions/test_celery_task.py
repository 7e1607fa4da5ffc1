"""Tasks that are sent to Celery's workers: which may be, and what becomes of one whose job is cancelled while it is sent."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from agentool import Injector
from agentool.errors import InvalidInput
from agentoolkit.actions.celery_task import CeleryClient, create_celery_task_agent
from agentoolkit.settings import CelerySettings
from agentoolkit.system.scheduler.executors.celery import TASK

BROKER = "redis://localhost:1/0"


class App:
    """Stands for Celery's: sends when it is let, and notes in which order it did what."""

    def __init__(self) -> None:
        self.begun, self.may_send = threading.Event(), threading.Event()
        self.done: list[tuple[str, str]] = []
        self.at_once, self.most = 0, 0
        self.control = SimpleNamespace(revoke=lambda task_id: self.done.append(("revoked", task_id)))

    def send_task(self, name: str, *, task_id: str, **_: Any) -> Any:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        self.begun.set()
        assert self.may_send.wait(10)
        self.done.append(("sent", task_id))
        self.at_once -= 1
        return SimpleNamespace(id=task_id)


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
def client(app: App) -> CeleryClient:
    client = CeleryClient(CelerySettings.model_validate({"broker": BROKER}))
    client.__dict__["app"] = app
    return client


async def ended(tasks: list[asyncio.Task[Any]], app: App, number: int) -> None:
    await asyncio.wait(tasks)
    async with asyncio.timeout(10):
        while len(app.done) < number:  # noqa: ASYNC110  a thread tells nothing
            await asyncio.sleep(0.01)


async def test_what_is_cancelled_while_it_is_sent_is_revoked(client: CeleryClient, app: App):
    """Whoever cancels it then hears at once, and the task is revoked by its id as soon as the broker has it."""
    sending = asyncio.create_task(client.send("greet", [], {}, "celery"))
    await asyncio.to_thread(app.begun.wait, 10)
    sending.cancel()
    await asyncio.wait([sending], timeout=5)
    assert sending.cancelled()
    app.may_send.set()
    await ended([sending], app, 2)
    (sent, sent_id), (revoked, revoked_id) = app.done
    assert (sent, revoked, sent_id) == ("sent", "revoked", revoked_id)


async def test_one_is_sent_after_the_other(client: CeleryClient, app: App):
    """Also where the first was cancelled while its thread still sends: Celery's client is used by one thread."""
    sending = [asyncio.create_task(client.send("greet", [], {}, "celery")) for _ in range(3)]
    await asyncio.to_thread(app.begun.wait, 10)
    sending[0].cancel()
    await asyncio.wait([sending[0]], timeout=5)
    app.may_send.set()
    await ended(sending, app, 4)
    assert app.most == 1


def test_a_client_serves_several_event_loops(client: CeleryClient, app: App):
    """It is bound to none of them."""
    app.may_send.set()

    async def send_two() -> None:
        await asyncio.gather(*(client.send("greet", [], {}, "celery") for _ in range(2)))

    for _ in range(2):
        asyncio.run(send_two())
    assert len(app.done) == 4


@pytest.mark.parametrize(("task", "allow"), [(TASK, ("*",)), (TASK, (TASK,)), ("wipe", ("report.*", "greet"))])
async def test_what_may_not_be_sent_is_refused(task: str, allow: tuple[str, ...]):
    """A task that the list does not name, and always the one by which our own workers run executions."""
    create_celery_task_agent(CelerySettings.model_validate({"broker": BROKER, "tasks": allow}), injector=(injector := Injector()))
    with pytest.raises(InvalidInput, match="may not be sent"):
        await injector.run("celery_task", {"operation": "send", "task": task})


async def test_what_the_list_names_is_sent(client: CeleryClient, app: App):
    """By a pattern of the list."""
    app.may_send.set()
    create_celery_task_agent(CelerySettings.model_validate({"broker": BROKER, "tasks": ("report.*",)}), injector=(injector := Injector()))
    injector.get("celery_task").deps.__dict__["app"] = app
    sent = await injector.run("celery_task", {"operation": "send", "task": "report.daily"})
    assert (sent.state, [what for what, _ in app.done]) == ("SENT", ["sent"])


async def test_no_task_may_be_sent_until_it_is_named():
    """By default a job may greet a worker, and send none of an application's own tasks."""
    client = CeleryClient(CelerySettings.model_validate({"broker": BROKER}))
    client.check("agentool.hello")
    with pytest.raises(InvalidInput, match="AGENTOOL_CELERY_TASKS"):
        client.check("greet")
