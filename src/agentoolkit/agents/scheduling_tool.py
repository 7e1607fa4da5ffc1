"""Five operations by which a language model schedules: each turns its few words into one call of the AgenTool ``scheduler``."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from agentool.agentool import AgenTool, create_agentool
from agentool.context import RunContext
from agentool.core.injector import Injector, get_injector
from agentool.errors import ConfigurationError, InvalidInput, excerpt
from agentoolkit.agents import scheduling_answers as answers
from agentoolkit.agents.scheduling_input import LIST_LENGTH, Action, Detail, SchedulingInput, SchedulingOutput, State

NAME = "scheduling"

_SAYS_REPEATING = re.compile(r"\s*(every|each|hourly|minutely|daily|weekly|monthly|yearly|@)", re.IGNORECASE)
_NO_TIME_OF_DAY = "no time of day given"
_CANDIDATES = 3


@dataclass(frozen=True, slots=True)
class Desk:
    """What the operations work with: whose zone and agent hold where the model names none."""

    injector: Injector | None = None
    timezone: str | None = None
    agent: str | None = None

    @property
    def calls(self) -> Injector:
        """Where the scheduler is called."""
        return self.injector or get_injector()

    async def scheduler(self, operation: str, **fields: Any) -> dict[str, Any]:
        """Call the scheduler and return the data of its answer."""
        given = {name: value for name, value in fields.items() if value is not None}
        return (await self.calls.run("scheduler", {"operation": operation, **given})).data or {}

    async def jobs(self) -> list[dict[str, Any]]:
        """Return all jobs that the caller may see, page by page."""
        page = await self.scheduler("list")
        jobs: list[dict[str, Any]] = page["jobs"]
        while page.get("cursor"):
            page = await self.scheduler("list", cursor=page["cursor"])
            jobs += page["jobs"]
        return jobs

    def now(self) -> datetime:
        """Return the scheduler's own time."""
        return self.calls.get("scheduler").deps.now()

    def zone(self) -> str:
        """Return the zone that holds where the model names none."""
        return self.timezone or self.calls.get("scheduler").deps.timezone


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
    zone = timezone or desk.timezone
    await _check_when(desk, when, zone)
    target, data = await _target(desk, prompt, tool, input)
    end = await _end(desk, until, zone)
    twin = await _twin(desk, name, when, zone, target)
    done = await desk.scheduler(
        "schedule",
        job_name=name,
        schedule=when,
        agentool_name=target,
        input_data=data,
        timezone=zone,
        end_at=end,
        max_runs=max_runs,
    )
    if done["created"] and twin:
        done["remarks"].append(f"{twin!r} runs the same at the same time: is one of them too many?")
    said = "Scheduled" if done["created"] else "Already there:"
    return SchedulingOutput(text=answers.told_change(said, done, desk.now()), data=done)


async def list_jobs(
    ctx: Context, state: State | None = None, limit: int = LIST_LENGTH, cursor: str | None = None, detail: Detail = "concise"
) -> SchedulingOutput:
    """List your jobs, one a line, with their next runs. Use it before you schedule or change one."""
    jobs = await ctx.deps.jobs()
    if cursor is not None:
        places = [place for place, job in enumerate(jobs) if job["job_id"] == cursor]
        if not places:
            raise InvalidInput("No list ended there.", field="cursor", value=cursor, remedy="Leave it out to begin anew.")
        jobs = jobs[places[0] + 1 :]
    jobs = [job for job in jobs if state in (None, job["state"])]
    shown = jobs[:limit]
    left = shown[-1]["job_id"] if len(jobs) > limit else None
    text, left = answers.told_list(shown, ctx.deps.now(), ctx.deps.zone(), detailed=detail == "detailed", left=left)
    return SchedulingOutput(text=text, data={"jobs": shown, "cursor": left})


