"""The pages over a toolkit with a moved clock, asked for as a browser would."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Protocol

import httpx2
import pytest

from agentoolkit.entrypoints.dashboard import add_pages
from agentoolkit.entrypoints.rest import create_app
from agentoolkit.settings import Settings
from agentoolkit.testing import TestToolkit, toolkit

LIST = {"operation": "list_queues"}
"""An input with which the AgenTool ``queue`` works without any setting."""


class Browse(Protocol):
    """Asks for a page; the answer is its HTML."""

    async def __call__(self, path: str, /, *, status: int = 200, **more: Any) -> str: ...


@pytest.fixture
async def kit() -> AsyncGenerator[TestToolkit]:
    settings = Settings.from_values({"timezone": "UTC", "functions": ("tests.pages",)})
    async with toolkit("2030-01-02T10:24:00+00:00", settings) as opened:
        yield opened


@pytest.fixture
async def client(kit: TestToolkit) -> AsyncGenerator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=add_pages(create_app(kit)))
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as opened:
        yield opened


@pytest.fixture
def browse(client: httpx2.AsyncClient) -> Browse:
    async def get(path: str, /, *, status: int = 200, **more: Any) -> str:
        answer = await client.get(path, **more)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["content-security-policy"].startswith("default-src 'self';")
        return answer.text

    return get


async def schedule(kit: TestToolkit, name: str, when: str = "every hour", **more: Any) -> None:
    """Schedule a job that lists the queues, unless it is to do something else."""
    job = {"agentool_name": "queue", "input_data": LIST, "job_name": name, "schedule": when, **more}
    await kit.injector.run("scheduler", {"operation": "schedule", **job})
