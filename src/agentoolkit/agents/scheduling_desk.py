"""What doors for language models share: whose zone holds, which job is meant by a name, and what a task's few words stand for."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, time
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from agentool.base import BaseOperationInput
from agentool.core.injector import Injector, get_injector
from agentool.errors import ConfigurationError, InvalidInput, Tried, excerpt
from agentoolkit.agents import scheduling_answers as answers
from agentoolkit.system.scheduler.errors import InvalidJob, JobNotFound
from agentoolkit.system.scheduler.jobs import JobStatus
from agentoolkit.system.scheduler.paging import PAGE, cursor_after
from agentoolkit.system.scheduler.ports import DamagedJob
from agentoolkit.system.scheduler.service import SchedulerService

_SAYS_REPEATING = re.compile(r"\s*(every|each|hourly|minutely|daily|weekly|monthly|yearly|@)", re.IGNORECASE)
_NO_TIME_OF_DAY = "no time of day given"
NEVER = "never"
_CANDIDATES = 3
_ASKS = 10
"""How often a list is asked to go on until its page is filled: by a search through 200,000 jobs."""
_SEARCHED = 200
"""Characters of a name that are searched for."""
_NAME_AN_AGENT = "Register one, by register_agent() or in AGENTOOL_AGENTS; of several, name it: Scheduling(agent='its name')."


_READS = frozenset({"list", "get_job", "preview", "status", "list_executions"})
"""Operations of the scheduler that change nothing."""


def find_scheduler(injector: Injector) -> SchedulerService:
    """Return the scheduler. Raises `ConfigurationError` where an agent runs and nobody has started one."""
    if "scheduler" not in injector:
        problem = "No scheduler is there, so nothing can be scheduled."
        raise ConfigurationError(problem, remedy="Run the agent inside `async with Toolkit():`, from agentoolkit.wiring.")
    return injector.get("scheduler").deps


@dataclass(frozen=True, slots=True)
class Desk:
    """What the operations work with: whose zone and agent hold where the model names none."""

    injector: Injector | None = None
    timezone: str | None = None
    agent: str | None = None
    is_trial: bool = False
    """Is it only asked what would be refused?"""

    @property
    def calls(self) -> Injector:
        """Where the scheduler is called."""
        return self.injector or get_injector()

    async def scheduler(self, operation: str, **fields: Any) -> dict[str, Any]:
        """Call the scheduler and return the data of its answer. Raises `Tried` on a trial, where something would be done."""
        given = {name: value for name, value in fields.items() if value is not None}
        find_scheduler(self.calls)
        if self.is_trial and operation not in _READS:
            if operation in ("schedule", "update"):
                await self.calls.run("scheduler", {"operation": operation, **given, "dry_run": True})
            raise Tried
        return (await self.calls.run("scheduler", {"operation": operation, **given})).data or {}

    def now(self) -> datetime:
        """Return the scheduler's own time."""
        return find_scheduler(self.calls).now()

    def zone(self) -> str:
        """Return the zone that holds where the model names none."""
        return self.timezone or find_scheduler(self.calls).timezone


D = TypeVar("D", bound=Desk)


def on_trial(desk: D, asked: BaseOperationInput) -> tuple[D, BaseOperationInput] | None:
    """Return what a tool is called with that is to do nothing; see `AgenTool.trial`."""
    return replace(desk, is_trial=True), asked


async def check_when(desk: Desk, when: str, zone: str | None) -> None:
    """Refuse a bare duration: nobody can tell whether '30m' is meant once or again and again."""
    if _SAYS_REPEATING.match(when):
        return
    read = await desk.scheduler("preview", schedule=when, timezone=zone, count=1)
    if read["schedule_type"] == "interval":
        problem = f"{when!r} does not say whether it is meant once or again and again."
        length = read["words"].removeprefix("every ")
        counted = length if length[:1].isdigit() else f"1 {length}"
        remedy = f"Say 'in {counted}' for once, or 'every {length}' for repeating."
        raise InvalidInput(problem, field="when", value=when, remedy=remedy)


