"""The API over a toolkit with a moved clock, called as a client would."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Protocol

import httpx2
import pytest

from agentoolkit.entrypoints.rest import create_app
from agentoolkit.testing import TestToolkit, toolkit

LIST = {"agentool_name": "queue", "input_data": {"operation": "list_queues"}}
"""A call that works without any setting."""


class Api(Protocol):
    """Calls the API; the answer is its JSON."""

    async def __call__(self, method: str, path: str, /, *, status: int = 200, **more: Any) -> Any: ...


@pytest.fixture
async def kit() -> AsyncGenerator[TestToolkit]:
    async with toolkit() as opened:
        yield opened


@pytest.fixture
async def client(kit: TestToolkit) -> AsyncGenerator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=create_app(kit))
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000/api/scheduler") as opened:
        yield opened


@pytest.fixture
def api(client: httpx2.AsyncClient) -> Api:
    async def call(method: str, path: str, /, *, status: int = 200, **more: Any) -> Any:
        answer = await client.request(method, path, **more)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == ("application/json" if status < 400 else "application/problem+json")
        return answer.json()

    return call
