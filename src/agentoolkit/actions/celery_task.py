"""Send an application's own task to Celery's workers, by the name given in `@app.task`.

The workers may be those of `agentoolkit.entrypoints.celery_app`, or of any other application on the same broker. A schedule
of ours thus replaces Celery's beat. Source: *Scheduler Service*, "Adding New Tasks".
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

from pydantic import BaseModel, Field

from agentool.agentool import AgenTool, create_agentool
from agentool.base import BaseOperationInput
from agentool.context import RunContext
from agentool.core.injector import Injector
from agentool.errors import AgenToolError, ConfigurationError, InvalidInput, MissingExtra
from agentoolkit.setting_groups import CELERY_HELLO, CELERY_QUEUE, CELERY_TASK, CelerySettings

SHORTEST_LOOK, LONGEST_LOOK = 0.05, 1.0
"""Seconds between two polls for a result, doubled after each poll."""


class CeleryTaskInput(BaseOperationInput):
    """Input of the celery_task AgenTool."""

    operation: Literal["send"]
    task: str | None = Field(None, description="Name of the task on its workers", examples=[CELERY_HELLO])
    args: list[Any] | None = Field(None, description="Positional arguments, as JSON")
    kwargs: dict[str, Any] | None = Field(None, description="Named arguments, as JSON")
    queue: str | None = Field(
        None, description="Queue that its workers take from; by default Celery's own, 'celery', and for agentool.hello the one of its name"
    )


class CeleryTaskOutput(BaseModel):
    """The state and result of the task."""

    task: str
    task_id: str
    state: str = Field(description="SUCCESS; or SENT if no result back end is set, because the end is then unknown")
    result: Any = None


class CeleryTaskFailed(AgenToolError, RuntimeError):
    """The task failed on its worker, or was revoked."""


@dataclass(frozen=True)
class CeleryClient:
    """A client of Celery. Celery knows no event loop, so one thread of the client's own sends and revokes, in order.

    Args:
        settings: The broker and the result back end.
    """

    settings: CelerySettings
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "agentool-celery"))

    @cached_property
    def app(self) -> Any:
        """The Celery application, created at the first use because Celery takes long to import.

        Raises:
            MissingExtra: Celery is not installed.
        """
        try:
            from agentoolkit.celery_connection import connected_app
        except ImportError as error:
            raise _missing() from error
        app = connected_app(self.settings)
        app.conf.update(task_serializer="json", accept_content=["json"], broker_connection_timeout=10)
        return app

    def check(self, task: str) -> None:
        """Refuse a task that cannot or may not be sent.

        Raises:
            InvalidInput: The settings do not allow this task, or it is the scheduler's own task for executions.
            ConfigurationError: No broker is set.
            MissingExtra: Celery is not installed.
        """
        if find_spec("celery") is None:
            raise _missing()
        if task == CELERY_TASK or not any(fnmatchcase(task, allowed) for allowed in self.settings.tasks):
            remedy = "Only the scheduler sends it." if task == CELERY_TASK else "Name it in AGENTOOL_CELERY_TASKS."
            raise InvalidInput("This task may not be sent.", field="task", value=task, remedy=remedy)
        if self.settings.broker is None:
            remedy = "Set AGENTOOL_CELERY_BROKER, or CELERY_BROKER_URL, to its address."
            raise ConfigurationError("Tasks of Celery need a broker.", field="celery_broker", remedy=remedy)

    def check_broker(self) -> None:
        """Connect to the broker. Raises `BrokerAway` within a few seconds; a send waits much longer."""
        from agentoolkit.celery_connection import check_broker

        check_broker(self.app)

    async def send(self, task: str, args: list[Any], kwargs: dict[str, Any], queue: str) -> Any:
        """Send a task and return Celery's handle of it. A cancelled caller revokes the task, even if it is only sent afterwards."""
        task_id = str(uuid4())
        sending = self._thread.submit(self._send, task_id, task, args, kwargs, queue)
        try:
            return await asyncio.wrap_future(sending)
        except asyncio.CancelledError:
            if not sending.cancel():
                self._revoke(task_id)
            raise

    def _revoke(self, task_id: str) -> None:
        """Revoke a task after the thread has sent it. An unavailable broker gets neither message."""
        self._thread.submit(lambda: self.app.control.revoke(task_id))

    def _send(self, task_id: str, task: str, args: list[Any], kwargs: dict[str, Any], queue: str) -> Any:
        from kombu.entity import Exchange, Queue

        # The queue's consumer declares it, because the consumer decides its type.
        place = Queue(queue, Exchange(""), queue, no_declare=True)
        return self.app.send_task(task, task_id=task_id, args=args, kwargs=kwargs, queue=place, retry=False)

    async def wait(self, handle: Any) -> Any:
        """Wait for the end of a task and return its result. A cancelled caller revokes the task.

        Raises:
            CeleryTaskFailed: The task failed.
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


async def celery_task_send(
    ctx: RunContext[CeleryClient],
    task: str,
    args: list[Any] | None = None,
    kwargs: dict[str, Any] | None = None,
    queue: str | None = None,
) -> CeleryTaskOutput:
    """Send an application's own task to its workers, by name, and wait for its result if a result back end is set.

    Args:
        ctx: The client.
        task: The task's name.
        args: Positional arguments.
        kwargs: Named arguments.
        queue: The queue that the workers take from; by default that of Celery, or of the task ``agentool.hello``.

    Raises:
        InvalidInput: This task may not be sent.
        ConfigurationError, MissingExtra: Celery is not configured, or not installed.
        CeleryTaskFailed: The task failed.
    """
    client = ctx.deps
    client.check(task)
    usual = CELERY_HELLO if task == CELERY_HELLO else CELERY_QUEUE
    handle = await client.send(task, args or [], kwargs or {}, queue or usual)
    if client.settings.result_backend is None:
        return CeleryTaskOutput(task=task, task_id=handle.id, state="SENT")
    return CeleryTaskOutput(task=task, task_id=handle.id, state="SUCCESS", result=await client.wait(handle))


def _missing() -> MissingExtra:
    return MissingExtra("Tasks of Celery need the extra 'celery'.", remedy="Install 'agentool[celery]'.")


def check_task(client: CeleryClient, asked: CeleryTaskInput) -> None:
    """Refuse, when it is scheduled, a task that cannot or may not be sent. Raises as `CeleryClient.check` does."""
    client.check(asked.task or "")


def create_celery_task_agent(settings: CelerySettings | None = None, *, injector: Injector | None = None) -> AgenTool[Any]:
    """Create the AgenTool ``celery_task``.

    Args:
        settings: The broker and the result back end.
        injector: The injector to register in; by default the current one.
    """
    return create_agentool(
        "celery_task",
        CeleryTaskInput,
        {"send": celery_task_send},
        deps=CeleryClient(settings or CelerySettings()),
        description="Sends an application's own tasks to Celery's workers, by name.",
        precheck=check_task,
        examples=({"operation": "send", "task": CELERY_HELLO, "kwargs": {"name": "World"}},),
        injector=injector,
    )
