"""What doors for language models share: whose zone holds, what fields are called, and which job is meant by a name."""

from __future__ import annotations

import difflib
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from agentool.base import BaseOperationInput
from agentool.core.injector import Injector, get_injector
from agentool.errors import AgenToolError, ConfigurationError, InvalidInput, Tried, excerpt
from agentool.flat_calls import fields_called
from agentoolkit.agents import scheduling_answers as answers
from agentoolkit.system.scheduler.errors import InvalidJob, InvalidSchedule, JobExists, JobNotFound, SchedulerStopped
from agentoolkit.system.scheduler.jobs import JobStatus
from agentoolkit.system.scheduler.paging import PAGE, cursor_after
from agentoolkit.system.scheduler.ports import DamagedJob
from agentoolkit.system.scheduler.schedules.zones import zone_named
from agentoolkit.system.scheduler.service import SchedulerService
from agentoolkit.text import name_call, name_operations

_CANDIDATES = 3
_ASKS = 10
"""How often a list is asked to go on until its page is filled: by a search through 200,000 jobs."""
_SEARCHED = 200
"""Characters of a name that are searched for."""
_READS = frozenset({"list", "get_job", "preview", "status", "list_executions"})
"""Operations of the scheduler that change nothing."""


def known_zone(timezone: str | None) -> str | None:
    """Return a time zone as it is spelt. Raises `ConfigurationError`, with the nearest, where there is none of this name."""
    try:
        return None if timezone is None else zone_named(timezone)
    except InvalidSchedule as error:
        raise ConfigurationError(error.problem, field="timezone", value=timezone, remedy=error.remedy) from error


def find_scheduler(injector: Injector) -> SchedulerService:
    """Return the scheduler. Raises `ConfigurationError` where an agent runs and nobody has started one."""
    if "scheduler" not in injector:
        problem = "No scheduler is there, so nothing can be scheduled."
        raise ConfigurationError(problem, remedy="Run the agent inside `async with Toolkit():`, from agentoolkit.wiring.")
    return injector.get("scheduler").deps


@dataclass(frozen=True, slots=True)
class ToolWords:
    """What tools call what the scheduler calls otherwise, so that a refusal names what their callers know."""

    noun: str
    """What a job is called."""
    name: str
    """The argument that names a job."""
    tool: str
    """The argument that names the AgenTool to run."""
    state: str
    """The argument that asks for jobs in one state."""
    listing: str
    """The tool that lists jobs."""
    change: str
    """The tool that changes one."""
    history: str = "get_job"
    """The tool that tells past executions."""
    start: str = "`agentool start`, by the user,"
    """What starts a scheduler that was stopped."""

    @property
    def fields(self) -> dict[str, str]:
        """The arguments by the fields of the scheduler that they set."""
        fields = {"job_id": self.name, "job_name": self.name, "agentool_name": self.tool}
        return {**fields, "schedule": "when", "end_at": "until"}

    def advise(self, error: AgenToolError) -> None:
        """Put advice for callers of tools in the place of what is written for code."""
        if isinstance(error, JobExists):
            error.remedy = f"Choose another {self.name}, or change that one with {self.change}."
        elif isinstance(error, SchedulerStopped):
            error.remedy = f"Nothing runs until {self.start} starts it."
        elif error.remedy:
            named = name_operations(error.remedy, {"list": self.listing, "list_executions": self.history, "update": self.change})
            error.remedy = name_call(named, "") or None  # how to call an AgenTool in Python is of no use
        for other in error.also:
            self.advise(other)


FIVE_TOOLS = ToolWords("job", "name", "tool", "state", "list_jobs", "change_job")


@dataclass(frozen=True, slots=True)
class Desk:
    """What the operations work with: whose zone and agent hold where the model names none."""

    injector: Injector | None = None
    timezone: str | None = None
    agent: str | None = None
    is_trial: bool = False
    """Is it only asked what would be refused?"""
    words: ToolWords = FIVE_TOOLS

    def __post_init__(self) -> None:
        """Spell the zone as it is. Raises `ConfigurationError` for one that does not exist."""
        object.__setattr__(self, "timezone", known_zone(self.timezone))

    @property
    def calls(self) -> Injector:
        """Where the scheduler is called."""
        return self.injector or get_injector()

    async def scheduler(self, operation: str, *, called: Mapping[str, str] | None = None, **fields: Any) -> dict[str, Any]:
        """Call the scheduler and return the data of its answer.

        Args:
            operation: One of its operations.
            called: What its fields are called in this call, where the words of the tools are not enough.
            fields: Its fields; those that are None are left out.

        Raises:
            AgenToolError: It refuses, in the words of the tools.
            Tried: On a trial, where something would be done.
        """
        given = {"operation": operation, **{name: value for name, value in fields.items() if value is not None}}
        find_scheduler(self.calls)
        with self.in_own_words(called):
            if self.is_trial and operation not in _READS:
                if operation in ("schedule", "update"):
                    await self.calls.run("scheduler", {**given, "dry_run": True})
                raise Tried
            return (await self.calls.run("scheduler", given)).data or {}

    @contextmanager
    def in_own_words(self, called: Mapping[str, str] | None = None) -> Generator[None]:
        """Let what is refused inside a ``with`` block name the arguments of the tools, and advise their callers."""
        with fields_called({**self.words.fields, **(called or {})}):
            try:
                yield
            except AgenToolError as error:
                self.words.advise(error)
                raise

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


