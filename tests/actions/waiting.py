"""Waiting for what takes real time, such as a program, under a clock that is moved by hand."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agentoolkit.testing import TestToolkit


async def history(kit: TestToolkit, job_id: str) -> list[dict[str, Any]]:
    """Return a job's executions as soon as none goes on, ten seconds at most; the oldest first."""
    for _ in range(1000):
        answer = await kit.injector.run("scheduler", {"operation": "list_executions", "job_id": job_id})
        if all(execution["finished_at"] for execution in answer.data["history"]):
            return answer.data["history"][::-1]
        await asyncio.sleep(0.01)
    return pytest.fail("the executions did not end within ten seconds")