async def get_job(ctx: Context, name: str) -> SchedulingOutput:
    """Show one job: what it does, when, its state, and how its last runs ended."""
    job_id = await _found(ctx.deps, name)
    details = await ctx.deps.scheduler("get_job", job_id=job_id)
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
    """Edit, pause, resume or run a job at once. An edit keeps what is not given; until ends it, or the pause. \
Answers with how the job stands now."""
    desk = ctx.deps
    job_id = await _found(desk, name)
    info = (await desk.scheduler("get_job", job_id=job_id))["info"]
    zone = timezone or info["timezone"]
    changes = {"when": when, "prompt": prompt, "input": input, "new_name": new_name, "timezone": timezone}
    if action == "edit":
        return await _edited(desk, job_id, info, {**changes, "until": await _end(desk, until, zone)})
    given = [field for field, value in changes.items() if value is not None]
    if given or (until is not None and action != "pause"):
        wrong = given[0] if given else "until"
        raise InvalidInput(
            f"It is not used by action {action!r}.", field=wrong, value=changes.get(wrong, until), remedy="Use action 'edit'."
        )
    if action == "run_now":
        return await _run_now(desk, job_id, name, zone)
    done = await desk.scheduler(action, job_id=job_id, until=await _end(desk, until, zone))
    text = answers.told_state(f"{action.capitalize()}d", name, zone, desk.now(), done["next_run"])
    return SchedulingOutput(text=text, data=done)


async def cancel_job(ctx: Context, name: str) -> SchedulingOutput:
    """Remove a job for good. Use change_job with action pause if it may be wanted again."""
    job_id = await _found(ctx.deps, name)
    info = (await ctx.deps.scheduler("get_job", job_id=job_id))["info"]
    done = await ctx.deps.scheduler("cancel", job_id=job_id)
    return SchedulingOutput(text=answers.told_state("Cancelled", name, info["timezone"], ctx.deps.now()), data=done)


HANDLERS = {"schedule": schedule, "list_jobs": list_jobs, "get_job": get_job, "change_job": change_job, "cancel_job": cancel_job}

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
    return create_agentool(NAME, SchedulingInput, HANDLERS, deps=desk, description=description, examples=EXAMPLES, injector=home)


async def _edited(desk: Desk, job_id: str, info: Mapping[str, Any], changes: Mapping[str, Any]) -> SchedulingOutput:
    if changes["when"] is not None:
        await _check_when(desk, changes["when"], changes["timezone"] or info["timezone"])
    data: dict[str, Any] | None = changes["input"]
    if changes["prompt"] is not None:
        if info["agentool_name"] != "agent":
            problem = f"This job runs the tool {info['agentool_name']!r}, which takes no prompt."
            raise InvalidInput(problem, field="prompt", value=changes["prompt"], remedy="Give `input` instead.")
        data = {**info["input_data"], **(data or {}), "prompt": changes["prompt"]}
    done = await desk.scheduler(
        "update",
        job_id=job_id,
        schedule=changes["when"],
        timezone=changes["timezone"],
        end_at=changes["until"],
        job_name=changes["new_name"],
        input_data=data,
    )
    said = "Changed" if done["changed"] else "Unchanged:"
    return SchedulingOutput(text=answers.told_change(said, done, desk.now()), data=done)


async def _run_now(desk: Desk, job_id: str, name: str, zone: str) -> SchedulingOutput:
    done = await desk.scheduler("run_now", job_id=job_id)
    text = answers.told_state("Ran", name, zone, desk.now())
    return SchedulingOutput(text=f"{text}\nresult: {answers.excerpt(str(done['result']))}", data=done)


async def _check_when(desk: Desk, when: str, zone: str | None) -> None:
    """Refuse a bare duration: nobody can tell whether '30m' is meant once or again and again."""
    if _SAYS_REPEATING.match(when):
        return
    read = await desk.scheduler("preview", schedule=when, timezone=zone, count=1)
    if read["schedule_type"] == "interval":
        problem = f"{when!r} does not say whether it is meant once or again and again."
        length = read["words"].removeprefix("every ")
        remedy = f"Say 'in {_counted(length)}' for once, or 'every {length}' for repeating."
        raise InvalidInput(problem, field="when", value=when, remedy=remedy)


