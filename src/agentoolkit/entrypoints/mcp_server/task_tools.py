"""The tools for tasks. Each turns its arguments into calls of the AgenTool ``scheduler``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from agentool.caller import get_caller
from agentool.context import RunContext
from agentool.errors import InvalidInput, excerpt
from agentool.flat_calls import fields_called
from agentoolkit.agents import scheduling_answers as answers
from agentoolkit.agents.scheduling_desk import Desk, ToolWords, find_job, list_page, read_page, show_job
from agentoolkit.agents.scheduling_requests import JobTarget, act_on, check_when, create_job, edit_job, prompt_target, tool_target
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
from agentoolkit.system.scheduler.decisions.admission import NEEDS_APPROVAL, resuming
from agentoolkit.system.scheduler.paging import cursor_after
from agentoolkit.system.scheduler.schedules import upstream_in
from agentoolkit.text import printable_json
from agentoolkit.transfer.commands import shell_call
from agentoolkit.transfer.translation import Untranslatable

TASK_TOOLS = ToolWords(
    noun="task",
    name="task_id",
    tool="config.agentool_name",
    state="status",
    listing="scheduler_list_tasks",
    change="scheduler_change_task",
    history="scheduler_history",
    start="scheduler_start_daemon",
)
MAX_QUESTION = 2_000
"""Characters of a question. A longer question is not asked: a person must see the whole task to approve it."""


@dataclass(frozen=True, slots=True)
class TaskDesk(Desk):
    """The dependencies of the tools."""

    codes: Codes = field(default_factory=Codes)
    host: Host | None = None
    is_local: bool = True
    """True if every caller is a person at this machine, who may start and stop the scheduler."""
    words: ToolWords = TASK_TOOLS


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
    for name, text in (("when", when), ("cron_expression", cron_expression)):
        if text is not None and not text.strip():
            raise InvalidInput("It is empty.", field=name, value=text, remedy="Leave it out, or say when the task is due.")
    if when is not None and cron_expression is not None:
        problem = "Give either when or cron_expression: both say when the task is due."
        raise InvalidInput(problem, field="cron_expression", value=cron_expression, remedy="Leave one of them out.")
    policies: dict[str, Any] = {"priority": priority, "description": description, "max_retries": MAX_RETRIES}
    if cron_expression is not None:
        policies["schedule_type"] = "cron"
    with fields_called({"when": "when" if cron_expression is None else "cron_expression"}):
        target = _target(desk, task_type, config)
        said, done = await create_job(
            desk, task_id, cron_expression or when or "now", target, timezone=timezone, job_id=task_id, **policies
        )
    return await _answer_change(desk, said, done)


async def list_tasks(
    ctx: Context, status: State | None = None, limit: int = LIST_LENGTH, cursor: str | None = None, detail: Detail = "concise"
) -> TaskOutput:
    """List your tasks, one a line, with their next runs. Use it before you schedule or change one."""
    text, page = await list_page(ctx.deps, status, limit, cursor, detailed=detail == "detailed")
    return TaskOutput(text=text, data={"tasks": page["jobs"], "cursor": page["cursor"]})


async def get_task(ctx: Context, task_id: str) -> TaskOutput:
    """Show one task: what it runs, when, its state, and how its last runs ended."""
    details = await show_job(ctx.deps, task_id)
    return TaskOutput(text=answers.told_job(details, ctx.deps.now()), data=details)


async def remove_task(ctx: Context, task_id: str, confirm: str | None = None) -> TaskOutput:
    """Remove a task for good; a person is asked first. Use scheduler_change_task with action pause if it may be wanted again."""
    desk = ctx.deps
    job_id = await find_job(desk, task_id)
    info = (await desk.scheduler("get_job", job_id=job_id))["info"]
    question = f"Remove task {task_id!r} ({info['schedule_type']} '{info['schedule']}') for good? Its history stays readable."
    if not desk.is_trial:
        about = get_caller().name, "remove", job_id, info["version"], info["created_at"]
        desk.codes.check(confirm, question, f"Task {task_id!r} was not removed.", *about)
    done = await desk.scheduler("cancel", job_id=job_id)
    said = answers.told_state(f"Removed {task_id!r}", info["timezone"], desk.now(), remarks=done["remarks"])
    return TaskOutput(text=said, data=done)


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
    """Edit, pause, resume or run a task at once, or cancel its run. An edit keeps what is not given; until ends the task, or the \
