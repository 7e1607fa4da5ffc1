"""Jobs and executions as MCP resources, with notifications of changes."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import quote, unquote

import mcp_types as types
from mcp.server.connection import Connection
from mcp.server.context import ServerRequestContext
from mcp.server.session import ServerSession
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ResourceUpdated
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS

from agentool.caller import Caller, acting_as
from agentool.errors import AgenToolError, excerpt
from agentoolkit.entrypoints.mcp_server.answer_size import shorten
from agentoolkit.entrypoints.mcp_server.host import Host
from agentoolkit.entrypoints.mcp_server.task_tools import TASK_TOOLS
from agentoolkit.failure_log import log_failure
from agentoolkit.wiring import Toolkit

logger = logging.getLogger(__name__)

Context = ServerRequestContext[Any, Any]

JOB = "agentool://jobs/"
EXECUTION = "agentool://executions/"
PAGE = 50
"""Resources of one page."""
MAX_WATCHED = 1_000
"""Resources that are watched for changes at most."""
MAX_CALLER_WATCHED = 100
"""Resources that are watched for one caller without the scope ``admin``, so that one caller cannot use up all."""
WATCH_SECONDS = 1.0
"""Interval at which watched resources are read: other processes may change them too."""
_JSON = "application/json"


class JobResources:
    """Lists, reads and watches jobs and executions.

    Args:
        host: Hosts the toolkit.
        caller: Returns the caller of the current request.
    """

    def __init__(self, host: Host, caller: Callable[[], Caller]) -> None:
        self._host = host
        self._caller = caller
        self._bus = InMemorySubscriptionBus()
        self._listen = ListenHandler(self._bus)
        self._watched: Counter[tuple[str, Caller]] = Counter()
        self._digests: dict[tuple[str, Caller], str] = {}
        self._sessions: dict[str, dict[int, tuple[ServerSession, Caller]]] = {}
        """Subscribers of each resource in the older protocol, by connection."""
        self._watcher: asyncio.Task[None] | None = None

    async def list_resources(self, ctx: Context, params: types.PaginatedRequestParams | None) -> types.ListResourcesResult:
        """Return a page of jobs."""
        fields = {"limit": PAGE, "cursor": params.cursor if params else None}
        page = await self._ask("list", {name: value for name, value in fields.items() if value is not None})
        jobs = [
            types.Resource(
                name=job["job_name"],
                uri=f"{JOB}{quote(job['job_id'], safe='')}",
                description=f"{job['state']}, {job['schedule_type']} '{job['schedule']}' ({job['timezone']})",
                mime_type=_JSON,
            )
            for job in page["jobs"]
        ]
        return types.ListResourcesResult(resources=jobs, next_cursor=page["cursor"])

    async def list_templates(self, ctx: Context, params: types.PaginatedRequestParams | None) -> types.ListResourceTemplatesResult:
        """Return the URI templates of jobs and executions."""
        job = types.ResourceTemplate(
            name="job", title="Job", uri_template=f"{JOB}{{job_id}}", mime_type=_JSON, description="A job and how its last runs ended"
        )
        execution = types.ResourceTemplate(
            name="execution",
            title="Execution",
            uri_template=f"{EXECUTION}{{execution_id}}",
            mime_type=_JSON,
            description="One run of a job, with its result or error",
        )
        return types.ListResourceTemplatesResult(resource_templates=[job, execution])

    async def read(self, ctx: Context, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
        """Return a job or an execution as JSON."""
        text = await self._text(params.uri)
        return types.ReadResourceResult(contents=[types.TextResourceContents(uri=params.uri, mime_type=_JSON, text=text)])

    async def subscribe(self, ctx: Context, params: types.SubscribeRequestParams) -> types.EmptyResult:
        """Notify this client of changes of a resource, until it unsubscribes or leaves. For clients of the older protocol."""
        connection = _connection(ctx)
        if id(connection) not in self._sessions.get(params.uri, {}):
            await self._watch(params.uri)
            self._sessions.setdefault(params.uri, {})[id(connection)] = ctx.session, self._caller()
            connection.exit_stack.callback(self._forget, params.uri, id(connection))
        return types.EmptyResult()

    async def unsubscribe(self, ctx: Context, params: types.UnsubscribeRequestParams) -> types.EmptyResult:
        """End the notifications of `subscribe`."""
        self._forget(params.uri, id(_connection(ctx)))
        return types.EmptyResult()

    async def listen(self, ctx: Context, params: types.SubscriptionsListenRequestParams) -> types.SubscriptionsListenResult:
        """Notify the client of changes while it listens."""
        watched: list[str] = []
        try:
            for uri in params.notifications.resource_subscriptions or ():
                await self._watch(uri)
                watched.append(uri)
            return await self._listen(ctx, params)
        finally:
            for uri in watched:
                self._unwatch(uri, self._caller())

    async def _watch(self, uri: str) -> None:
        key = (uri, self._caller())
        if key not in self._watched:
            self._check_room(key[1])
        if key not in self._digests:
            self._digests[key] = _digest(await self._text(uri))
        self._watched[key] += 1
        if self._watcher is None or self._watcher.done():
            self._watcher = asyncio.get_running_loop().create_task(self._check_watched())

    def _check_room(self, caller: Caller) -> None:
        """Refuse a further resource above the limits of the server or of the caller. Raises `MCPError`."""
        own = sum(watcher.name == caller.name for _, watcher in self._watched)
        if len(self._watched) >= MAX_WATCHED or (own >= MAX_CALLER_WATCHED and not caller.is_admin):
            number = f"{MAX_WATCHED:,} resources are" if len(self._watched) >= MAX_WATCHED else f"{own:,} resources of yours are"
            raise MCPError(INTERNAL_ERROR, f"{number} watched already; give up some subscriptions.")

    def _forget(self, uri: str, connection: int) -> None:
        subscribers = self._sessions.get(uri, {})
        if found := subscribers.pop(connection, None):
            self._unwatch(uri, found[1])
        if not subscribers:
            self._sessions.pop(uri, None)

    def _unwatch(self, uri: str, caller: Caller) -> None:
        key = (uri, caller)
        self._watched[key] -= 1
        if self._watched[key] <= 0:
            del self._watched[key]
            self._digests.pop(key, None)

    async def _check_watched(self) -> None:
        """Check the watched resources while there are any, and notify of changes."""
        while self._watched:
            await asyncio.sleep(WATCH_SECONDS)
            for key in [*self._watched]:
                try:
                    await self._notify_if_changed(key)
                except MCPError:  # it is gone
                    pass
                except Exception:
                    log_failure(logger, "Looking at %s for its subscribers failed; looking again in %g s", key[0], WATCH_SECONDS)

    async def _notify_if_changed(self, key: tuple[str, Caller]) -> None:
        uri, caller = key
        with acting_as(caller):
            now = _digest(await self._text(uri, caller))
        if key not in self._watched or self._digests.get(key) == now:
            return
        self._digests[key] = now
        await self._bus.publish(ResourceUpdated(uri=uri))
        for session, _ in [*self._sessions.get(uri, {}).values()]:
            await session.send_resource_updated(uri)  # never raises, also if the client has gone

    async def _text(self, uri: str, caller: Caller | None = None) -> str:
        """Return the JSON of a resource. Raises `MCPError` if there is no such resource."""
        operation, field, prefix = ("get_execution", "execution_id", EXECUTION) if uri.startswith(EXECUTION) else ("get_job", "job_id", JOB)
        named = unquote(uri.removeprefix(prefix))
        if not uri.startswith(prefix) or not named:
            raise MCPError(INVALID_PARAMS, f"No resource is named {excerpt(uri)}; resources/list shows them.", data={"uri": uri})
        return json.dumps(shorten(await self._ask(operation, {field: named}, caller)), ensure_ascii=False, indent=1)

    async def _ask(self, operation: str, fields: Mapping[str, Any], caller: Caller | None = None) -> dict[str, Any]:
        """Call the scheduler. Raises `MCPError` for what it refuses."""

        async def asked(kit: Toolkit) -> dict[str, Any]:
            return (await kit.injector.run("scheduler", {"operation": operation, **fields})).data

        with acting_as(caller or self._caller()):
            try:
                return await self._host.call(asked)
            except AgenToolError as error:
                TASK_TOOLS.advise(error)
                raise MCPError(INVALID_PARAMS, str(error), data=dict(fields)) from error


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _connection(ctx: Context) -> Connection:
    """Return the connection of a request: a handler's session belongs to the request only."""
    return ctx.session._connection  # pyright: ignore[reportPrivateUsage]
