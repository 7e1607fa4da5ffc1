"""Durable runs, by DBOS: finished steps outlive the process, and a further attempt does not repeat them.

The scheduler still starts the attempts. DBOS stores, for each execution, the result of every step as JSON. Its database is a
file beside a SQLite database, or a schema of its own in PostgreSQL.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextvars import Context, copy_context
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from dbos import DBOS, DBOSConfig, Serializer, SetWorkflowID, WorkflowStatus

from agentool.errors import ConfigurationError
from agentoolkit.database.private import make_private
from agentoolkit.system.scheduler.execution_records import Execution
from agentoolkit.time_source import TimeSource

T = TypeVar("T")

WORKFLOW = "agentool.agent_run"
KEPT = timedelta(days=7)
"""Time for which the steps of a run are kept."""
_REMOVED_AT_ONCE = 20
_CLOSE_SECONDS = 2
_ENDED_WELL, _FAILED = "SUCCESS", "ERROR"
_ERROR = "error"


class JsonSerializer(Serializer):
    """Serialises DBOS's records as JSON. Its default is pickle, which runs code when it is read."""

    def name(self) -> str:
        """The serialiser's name in records."""
        return "agentool_json"

    def serialize(self, data: Any) -> str:
        """Write a value, or an error's text."""
        return json.dumps({_ERROR: f"{type(data).__name__}: {data}"} if isinstance(data, BaseException) else [data])

    def deserialize(self, serialized_data: str) -> Any:
        """Read what `serialize` wrote."""
        read: dict[str, str] | list[Any] = json.loads(serialized_data)
        return RuntimeError(read[_ERROR]) if isinstance(read, dict) else read[0]


@dataclass(slots=True)
class _Work:
    """An attempt's work. A workflow of DBOS runs it on the attempt's event loop, in the attempt's context."""

    work: Callable[[], Awaitable[Any]]
    outcome: asyncio.Future[Any]
    context: Context
    task: asyncio.Task[Any] | None = None

    async def carry_out(self) -> None:
        self.task = asyncio.current_task()
        try:
            result = await self.work()
        except BaseException as error:
            if not self.outcome.done():
                self.outcome.set_exception(error)
                self.outcome.exception()  # marked as retrieved: the attempt may no longer wait for it
            raise
        if not self.outcome.done():
            self.outcome.set_result(result)

    async def within(self, workflow: Context) -> None:
        """Run it in the workflow's context, with the attempt's variables added."""
        for variable, value in self.context.items():
            if variable not in workflow:
                workflow.run(variable.set, value)
        running = workflow.run(asyncio.run_coroutine_threadsafe, self.carry_out(), self.outcome.get_loop())
        await asyncio.wrap_future(running)


