"""Sends a task of an application's own to Celery's workers, by the name that `@app.task` gave it.

Whose workers they are does not matter: those of `agentoolkit.entrypoints.celery_app`, or of any other application on the same
broker. So a schedule of ours takes the place of Celery's beat. Source: *Scheduler Service*, "Adding New Tasks".
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from importlib.util import find_spec
from typing import Any, Literal
from uuid import uuid4

from pydantic import BaseModel, Field, SecretStr

from agentool.agentool import AgenTool, create_agentool
from agentool.base import BaseOperationInput
from agentool.context import RunContext
from agentool.core.injector import Injector
from agentool.errors import AgenToolError, ConfigurationError, InvalidInput, MissingExtra
from agentoolkit.setting_groups import CELERY_TASK, CelerySettings

SHORTEST_LOOK, LONGEST_LOOK = 0.05, 1.0
"""Seconds between two looks for a result; doubled while there is none."""


class CeleryTaskInput(BaseOperationInput):
    """Input of the celery_task AgenTool."""

    operation: Literal["send"]
    task: str | None = Field(None, description="Name of the task, as its workers know it", examples=["agentool.hello"])
    args: list[Any] | None = Field(None, description="Positional arguments, as JSON")
    kwargs: dict[str, Any] | None = Field(None, description="Named arguments, as JSON")
    queue: str = Field("celery", description="Queue that its workers take from")


class CeleryTaskOutput(BaseModel):
    """What became of the task."""

    task: str
    task_id: str
    state: str = Field(description="SUCCESS, or SENT where no result back end is set, so that nobody knows more")
    result: Any = None


class CeleryTaskFailed(AgenToolError, RuntimeError):
    """The task has failed on its worker, or was revoked."""


@dataclass(frozen=True)
class CeleryClient:
    """A client of Celery's. It knows no event loop: one thread, which it has for itself, sends and revokes, one after the other.

    Args:
        settings: The broker, and where results are kept.
    """

    settings: CelerySettings
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "agentool-celery"))

    @cached_property
    def app(self) -> Any:
        """The application, made at the first use: Celery takes long to import.

        Raises:
            MissingExtra: Celery is not installed.
        """
        try:
            from celery import Celery
        except ImportError as error:
            raise _missing() from error
        app = Celery("agentool", broker=_said(self.settings.broker), backend=_said(self.settings.result_backend))
        app.conf.update(task_serializer="json", accept_content=["json"], broker_connection_timeout=10)
        return app

    def check(self, task: str) -> None:
        """Refuse what cannot or may not be sent from here.

        Raises:
            InvalidInput: The settings do not allow this task, or it is the one by which our own workers run executions.
            ConfigurationError: There is no broker.
            MissingExtra: Celery is not installed.
        """
        if find_spec("celery") is None:
            raise _missing()
        if task == CELERY_TASK or not any(fnmatchcase(task, allowed) for allowed in self.settings.tasks):
            remedy = "It runs executions of ours: ask the scheduler." if task == CELERY_TASK else "Name it in AGENTOOL_CELERY_TASKS."
            raise InvalidInput("This task may not be sent.", field="task", value=task, remedy=remedy)
        if self.settings.broker is None:
            remedy = "Set AGENTOOL_CELERY_BROKER, or CELERY_BROKER_URL, to its address."
            raise ConfigurationError("Tasks of Celery need a broker.", field="celery_broker", remedy=remedy)

    async def send(self, task: str, args: list[Any], kwargs: dict[str, Any], queue: str) -> Any:
        """Send a task, and return Celery's handle of it; whoever stops waiting revokes it, also where it is sent only then."""
        task_id = str(uuid4())
        sending = self._thread.submit(self._send, task_id, task, args, kwargs, queue)
        try:
            return await asyncio.wrap_future(sending)
        except asyncio.CancelledError:
            if not sending.cancel():
                self._revoke(task_id)
            raise

    def _revoke(self, task_id: str) -> None:
        """Revoke a task as soon as the thread has sent it. A broker that is away hears of neither."""
        self._thread.submit(lambda: self.app.control.revoke(task_id))

    def _send(self, task_id: str, task: str, args: list[Any], kwargs: dict[str, Any], queue: str) -> Any:
        from kombu.entity import Exchange, Queue

        # Whoever takes from the queue declares it: what kind it is, is theirs to say.
        place = Queue(queue, Exchange(""), queue, no_declare=True)
        return self.app.send_task(task, task_id=task_id, args=args, kwargs=kwargs, queue=place, retry=False)

    async def wait(self, handle: Any) -> Any:
        """Wait until a task is over, and return its result; whoever stops waiting revokes it.

        Raises:
            CeleryTaskFailed: It has failed.
        """
        pause = SHORTEST_LOOK
        try:
            while not await asyncio.to_thread(handle.ready):
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_LOOK)
        except asyncio.CancelledError:
            self._revoke(handle.id)
            raise
        if handle.state != "SUCCESS":
            raise CeleryTaskFailed(f"The task has ended as {handle.state}: {handle.result!r}", value=handle.id)
        return handle.result


def _said(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


async def celery_task_send(
    ctx: RunContext[CeleryClient],
    task: str,
    args: list[Any] | None = None,
    kwargs: dict[str, Any] | None = None,
    queue: str = "celery",
) -> CeleryTaskOutput:
    """Send a task of an application's own to its workers, by name, and wait for its result if results are kept.

    Args:
        ctx: The client.
        task: Its name.
        args: Positional arguments.
        kwargs: Named arguments.
        queue: Where its workers take from.

    Raises:
        InvalidInput: This task may not be sent.
        ConfigurationError, MissingExtra: Nothing can be sent from here.
        CeleryTaskFailed: The task has failed.
    """
    client = ctx.deps
    client.check(task)
    handle = await client.send(task, args or [], kwargs or {}, queue)
    if client.settings.result_backend is None:
        return CeleryTaskOutput(task=task, task_id=handle.id, state="SENT")
    return CeleryTaskOutput(task=task, task_id=handle.id, state="SUCCESS", result=await client.wait(handle))


def _missing() -> MissingExtra:
    return MissingExtra("Tasks of Celery need the extra 'celery'.", remedy="Install 'agentool[celery]'.")


def check_task(client: CeleryClient, asked: CeleryTaskInput) -> None:
    """Refuse, when it is scheduled, what cannot or may not be sent. Raises as `CeleryClient.check` does."""
    client.check(asked.task or "")


def create_celery_task_agent(settings: CelerySettings | None = None, *, injector: Injector | None = None) -> AgenTool[Any]:
    """Create the AgenTool ``celery_task``.

    Args:
        settings: The broker, and where results are kept.
        injector: Where it is registered; the current one by default.
    """
    return create_agentool(
        "celery_task",
        CeleryTaskInput,
        {"send": celery_task_send},
        deps=CeleryClient(settings or CelerySettings()),
        description="Sends tasks of an application's own to Celery's workers, by their names.",
        precheck=check_task,
        examples=({"operation": "send", "task": "agentool.hello", "kwargs": {"name": "World"}},),
        injector=injector,
    )
