"""The tools for tasks. Each turns its arguments into calls of the AgenTool ``scheduler``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from agentool.caller import get_caller
from agentool.context import RunContext
from agentool.errors import InvalidInput, Refusals, excerpt
from agentoolkit.agents import scheduling_answers as answers
from agentoolkit.agents.scheduling_desk import (
    Desk,
    act_on,
    changed_end,
    check_when,
    find_job,
    find_twin,
    list_page,
    read_page,
    resolve_target,
    show_job,
)
from agentoolkit.entrypoints.mcp_server.confirmation import Codes
from agentoolkit.entrypoints.mcp_server.host import Host
from agentoolkit.entrypoints.mcp_server.task_input import (
    LIST_LENGTH,
    MAX_RETRIES,
    Action,
    Detail,
    ExecutionState,
    Priority,
    State,
    TaskOutput,
)
from agentoolkit.system.scheduler.decisions.admission import NEEDS_APPROVAL
from agentoolkit.system.scheduler.paging import cursor_after
from agentoolkit.text import printable_json
from agentoolkit.transfer.commands import shell_call
from agentoolkit.transfer.translation import Untranslatable

_LISTING = "scheduler_list_tasks"
MAX_QUESTION = 2_000
"""Characters of a question. A longer question is not asked: a person must see the whole task to approve it."""


@dataclass(frozen=True, slots=True)
class TaskDesk(Desk):
    """The dependencies of the tools."""

    codes: Codes = field(default_factory=Codes)
    host: Host | None = None
    is_local: bool = True
    """True if every caller is a person at this machine, who may start and stop the scheduler."""

    async def find(self, task_id: str) -> str:
        """Return the id of the task with an id or name. Raises `InvalidInput`, which names similar tasks."""
        return await find_job(self, task_id, "task_id", _LISTING)

    async def show(self, task_id: str) -> dict[str, Any]:
        """Return the details of a task, also of a removed one. Raises as `find`."""
        return await show_job(self, task_id, "task_id", _LISTING)


Context = RunContext[TaskDesk]


async def add_task(
    ctx: Context,
    task_id: str,
    config: dict[str, Any],
    task_type: str = "custom",
    when: str | None = None,
    cron_expression: str | None = None,
    timezone: str | None = None,
    priority: Priority = "medium",
    description: str | None = None,
) -> TaskOutput:
    """Schedule a task: a tool, a program or an agent's prompt, once or repeating. Look with scheduler_list_tasks before; to alter \
one, use scheduler_change_task. Answers with the reading, zone and next runs."""
    desk = ctx.deps
    zone = timezone or desk.timezone
    refusals, schedule, called = Refusals(), "", ("", dict[str, Any]())
    with refusals.collect():
        schedule = await _schedule_text(desk, when, cron_expression, zone)
    with refusals.collect():
        called = await _target(desk, task_type, config)
    refusals.raise_all()
    target, data = called
    twin = await find_twin(desk, task_id, schedule, zone, target)
    done = await desk.scheduler(
        "schedule",
        job_id=task_id,
        job_name=task_id,
        schedule=schedule,
        schedule_type="cron" if cron_expression is not None else None,
        agentool_name=target,
        input_data=data,
        timezone=zone,
        priority=priority,
        description=description,
        max_retries=MAX_RETRIES,
    )
    said = answers.told_creation(done, twin)
    return await _answer_change(desk, said, done)


async def list_tasks(
    ctx: Context, status: State | None = None, limit: int = LIST_LENGTH, cursor: str | None = None, detail: Detail = "concise"
) -> TaskOutput:
    """List your tasks, one a line, with their next runs. Use it before you schedule or change one."""
    text, page = await list_page(ctx.deps, status, limit, cursor, detailed=detail == "detailed")
    return TaskOutput(text=text, data={"tasks": page["jobs"], "cursor": page["cursor"]})


async def get_task(ctx: Context, task_id: str) -> TaskOutput:
    """Show one task: what it runs, when, its state, and how its last runs ended."""
    details = await ctx.deps.show(task_id)
    return TaskOutput(text=answers.told_job(details, ctx.deps.now()), data=details)