async def find_twin(desk: Desk, name: str, when: str, zone: str | None, target: str) -> str | None:
    """Return the name of another job that runs the same tool on the same repeating schedule: of its first thousand jobs."""
    read = await desk.scheduler("preview", schedule=when, timezone=zone, count=1)
    wanted = (read["schedule"], read["timezone"], target)
    for job in (await read_jobs(desk, PAGE, query=_labelled("tool", target)))["jobs"]:
        same = (job["schedule"], job["timezone"], job["agentool_name"]) == wanted
        if same and job["job_name"] != name and job["schedule_type"] != "once":
            return job["job_name"]
    return None


async def describe_stop(desk: Desk) -> list[str]:
    """Return a remark if the scheduler was stopped, so that nothing of what is scheduled runs; empty if it was not."""
    if not (await desk.scheduler("status"))["stopped"]:
        return []
    return [f"the scheduler is stopped: nothing runs until {desk.words.start} starts it"]


async def show_job(desk: Desk, name: str) -> dict[str, Any]:
    """Return what there is to know of a job by its name or id, also of one that was cancelled. Raises `InvalidInput`, with what is near."""
    with suppress(JobNotFound, DamagedJob):
        return await desk.scheduler("get_job", job_id=name)
    return await desk.scheduler("get_job", job_id=await find_job(desk, name))


async def find_job(desk: Desk, name: str) -> str:
    """Return the id of the job with this name or id; nothing near it is taken for it."""
    removed: dict[str, Any] | None = None
    with suppress(JobNotFound, DamagedJob):  # one that is damaged is found in the list, where it can be cancelled
        details = await desk.scheduler("get_job", job_id=name)
        if details["info"]["state"] != JobStatus.CANCELLED:
            return details["job_id"]
        removed = details["info"]
    for job in (await read_jobs(desk, PAGE, query=_labelled("job", name)))["jobs"]:
        if name in (job["job_name"], job["job_id"]):
            return job["job_id"]
    raise await _no_such_job(desk, name) if removed is None else _removed_before(desk, name, removed)


def _removed_before(desk: Desk, name: str, info: Mapping[str, Any]) -> InvalidInput:
    ended = answers.day_and_time(info["ended_at"], info["timezone"])
    problem = f"{desk.words.noun.capitalize()} {excerpt(name)} was removed already, on {ended} ({info['timezone']})."
    return InvalidInput(problem, field=desk.words.name, value=name, remedy="If it is wanted again, schedule it anew.")


async def _no_such_job(desk: Desk, name: str) -> InvalidInput:
    """Return the refusal of a name, with the jobs that it is part of, or those whose names are near: of the first thousand jobs."""
    first = await read_jobs(desk, PAGE)
    named = await read_jobs(desk, PAGE, query=query) if (query := _word(name)) else first
    names = list(dict.fromkeys(str(job["job_name"]) for job in [*first["jobs"], *named["jobs"]]))
    alike = [known for known in names if name.casefold() in known.casefold()]
    noun = desk.words.noun
    near = alike or difflib.get_close_matches(name[:200], names, n=_CANDIDATES, cutoff=0.4)
    if len(alike) > 1:
        number = f"{'at least ' if named['cursor'] else ''}{len(alike):,}"
        problem = f"{excerpt(name)} fits {number} {noun}s: {', '.join(map(repr, alike[:_CANDIDATES]))}. Nothing was done."
        return InvalidInput(problem, field=desk.words.name, value=name, remedy="Ask the user which one, and give its whole name.")
    nearest = f"Nearest: {', '.join(map(repr, near[:_CANDIDATES]))}." if near else f"{desk.words.listing} shows those there are."
    return InvalidInput(f"No {noun} of yours is named {excerpt(name)}.", field=desk.words.name, value=name, remedy=nearest)


def _labelled(key: str, text: str) -> str:
    """Write a search for a label, which may find more than what it names: its quote is any character, and so is its end."""
    value = text[:_SEARCHED].replace('"', "?") or "?"
    return f'{key}:"{value}{"*" if len(text) > _SEARCHED else ""}"'


def _word(text: str) -> str | None:
    """Write a search for the longest part of a text without a quote, for which the grammar has no sign; None: there is no such part."""
    part = max(text.split('"'), key=len)[:_SEARCHED]
    return f'"{part}"' if part else None


async def read_page(desk: Desk, operation: str, cursor: str | None, **asked: Any) -> dict[str, Any]:
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
    head = "\n".join([head, *(f"note: {remark}" for remark in await describe_stop(desk))])
    cursors = [cursor_after(job["created_at"], job["job_id"]) for job in jobs]
    lines = answers.told_jobs(jobs, detailed=detailed)
    text, told, left = answers.told_page(head, lines, cursors, page["cursor"], none=f"no {desk.words.noun}s", narrow=desk.words.state)
    return text, {**page, "jobs": jobs[:told], "cursor": left}