class DurableRuns:
    """DBOS in this process, started by the first durable run.

    Args:
        database: The toolkit's database, as named in settings.
        time: The time source.
    """

    def __init__(self, database: str, time: TimeSource) -> None:
        self._database = database
        self._time = time
        self._queue = f"agentool-{uuid4().hex[:12]}"  # unique, so that no other process takes its runs
        self._works: dict[str, _Work] = {}
        self._opening: asyncio.Task[None] | None = None

    async def run(self, execution: Execution, work: Callable[[], Awaitable[T]]) -> T:
        """Run an attempt's work. Inside it, `step` returns at once the results of steps that an earlier attempt has finished.

        Raises:
            ConfigurationError: This process uses DBOS for something else.
        """
        if self._opening is None:
            self._opening = asyncio.create_task(self._open())
        await asyncio.shield(self._opening)
        attempt = _Work(work, asyncio.get_running_loop().create_future(), copy_context())
        workflow_id = await self._begin(execution, attempt)
        try:
            return await asyncio.shield(attempt.outcome)
        except asyncio.CancelledError:
            if attempt.task is not None and not attempt.outcome.done():
                attempt.task.cancel()
                await asyncio.wait([attempt.task])
                raise attempt.outcome.exception() or asyncio.CancelledError() from None
            raise
        finally:
            self._works.pop(workflow_id, None)

    async def step(self, name: str, work: Callable[[], Coroutine[Any, Any, str]]) -> str:
        """Run one step and store its text, or return the stored text."""
        return await DBOS.run_step_async({"name": name}, work)

    async def close(self) -> None:
        """Stop DBOS, if it was started. The next attempt continues interrupted runs."""
        if (opening := self._opening) is None:
            return
        await asyncio.wait([opening])
        if opening.cancelled() or opening.exception() is not None:  # the running DBOS, if any, is not ours
            return
        self._opening = None
        await DBOS.delete_queue_async(self._queue)
        await asyncio.to_thread(DBOS.destroy, workflow_completion_timeout_sec=_CLOSE_SECONDS)

    async def _open(self) -> None:
        try:
            await self._launch()
        except BaseException:
            self._opening = None  # the next run tries again
            raise

    async def _launch(self) -> None:
        works = self._works

        async def agent_run() -> None:
            work = works.get(str(DBOS.workflow_id))
            if work is None:  # its attempt was cancelled before the workflow started
                raise asyncio.CancelledError
            await work.within(copy_context())

        settings = DBOSConfig(
            name="agentool",
            serializer=JsonSerializer(),
            executor_id=self._queue,
            application_version="1",  # fixed: the workflow's own code says nothing about a run's steps
            log_level="CRITICAL",
            enable_otlp=False,
            **_place(self._database),
        )
        DBOS(config=settings)
        try:
            DBOS.listen_queues([self._queue])
        except Exception as error:
            problem = "This process uses DBOS for something else, or has two toolkits with durable agents."
            raise ConfigurationError(problem, remedy="Give the durable agents a process of their own.") from error
        try:
            self._workflow = DBOS.workflow(name=WORKFLOW)(agent_run)
            await asyncio.to_thread(DBOS.launch)
            await DBOS.register_queue_async(self._queue)
            before = (self._time.now() - KEPT).isoformat()
            while old := await DBOS.list_workflows_async(name=WORKFLOW, end_time=before, limit=_REMOVED_AT_ONCE):
                await DBOS.delete_workflows_async([workflow.workflow_id for workflow in old])
        except BaseException:
            await asyncio.to_thread(DBOS.destroy)
            raise

    async def _begin(self, execution: Execution, attempt: _Work) -> str:
        """Start the execution's first workflow, or one that continues after the last finished step. Return its id."""
        first = execution.execution_id
        this = f"{first}#{execution.attempt}"
        known = [first, *(f"{first}#{number}" for number in range(2, execution.attempt))]
        latest = next(iter(await DBOS.list_workflows_async(workflow_ids=known, sort_desc=True, limit=1)), None)
        if latest is not None and latest.status not in (_ENDED_WELL, _FAILED):
            self._works[latest.workflow_id] = attempt
            await DBOS.resume_workflow_async(latest.workflow_id, queue_name=self._queue)
            return latest.workflow_id
        begun = first if latest is None else this
        self._works[begun] = attempt
        with SetWorkflowID(begun):
            if latest is not None and (start := await _start(latest)):
                await DBOS.fork_workflow_async(latest.workflow_id, start, queue_name=self._queue)
            else:
                await DBOS.start_workflow_async(self._workflow)
        return begun


async def _start(ended: WorkflowStatus) -> int | None:
    """Return the number of the step at which a further attempt starts: the failed step, or the end of a successful run.

    None starts anew: a run that failed without a failed step would otherwise fail again in the same way.
    """
    steps = await DBOS.list_workflow_steps_async(ended.workflow_id)
    failed = (step["function_id"] for step in steps if step["error"] is not None)
    return next(failed, len(steps) + 1 if ended.status == _ENDED_WELL else None)


def _place(database: str) -> Mapping[str, Any]:
    if database.startswith(("postgresql://", "postgres://")):
        return {"system_database_url": database, "dbos_system_schema": "agentool_dbos"}
    file = Path(f"{database.removeprefix('sqlite:///')}.runs").expanduser()
    make_private(file)
    return {"system_database_url": f"sqlite:///{file}"}