async def remove_task(ctx: Context, task_id: str, confirm: str | None = None) -> TaskOutput:
    """Remove a task for good; a person is asked first. Use scheduler_change_task with action pause if it may be wanted again."""
    desk = ctx.deps
    job_id = await desk.find(task_id)
    info = (await desk.scheduler("get_job", job_id=job_id))["info"]
    question = f"Remove task {task_id!r} ({info['schedule_type']} '{info['schedule']}') for good? Its history stays readable."
    if not desk.is_trial:
        about = get_caller().name, "remove", job_id, info["version"], info["created_at"]
        desk.codes.check(confirm, question, f"Task {task_id!r} was not removed.", *about)
    done = await desk.scheduler("cancel", job_id=job_id)
    return TaskOutput(text=answers.told_state("Removed", task_id, info["timezone"], desk.now()), data=done)


async def change_task(
    ctx: Context,
    task_id: str,
    action: Action,
    when: str | None = None,
    config: dict[str, Any] | None = None,
    timezone: str | None = None,
    until: str | None = None,
    priority: Priority | None = None,
    max_retries: int | None = None,
) -> TaskOutput:
    """Edit, pause, resume or run a task at once. An edit keeps what is not given; until ends the task, or the pause ('never': no end). \
Answers with how it stands now."""
    desk = ctx.deps
    job_id = await desk.find(task_id)
    info = (await desk.scheduler("get_job", job_id=job_id))["info"]
    zone = timezone or info["timezone"]
    changes = {"when": when, "config": config, "timezone": timezone, "priority": priority, "max_retries": max_retries}
    if action == "edit":
        return await _edit_task(desk, job_id, info, {**changes, **await changed_end(desk, until, zone)})
    for name, value in {**changes, "until": None if action == "pause" else until}.items():
        if value is not None:
            raise InvalidInput(f"It is not used by action {action!r}.", field=name, value=value, remedy="Use action 'edit'.")
    text, done = await act_on(desk, job_id, task_id, action, until, zone)
    return TaskOutput(text=text, data=done)


async def approve_task(desk: TaskDesk, job_id: str, version: int) -> TaskOutput:
    """Resume a task that waits for approval. Raises `SchedulerError` for the field `version` if the task has changed."""
    done = await desk.scheduler("resume", job_id=job_id, version=version)
    zone = (await desk.scheduler("get_job", job_id=job_id))["info"]["timezone"]
    text = answers.told_state("Resumed", job_id, zone, desk.now(), done["next_run"])
    return TaskOutput(text=text, data=done)


async def preview(ctx: Context, when: str, timezone: str | None = None, count: int = 5) -> TaskOutput:
    """Say what a schedule means and when it would fire, and schedule nothing. Use it when words could be read in two ways."""
    desk = ctx.deps
    await check_when(desk, when, timezone or desk.timezone)
    read = await desk.scheduler("preview", schedule=when, timezone=timezone or desk.timezone, count=count)
    zone = str(read["timezone"])
    runs = [f"next: {answers.day_and_time(run, zone)}" for run in read["next_runs"]]
    notes = [f"note: {remark}" for remark in read["remarks"]]
    lines = [f"{read['words']} ({zone}).", f"now: {answers.day_and_time(desk.now(), zone)}", *runs]
    return TaskOutput(text=answers.within(lines, notes, ""), data=read)


async def history(
    ctx: Context,
    task_id: str | None = None,
    execution_status: ExecutionState | None = None,
    limit: int = LIST_LENGTH,
    cursor: str | None = None,
) -> TaskOutput:
    """List past runs, the newest first: of one task or of all, with how they ended and why. Use it to explain what went wrong."""
    desk = ctx.deps
    job_id = None if task_id is None else (await desk.show(task_id))["job_id"]
    page = await read_page(desk, "list_executions", cursor, job_id=job_id, execution_status=execution_status, limit=limit)
    runs, zone = page["history"], desk.zone()
    head = f"now: {answers.day_and_time(desk.now(), zone)} ({zone})"
    cursors = [cursor_after(run["scheduled_at"], run["execution_id"]) for run in runs]
    lines = [_run_line(run, zone) for run in runs]
    text, number, following = answers.told_page(head, lines, cursors, page["cursor"], none="no runs", narrow="execution_status")
    return TaskOutput(text=text, data={"runs": runs[:number], "cursor": following})


