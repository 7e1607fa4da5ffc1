"""Five operations by which a language model schedules: each turns its few words into one call of the AgenTool ``scheduler``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from agentool.agentool import AgenTool, create_agentool
from agentool.context import RunContext
from agentool.core.injector import Injector
from agentool.errors import InvalidInput
from agentool.hints import Hints
from agentoolkit.agents import scheduling_answers as answers
from agentoolkit.agents.scheduling_desk import Desk, find_job, list_page, on_trial, show_job
from agentoolkit.agents.scheduling_input import LIST_LENGTH, Action, Detail, SchedulingInput, SchedulingOutput, State
from agentoolkit.agents.scheduling_requests import JobTarget, act_on, create_job, edit_job, prompt_target, tool_target

NAME = "scheduling"

Context = RunContext[Desk]


async def schedule(
    ctx: Context,
    name: str,
    when: str,
    prompt: str | None = None,
    tool: str | None = None,
    input: dict[str, Any] | None = None,
    timezone: str | None = None,
    until: str | None = None,
    max_runs: int | None = None,
) -> SchedulingOutput:
    """Schedule a prompt or a tool, once or repeating. Use it only if list_jobs shows no such job; to alter one, use change_job. \
Answers with the reading, zone and next runs."""
    desk = ctx.deps
    target = _target(desk, prompt, tool, input)
    said, done = await create_job(desk, name, when, target, timezone=timezone, until=until, max_runs=max_runs)
    return SchedulingOutput(text=answers.told_change(said, done, desk.now()), data=done)


async def list_jobs(
    ctx: Context, state: State | None = None, limit: int = LIST_LENGTH, cursor: str | None = None, detail: Detail = "concise"
) -> SchedulingOutput:
    """List your jobs, one a line, with their next runs. Use it before you schedule or change one."""
    text, page = await list_page(ctx.deps, state, limit, cursor, detailed=detail == "detailed")
    return SchedulingOutput(text=text, data={"jobs": page["jobs"], "cursor": page["cursor"]})


async def get_job(ctx: Context, name: str) -> SchedulingOutput:
    """Show one job: what it does, when, its state, and how its last runs ended."""
    details = await show_job(ctx.deps, name)
    return SchedulingOutput(text=answers.told_job(details, ctx.deps.now()), data=details)


async def change_job(
    ctx: Context,
    name: str,
    action: Action,
    new_name: str | None = None,
    when: str | None = None,
    prompt: str | None = None,
    input: dict[str, Any] | None = None,
    timezone: str | None = None,
    until: str | None = None,
) -> SchedulingOutput:
    """Edit, pause, resume or run a job at once, or cancel its run. An edit keeps what is not given; until ends it, or the pause \
('never': no end). Answers with how the job stands now."""
    desk = ctx.deps
    if action != "edit":
        unused = {"when": when, "prompt": prompt, "input": input, "new_name": new_name, "timezone": timezone}
        text, done = await act_on(desk, name, action, until, unused)
        return SchedulingOutput(text=text, data=done)
    target = partial(_edited_target, desk, prompt=prompt, data=input)
    said, done = await edit_job(desk, name, target, when=when, timezone=timezone, until=until, job_name=new_name)
    return SchedulingOutput(text=answers.told_change(said, done, desk.now()), data=done)


async def cancel_job(ctx: Context, name: str) -> SchedulingOutput:
    """Remove a job for good. Use change_job with action pause if it may be wanted again."""
    job_id = await find_job(ctx.deps, name)
    info = (await ctx.deps.scheduler("get_job", job_id=job_id))["info"]
    done = await ctx.deps.scheduler("cancel", job_id=job_id)
    said = answers.told_state(f"Cancelled {name!r}", info["timezone"], ctx.deps.now(), remarks=done["remarks"])
    return SchedulingOutput(text=said, data=done)


HANDLERS = {"schedule": schedule, "list_jobs": list_jobs, "get_job": get_job, "change_job": change_job, "cancel_job": cancel_job}

HINTS = {
    "schedule": Hints("Schedule a job", destroys=False, repeats_safely=True),
    "list_jobs": Hints.looking("List jobs"),
    "get_job": Hints.looking("Show a job"),
    "change_job": Hints("Change or run a job"),
    "cancel_job": Hints("Cancel a job", repeats_safely=True, reaches_out=False),
}

EXAMPLES = (
    {"operation": "schedule", "name": "daily summary", "when": "every weekday at 9:00", "prompt": "Summarise yesterday's mail"},
    {"operation": "list_jobs", "state": "active"},
    {"operation": "get_job", "name": "daily summary"},
    {"operation": "change_job", "name": "daily summary", "action": "edit", "when": "every weekday at 8:00"},
    {"operation": "cancel_job", "name": "daily summary"},
)


def create_scheduling_tool(
    home: Injector, *, calls: Injector | None = None, timezone: str | None = None, agent: str | None = None
) -> AgenTool[Desk]:
    """Make the AgenTool ``scheduling``: a way of speaking to the scheduler rather than a further tool.

    Args:
        home: Where to register it; an injector of its own keeps it out of the catalogue of what can be scheduled.
        calls: Where the scheduler is registered; the current injector when called, by default.
        timezone: IANA zone that holds where the model names none; the scheduler's by default.
        agent: Name of the agent that runs prompts; the only one there is, by default.
    """
    desk = Desk(calls, timezone, agent)
    description = "Schedules prompts and tools for language models."
    return create_agentool(
        NAME,
        SchedulingInput,
        HANDLERS,
        deps=desk,
        description=description,
        examples=EXAMPLES,
        hints=HINTS,
        trial=on_trial,
        injector=home,
    )


async def _target(desk: Desk, prompt: str | None, tool: str | None, data: dict[str, Any] | None) -> JobTarget:
    if (prompt is None) is (tool is None):
        problem = "Give either a prompt for an agent, or a tool and its input."
        remedy = "For a reminder: tool 'notification', input {'operation': 'send', 'message': '…'}."
        raise InvalidInput(problem, field="prompt", remedy=remedy)
    if tool is not None:
        return tool_target(desk, tool, data, "input")
    if data is not None:
        raise InvalidInput("It belongs to a tool, and a prompt was given.", field="input", value=data, remedy="Leave it out.")
    return await prompt_target(desk, prompt, "prompt")


async def _edited_target(desk: Desk, info: Mapping[str, Any], *, prompt: str | None, data: dict[str, Any] | None) -> JobTarget | None:
    tool = str(info["agentool_name"])
    if prompt is not None and tool != "agent":
        problem = f"This job runs the tool {tool!r}, which takes no prompt."
        raise InvalidInput(problem, field="prompt", value=prompt, remedy="Give `input` instead.")
    if prompt is not None:
        called = await prompt_target(desk, prompt, "prompt", known=info["input_data"])
        return called._replace(input_data={**(data or {}), **called.input_data})
    return None if data is None else tool_target(desk, tool, data, "input", is_whole=False)