pause ('never': no end). Answers with how it stands now."""
    desk = ctx.deps
    if action != "edit":
        unused = {"when": when, "config": config, "timezone": timezone, "priority": priority, "max_retries": max_retries}
        text, done = await act_on(desk, task_id, action, until, unused)
        return TaskOutput(text=text, data=done)

    async def target(info: Mapping[str, Any]) -> JobTarget | None:
        return None if config is None else await _target(desk, "custom", config, info)

    policies: dict[str, Any] = {"priority": priority, "max_retries": max_retries}
    said, done = await edit_job(desk, task_id, target, when=when, timezone=timezone, until=until, **policies)
    return await _answer_change(desk, said, done)


async def approve_task(desk: TaskDesk, job_id: str, version: int) -> TaskOutput:
    """Resume a task that waits for approval. Raises `SchedulerError` for the field `version` if the task has changed."""
    done = await desk.scheduler("resume", job_id=job_id, version=version)
    zone = (await desk.scheduler("get_job", job_id=job_id))["info"]["timezone"]
    text = answers.told_state(f"Resumed {job_id!r}", zone, desk.now(), done["next_run"])
    return TaskOutput(text=text, data=done)


async def preview(ctx: Context, when: str, timezone: str | None = None, count: int = 5) -> TaskOutput:
    """Say what a schedule means and when it would fire, and schedule nothing. Use it when words could be read in two ways."""
    desk = ctx.deps
    await check_when(desk, when, timezone or desk.timezone)
    if (upstream := upstream_in(when)) is not None and upstream.names_job:
        await desk.scheduler("get_job", called={"job_id": "when"}, job_id=upstream.job_id)
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
    job_id = None if task_id is None else (await show_job(desk, task_id))["job_id"]
    page = await read_page(desk, "list_executions", cursor, job_id=job_id, execution_status=execution_status, limit=limit)
    runs, zone = page["history"], desk.zone()
    head = f"now: {answers.day_and_time(desk.now(), zone)} ({zone})"
    cursors = [cursor_after(run["scheduled_at"], run["execution_id"]) for run in runs]
    lines = [_run_line(run, zone) for run in runs]
    text, number, following = answers.told_page(head, lines, cursors, page["cursor"], none="no runs", narrow="execution_status")
    return TaskOutput(text=text, data={"runs": runs[:number], "cursor": following})


async def _target(desk: TaskDesk, task_type: str, config: Mapping[str, Any], info: Mapping[str, Any] | None = None) -> JobTarget:
    """Return what a task's type and config stand for; `info` is what is known of a task that is edited."""
    if task_type not in ("custom", "agent", "agentool"):
        with fields_called({"type": "task_type"}):
            call = desk.calls.get("sequence").deps.types.call(task_type, config)
        return JobTarget(call.agentool_name, call.input_data, "config")
    keys = set(config)
    if keys == {"prompt"}:
        runs_agent = info is not None and info["agentool_name"] == "agent"
        return await prompt_target(desk, config["prompt"], "config.prompt", known=info["input_data"] if info and runs_agent else None)
    if "agentool_name" in keys and keys <= {"agentool_name", "input_data"}:
        data = config.get("input_data")
        if not (data is None or isinstance(data, Mapping)):
            remedy = "Give {'operation': …} with its arguments."
            raise InvalidInput(f"It must be an object, not {excerpt(data)}.", field="config.input_data", value=data, remedy=remedy)
        return tool_target(desk, _text(config, "agentool_name"), cast("Mapping[str, Any] | None", data), "config.input_data")
    if keys == {"command"}:
        return _command_target(_text(config, "command"))
    problem = f"A task of type {task_type!r} runs an agent's prompt, a tool or a program, and the config names none of them."
    remedy = "Give {'prompt': …}, {'agentool_name': …, 'input_data': {…}} or {'command': 'program argument'}."
    raise InvalidInput(problem, field="config", value=dict(config), remedy=remedy)


def _command_target(command: str) -> JobTarget:
    try:
        call = shell_call(command)
    except Untranslatable as error:
        problem, remedy = f"{command!r} cannot be run: {error}.", "Give a program and its arguments."
        raise InvalidInput(problem, field="config.command", value=command, remedy=remedy) from error
    return JobTarget(call.agentool_name, call.input_data, "config")


def _text(config: Mapping[str, Any], key: str) -> str:
    """Return a text of a config. Raises `InvalidInput` for anything else: ``null`` is no name."""
    value = config[key]
    if not isinstance(value, str):
        raise InvalidInput(f"It must be a text, not {excerpt(value)}.", field=f"config.{key}", value=value, remedy="Write it in quotes.")
    return value


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
    text = f"{text}\nA person lets it run: `{resuming(done['job_id'])}`."
    return TaskOutput(text=text, data=done, question=question if len(question) <= MAX_QUESTION else None)


def _run_line(run: Mapping[str, Any], zone: str) -> str:
    at = answers.day_and_time(run["started_at"] or run["scheduled_at"], zone)
    error = f": {answers.one_line(str(run['error']['message']), 200)}" if run["error"] else ""
    return f"- {at} {run['job_id']}: {answers.told_end(run)}{error}, id {run['execution_id']}"
