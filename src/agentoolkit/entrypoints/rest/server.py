"""The server of ``agentool serve --http``: uvicorn on the scheduler's event loop. It ends with the scheduler."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager

import uvicorn
from starlette.types import ASGIApp

from agentool.errors import ConfigurationError, excerpt
from agentoolkit.entrypoints.dashboard import add_pages, close_pages
from agentoolkit.entrypoints.from_here import is_loopback
from agentoolkit.entrypoints.rest.access import AccessRules
from agentoolkit.entrypoints.rest.app import create_app
from agentoolkit.entrypoints.rest.events import end_streams
from agentoolkit.entrypoints.slow_clients import BoundedClients
from agentoolkit.wiring import Toolkit

GRACE_SECONDS = 3
"""Time for running requests to end after the server was asked to stop."""


class _Server(uvicorn.Server):
    """A server that does not handle signals, and has an event for when it listens."""

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
        ConfigurationError: The address has none of these forms.
    """
    host, _, port = address.rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    if not port.isdecimal() or int(port) > 65_535:
        remedy = "Write for example 127.0.0.1:8000."
        raise ConfigurationError(f"Invalid address {excerpt(address)}.", field="http", value=address, remedy=remedy)
    return host, int(port)


@asynccontextmanager
async def serving_api(kit: Toolkit, address: str) -> AsyncGenerator[str]:
    """Serve a toolkit's API and pages while an ``async with`` block lasts. Gives the URL.

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
    """Return the rules of access for a toolkit's API at an address."""
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
    """Serve an application while an ``async with`` block lasts. Gives the URL.

    Args:
        app: The application.
        host, port: Address to listen on; port 0 chooses a free port.
        proxies: Addresses and networks of trusted proxies, which state the client's address and scheme.

    Raises:
        ConfigurationError: The address cannot be used.
    """
    listening = _listen(host, port)
    config = uvicorn.Config(
        app,
        http=BoundedClients,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        server_header=False,
        forwarded_allow_ips=list(proxies),
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve([listening]), name="agentool-http")
    task.add_done_callback(lambda _: server.listens.set())  # ends the wait below if the start fails
    try:
        await server.listens.wait()
        name = f"[{host}]" if ":" in host else host
        yield f"http://{name}:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        with contextlib.suppress(asyncio.CancelledError, TimeoutError):  # after the timeout the task is cancelled
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