def _counted(length: str) -> str:
    return length if length[:1].isdigit() else f"1 {length}"


async def _end(desk: Desk, until: str | None, zone: str | None) -> str | None:
    """Read the last moment of a job or a pause; a day without a time of day is meant whole."""
    if until is None:
        return None
    read = await desk.scheduler("preview", schedule=until, schedule_type="once", timezone=zone, count=1)
    end = datetime.fromisoformat(read["next_runs"][0])
    if any(_NO_TIME_OF_DAY in remark for remark in read["remarks"]):
        end = datetime.combine(end.date(), time(23, 59, 59), ZoneInfo(read["timezone"]))
    return end.isoformat()


async def _target(desk: Desk, prompt: str | None, tool: str | None, data: Mapping[str, Any] | None) -> tuple[str, dict[str, Any]]:
    if (prompt is None) is (tool is None):
        problem = "Give either a prompt for an agent, or a tool and its input."
        raise InvalidInput(
            problem, field="prompt", remedy="For a reminder: tool 'notification', input {'operation': 'send', 'message': '…'}."
        )
    if tool is not None:
        return tool, _with_operation(desk, tool, dict(data or {}))
    if data is not None:
        raise InvalidInput("It belongs to a tool, and a prompt was given.", field="input", value=data, remedy="Leave it out.")
    return "agent", {"operation": "run", "agent": await _agent(desk), "prompt": prompt}


def _with_operation(desk: Desk, tool: str, data: dict[str, Any]) -> dict[str, Any]:
    """Let a tool's only operation be understood."""
    operations = desk.calls.get(tool).operations
    if "operation" not in data and len(operations) == 1:
        data["operation"] = next(iter(operations))
    return data


async def _agent(desk: Desk) -> str:
    if desk.agent is not None:
        return desk.agent
    known: list[str] = [] if "agent" not in desk.calls else (await desk.calls.run("agent", {"operation": "list"})).names
    if len(known) != 1:
        problem = f"Which agent runs prompts is not set, and {len(known)} are registered."
        raise ConfigurationError(problem, remedy="Register one, or give Scheduling(agent='its name').")
    return known[0]


async def _twin(desk: Desk, name: str, when: str, zone: str | None, target: str) -> str | None:
    """Return the name of another job that runs the same tool on the same repeating schedule."""
    read = await desk.scheduler("preview", schedule=when, timezone=zone, count=1)
    wanted = (read["schedule"], read["timezone"], target)
    for job in await desk.jobs():
        same = (job["schedule"], job["timezone"], job["agentool_name"]) == wanted
        if same and job["job_name"] != name and job["schedule_type"] != "once":
            return job["job_name"]
    return None


async def _found(desk: Desk, name: str) -> str:
    """Return the id of the job with this name or id; nothing near it is taken for it."""
    jobs: Sequence[Mapping[str, Any]] = await desk.jobs()
    for job in jobs:
        if name in (job["job_name"], job["job_id"]):
            return job["job_id"]
    names = [str(job["job_name"]) for job in jobs]
    alike = [known for known in names if name.casefold() in known.casefold()]
    near = alike or difflib.get_close_matches(name[:200], names, n=_CANDIDATES, cutoff=0.4)
    if len(alike) > 1:
        problem = f"{excerpt(name)} fits {len(alike)} jobs: {', '.join(map(repr, alike[:_CANDIDATES]))}. Nothing was done."
        raise InvalidInput(problem, field="name", value=name, remedy="Ask the user which one, and give its whole name.")
    nearest = f"Nearest: {', '.join(map(repr, near[:_CANDIDATES]))}." if near else "list_jobs shows those there are."
    raise InvalidInput(f"No job of yours is named {excerpt(name)}.", field="name", value=name, remedy=nearest)
