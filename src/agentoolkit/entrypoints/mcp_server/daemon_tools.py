"""The tools for the scheduler itself. Source: *Scheduler Daemon Implementation*, "Daemon Control Tools"."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from agentool.caller import ADMIN, acting_as, get_caller
from agentool.context import RunContext
from agentoolkit.entrypoints.mcp_server.task_input import TaskOutput
from agentoolkit.entrypoints.mcp_server.task_tools import TaskDesk

Context = RunContext[TaskDesk]


async def get_status(ctx: Context) -> TaskOutput:
    """Say how many tasks of all users there are, and how much runs and waits."""
    status = await ctx.deps.scheduler("status")
    text = (
        f"{status['jobs'] - status['paused']} tasks of all users are active, {status['paused']} paused; "
        f"{status['executing']} run and {status['waiting']} wait in this process. {_state(status)}"
    )
    return TaskOutput(text=text, data=status)


async def daemon_status(ctx: Context) -> TaskOutput:
    """Tell whether the scheduler runs: its thread, its ticks, its queue, and which process leads."""
    return await _daemon(ctx.deps, "")


async def start_daemon(ctx: Context) -> TaskOutput:
    """Start the scheduler after scheduler_stop_daemon. It starts by itself with this server."""
    return await _operate(ctx.deps, "start", "Started. ")


async def stop_daemon(ctx: Context) -> TaskOutput:
    """Stop the scheduler, for every process on its database: tasks are kept, and nothing fires until scheduler_start_daemon."""
    return await _operate(ctx.deps, "stop", "Stopped; tasks are kept. ")


async def restart_daemon(ctx: Context) -> TaskOutput:
    """Stop and start the scheduler in one. Use it if scheduler_daemon_status shows trouble."""
    return await _operate(ctx.deps, "restart", "Restarted. ")


async def _operate(desk: TaskDesk, operation: str, said: str) -> TaskOutput:
    caller = get_caller()
    with acting_as(replace(caller, scopes=ADMIN) if desk.is_local else caller):
        await desk.scheduler(operation)
    return await _daemon(desk, said)


async def _daemon(desk: TaskDesk, said: str) -> TaskOutput:
    status = await desk.scheduler("status")
    thread, ticks = ("alive", 0) if desk.host is None else (desk.host.thread, desk.host.ticks)
    text = (
        f"{said}{_state(status)} Thread: {thread}, {ticks} ticks. "
        f"Queue: {status['executing']} running, {status['waiting']} waiting, {status['jobs']} tasks of all users."
    )
    data = {"running": status["running"], "thread": thread, "ticks": ticks, "pid": os.getpid()}
    queue = {"executing": status["executing"], "waiting": status["waiting"], "tasks": status["jobs"], "lag": status["lag"]}
    return TaskOutput(text=text, data={**data, "queue": queue, "leader": status["leader"], "leading": status["leading"]})


def _state(status: dict[str, Any]) -> str:
    if status["stopped"]:
        return "The scheduler is stopped; scheduler_start_daemon lets it go on."
    if status["leading"]:
        return "The scheduler runs in this process."
    if status["leader"]:
        return f"The scheduler runs; {status['leader']} leads and this process stands by."
    return "The scheduler runs." if status["running"] else "The scheduler does not run."
