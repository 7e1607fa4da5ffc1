"""The server under ``agentool serve --http``: uvicorn on the event loop of the scheduler, which ends with it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager
from typing import cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from agentool.errors import ConfigurationError
from agentoolkit.entrypoints.dashboard import add_pages, close_pages
from agentoolkit.entrypoints.rest.access import AccessRules
from agentoolkit.entrypoints.rest.app import create_app
from agentoolkit.entrypoints.rest.events import end_streams
from agentoolkit.entrypoints.rest.foreign_pages import is_loopback
from agentoolkit.wiring import Toolkit

GRACE_SECONDS = 3
"""How long requests under way may take after the server was asked to stop."""


HEAD_SECONDS = 10.0
"""How long the first line and the headers of a request may take to come."""


class BoundedHeads(H11Protocol):
    """HTTP/1.1 by h11, which bounds the size of a request's head; this bounds its time, which uvicorn does not."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  as the class above has it
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._unwatch()

    def _watch(self) -> None:
        """Let the time run while no request is under way; it goes on from the first byte, however few come at a time."""
        cycle = cast("RequestResponseCycle | None", self.cycle)  # None before the first request
        if cycle is not None and not cycle.response_complete:
            self._unwatch()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_SECONDS, self._cut)

    def _unwatch(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _cut(self) -> None:
        self._deadline = None
        if not self.transport.is_closing():
            self.send_400_response(f"The head of the request did not come within {HEAD_SECONDS:g} s.")


class _Server(uvicorn.Server):
    """A server that leaves signals to whoever runs it, and says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listens.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def split_address(address: str) -> tuple[str, int]:
    """Read ``host:port``, ``[::1]:port`` or a port alone, which means 127.0.0.1.

    Raises:
        ConfigurationError: It is none of these.
    """
    host, _, port = address.rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    if not port.isdecimal() or int(port) > 65_535:
        raise ConfigurationError("It is no address.", field="http", value=address, remedy="Write for example 127.0.0.1:8000.")
    return host, int(port)


@asynccontextmanager
async def serving_api(kit: Toolkit, address: str) -> AsyncGenerator[str]:
    """Serve a toolkit's API and pages inside an ``async with`` block, which is given the address.

    Raises:
        ConfigurationError: The address cannot be used.
    """
    host, port = split_address(address)
    app = add_pages(create_app(kit, access=access_rules(kit, host)))
    try:
        async with serving(app, host, port, kit.settings.rest.proxies) as at:
            try:
                yield at
            finally:
                end_streams(app)
    finally:
        await close_pages(app)


def access_rules(kit: Toolkit, host: str) -> AccessRules:
    """Return how the API of a toolkit is guarded at an address."""
    settings = kit.settings.rest
    return AccessRules(
        hosts=settings.hosts,
        origins=settings.origins,
        token_needed=settings.tokens == "always" or not is_loopback(host),
        check_token=kit.tokens.check,
        sessions=kit.sessions,
        max_body=settings.body_size,
    )


@asynccontextmanager
async def serving(app: ASGIApp, host: str, port: int, proxies: Sequence[str] = ()) -> AsyncGenerator[str]:
    """Serve inside an ``async with`` block, which is given the address.

    Args:
        app: What is served.
        host, port: Where; port 0 is any that is free.
        proxies: Addresses and networks of proxies that are believed who asks, and by which scheme.

    Raises:
        ConfigurationError: The address cannot be used.
    """
    listening = _listen(host, port)
    config = uvicorn.Config(
        app,
        http=BoundedHeads,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        server_header=False,
        forwarded_allow_ips=list(proxies),
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve([listening]), name="agentool-http")
    task.add_done_callback(lambda _: server.listens.set())  # a start that failed is waited for no longer
    try:
        await server.listens.wait()
        name = f"[{host}]" if ":" in host else host
        yield f"http://{name}:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        with contextlib.suppress(asyncio.CancelledError, TimeoutError):  # one that does not end in time is cancelled
            await asyncio.wait_for(task, GRACE_SECONDS + 2)
        listening.close()


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except OSError as error:
        raise ConfigurationError(
            f"{host}:{port} cannot be served: {error.strerror}.", field="http", value=f"{host}:{port}", remedy="Choose another port."
        ) from error
    return listening