async def read_end(desk: Desk, until: str | None, zone: str | None) -> str | None:
    """Read the last moment of a job or a pause; a day without a time of day is meant whole."""
    if until is None:
        return None
    read = await desk.scheduler("preview", schedule=until, schedule_type="once", timezone=zone, count=1)
    end = datetime.fromisoformat(read["next_runs"][0])
    if any(_NO_TIME_OF_DAY in remark for remark in read["remarks"]):
        end = datetime.combine(end.date(), time(23, 59, 59), ZoneInfo(read["timezone"]))
    return end.isoformat()


async def changed_end(desk: Desk, until: str | None, zone: str | None) -> dict[str, Any]:
    """Read a new last moment of a job; 'never' takes the one it has back."""
    if until is not None and until.strip().casefold() == NEVER:
        return {"end_at": None, "clear": ["end_at"]}
    return {"end_at": await read_end(desk, until, zone), "clear": None}


async def act_on(desk: Desk, job_id: str, name: str, action: str, until: str | None, zone: str) -> tuple[str, dict[str, Any]]:
    """Pause, resume or run a job at once. Return what to tell the model, and the scheduler's answer."""
    if action == "run_now":
        ran = await desk.scheduler("run_now", job_id=job_id)
        told = answers.told_state("Ran", name, zone, desk.now())
        return f"{told}\nresult: {answers.json_excerpt(ran['result'])}", ran
    done = await desk.scheduler(action, job_id=job_id, until=await read_end(desk, until, zone))
    return answers.told_state(f"{action.capitalize()}d", name, zone, desk.now(), done["next_run"]), done


async def resolve_target(desk: Desk, prompt: str | None, tool: str | None, data: Mapping[str, Any] | None) -> tuple[str, dict[str, Any]]:
    """Return the AgenTool and the input that a prompt, or a tool's name and input, stand for."""
    if (prompt is None) is (tool is None):
        problem = "Give either a prompt for an agent, or a tool and its input."
        raise InvalidInput(
            problem, field="prompt", remedy="For a reminder: tool 'notification', input {'operation': 'send', 'message': '…'}."
        )
    if tool is not None:
        given, operations = dict(data or {}), desk.calls.get(tool).operations
        if len(operations) == 1:  # then it need not be said
            given.setdefault("operation", next(iter(operations)))
        return tool, given
    if data is not None:
        raise InvalidInput("It belongs to a tool, and a prompt was given.", field="input", value=data, remedy="Leave it out.")
    return "agent", {"operation": "run", "agent": await _agent(desk), "prompt": prompt}


async def _agent(desk: Desk) -> str:
    if desk.agent is not None:
        return desk.agent
    known: list[str] = [] if "agent" not in desk.calls else (await desk.calls.run("agent", {"operation": "list"})).names
    if len(known) != 1:
        problem = f"Which agent runs prompts is not set, and {len(known)} are registered."
        raise ConfigurationError(problem, remedy=_NAME_AN_AGENT)
    return known[0]


async def find_twin(desk: Desk, name: str, when: str, zone: str | None, target: str) -> str | None:
    """Return the name of another job that runs the same tool on the same repeating schedule: of its first thousand jobs."""
    read = await desk.scheduler("preview", schedule=when, timezone=zone, count=1)
    wanted = (read["schedule"], read["timezone"], target)
    for job in (await read_jobs(desk, PAGE, query=_labelled("tool", target)))["jobs"]:
        same = (job["schedule"], job["timezone"], job["agentool_name"]) == wanted
        if same and job["job_name"] != name and job["schedule_type"] != "once":
            return job["job_name"]
    return None


async def show_job(desk: Desk, name: str, field: str = "name", listing: str = "list_jobs") -> dict[str, Any]:
    """Return what there is to know of a job by its name or id, also of one that was cancelled. Raises `InvalidInput`, with what is near."""
    with suppress(JobNotFound, DamagedJob):
        return await desk.scheduler("get_job", job_id=name)
    return await desk.scheduler("get_job", job_id=await find_job(desk, name, field, listing))