async def _schedule_text(desk: TaskDesk, when: str | None, cron_expression: str | None, zone: str | None) -> str:
    if when is not None and cron_expression is not None:
        problem = "Give either when or cron_expression: both say when the task is due."
        raise InvalidInput(problem, field="cron_expression", value=cron_expression, remedy="Leave one of them out.")
    if cron_expression is not None:
        return cron_expression
    if when is None:
        return "now"
    await check_when(desk, when, zone)
    return when


async def _target(desk: TaskDesk, task_type: str, config: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the AgenTool and its input for a task's type and config."""
    if task_type not in ("custom", "agent", "agentool"):
        call = desk.calls.get("sequence").deps.types.call(task_type, config)
        return call.agentool_name, call.input_data
    keys = set(config)
    if keys == {"prompt"}:
        return await resolve_target(desk, str(config["prompt"]), None, None)
    if "agentool_name" in keys and keys <= {"agentool_name", "input_data"}:
        data = config.get("input_data")
        if not (data is None or isinstance(data, Mapping)):
            remedy = "Give {'operation': …} with its arguments."
            raise InvalidInput(f"It must be an object, not {excerpt(data)}.", field="config.input_data", value=data, remedy=remedy)
        return await resolve_target(desk, None, str(config["agentool_name"]), cast("Mapping[str, Any] | None", data))
    if keys == {"command"} and isinstance(config["command"], str):
        try:
            call = shell_call(config["command"])
        except Untranslatable as error:
            problem, remedy = f"{config['command']!r} cannot be run: {error}.", "Give a program and its arguments."
            raise InvalidInput(problem, field="config.command", value=config["command"], remedy=remedy) from error
        return call.agentool_name, call.input_data
    problem = f"A task of type {task_type!r} runs an agent's prompt, a tool or a program, and the config names none of them."
    remedy = "Give {'prompt': …}, {'agentool_name': …, 'input_data': {…}} or {'command': 'program argument'}."
    raise InvalidInput(problem, field="config", value=dict(config), remedy=remedy)


async def _edit_task(desk: TaskDesk, job_id: str, info: Mapping[str, Any], changes: Mapping[str, Any]) -> TaskOutput:
    if changes["when"] is not None:
        await check_when(desk, changes["when"], changes["timezone"] or info["timezone"])
    target, data = (None, None) if changes["config"] is None else await _target(desk, "custom", changes["config"])
    done = await desk.scheduler(
        "update",
        job_id=job_id,
        schedule=changes["when"],
        timezone=changes["timezone"],
        end_at=changes["end_at"],
        clear=changes["clear"],
        agentool_name=target,
        input_data=data,
        priority=changes["priority"],
        max_retries=changes["max_retries"],
    )
    return await _answer_change(desk, "Changed" if done["changed"] else "Unchanged:", done)


async def _answer_change(desk: TaskDesk, said: str, done: dict[str, Any]) -> TaskOutput:
    """Return the answer to a change, with a question if the task waits for a person's approval."""
    text = answers.told_change(said, done, desk.now())
    if not str(done["reason"]).startswith(NEEDS_APPROVAL):
        return TaskOutput(text=text, data=done)
    info = (await desk.scheduler("get_job", job_id=done["job_id"]))["info"]
    why = str(info["reason"]).removeprefix(NEEDS_APPROVAL)
    question = (
        f"May task {done['job_name']!r} run, {done['words']}? It calls {info['agentool_name']} {printable_json(info['input_data'])} ({why})"
    )
    text = f"{text}\nA person lets it run: `agentool resume {done['job_name']}`."
    return TaskOutput(text=text, data=done, question=question if len(question) <= MAX_QUESTION else None)


def _run_line(run: Mapping[str, Any], zone: str) -> str:
    at = answers.day_and_time(run["started_at"] or run["scheduled_at"], zone)
    error = f": {answers.excerpt(str(run['error']['message']), 200)}" if run["error"] else ""
    return f"- {at} {run['job_id']}: {answers.told_end(run)}{error}, id {run['execution_id']}"