async def find_job(desk: Desk, name: str, field: str = "name", listing: str = "list_jobs") -> str:
    """Return the id of the job with this name or id; nothing near it is taken for it."""
    with suppress(JobNotFound, DamagedJob):  # one that is damaged is found in the list, where it can be cancelled
        details = await desk.scheduler("get_job", job_id=name)
        if details["info"]["state"] != JobStatus.CANCELLED:
            return details["job_id"]
    for job in (await read_jobs(desk, PAGE, query=_labelled("job", name)))["jobs"]:
        if name in (job["job_name"], job["job_id"]):
            return job["job_id"]
    raise await _no_such_job(desk, name, field, listing)


async def _no_such_job(desk: Desk, name: str, field: str, listing: str) -> InvalidInput:
    """Return the refusal of a name, with the jobs that it is part of, or those whose names are near: of the first thousand jobs."""
    first = await read_jobs(desk, PAGE)
    named = await read_jobs(desk, PAGE, query=query) if (query := _word(name)) else first
    names = list(dict.fromkeys(str(job["job_name"]) for job in [*first["jobs"], *named["jobs"]]))
    alike = [known for known in names if name.casefold() in known.casefold()]
    near = alike or difflib.get_close_matches(name[:200], names, n=_CANDIDATES, cutoff=0.4)
    if len(alike) > 1:
        number = f"{'at least ' if named['cursor'] else ''}{len(alike):,}"
        problem = f"{excerpt(name)} fits {number} jobs: {', '.join(map(repr, alike[:_CANDIDATES]))}. Nothing was done."
        return InvalidInput(problem, field=field, value=name, remedy="Ask the user which one, and give its whole name.")
    nearest = f"Nearest: {', '.join(map(repr, near[:_CANDIDATES]))}." if near else f"{listing} shows those there are."
    return InvalidInput(f"No job of yours is named {excerpt(name)}.", field=field, value=name, remedy=nearest)


def _labelled(key: str, text: str) -> str:
    """Write a search for a label, which may find more than what it names: its quote is any character, and so is its end."""
    value = text[:_SEARCHED].replace('"', "?") or "?"
    return f'{key}:"{value}{"*" if len(text) > _SEARCHED else ""}"'


def _word(text: str) -> str | None:
    """Write a search for the longest part of a text without a quote, for which the grammar has no sign; None: there is no such part."""
    part = max(text.split('"'), key=len)[:_SEARCHED]
    return f'"{part}"' if part else None


async def read_page(desk: Desk, operation: str, cursor: str | None, **asked: object) -> dict[str, Any]:
    """Return one page of a list. Raises `InvalidInput` where the cursor is none of its."""
    try:
        return await desk.scheduler(operation, cursor=cursor, **asked)
    except InvalidJob as error:
        if error.field != "cursor":
            raise
        problem = "No list ended there."
        raise InvalidInput(problem, field="cursor", value=cursor, remedy="Leave it out to begin anew.") from error


async def read_jobs(desk: Desk, limit: int, cursor: str | None = None, **asked: object) -> dict[str, Any]:
    """Return a page of the caller's jobs that is short only at their end: a search looks at a part of them. It is asked `_ASKS` times."""
    page: dict[str, Any] = await read_page(desk, "list", cursor, limit=limit, **asked)
    for _ in range(_ASKS - 1):
        if page["cursor"] is None or len(page["jobs"]) == limit:
            break
        more = await read_page(desk, "list", page["cursor"], limit=limit - len(page["jobs"]), **asked)
        page = {**more, "jobs": [*page["jobs"], *more["jobs"]]}
    return page


async def list_page(desk: Desk, state: str | None, limit: int, cursor: str | None, *, detailed: bool) -> tuple[str, dict[str, Any]]:
    """Tell one page of the caller's jobs, as many as fit into an answer; return it too."""
    page = await read_jobs(desk, limit, cursor, job_status=state)
    jobs, head = page["jobs"], f"now: {answers.day_and_time(desk.now(), desk.zone())} ({desk.zone()})"
    cursors = [cursor_after(job["created_at"], job["job_id"]) for job in jobs]
    lines = answers.told_jobs(jobs, detailed=detailed)
    text, told, left = answers.told_page(head, lines, cursors, page["cursor"], none="no jobs", narrow="state")
    return text, {**page, "jobs": jobs[:told], "cursor": left}
