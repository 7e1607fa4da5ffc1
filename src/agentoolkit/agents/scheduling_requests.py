"""What tools for language models ask of the scheduler: to make, edit, pause, resume and run a job, in the few words they have for it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import datetime, time
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from agentool.errors import ConfigurationError, InvalidInput, Refusals
from agentool.flat_calls import fields_called
from agentoolkit.agents import scheduling_answers as answers
from agentoolkit.agents.scheduling_desk import Desk, describe_stop, find_job, find_twin
from agentoolkit.system.scheduler.checks import checked_input
from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.execution_records import UNFINISHED, ExecutionStatus
from agentoolkit.system.scheduler.jobs import JobStatus
from agentoolkit.text import counted

Answer = tuple[str, dict[str, Any]]
"""What to tell the model, and the scheduler's data."""

_ISO_LENGTH = re.compile(r"\s*P[T\d]", re.IGNORECASE)
_IN = ("in", "en", "dans")
"""What makes a moment of a length of time, in each language that schedules are read in."""
_NO_TIME_OF_DAY = "no time of day given"
NEVER = "never"
"""As `until`: the job has no last moment any more, or the pause no end."""
_LAST_MINUTE = "at 23:59"
_NAME_AN_AGENT = (
    "Register one, by register_agent() or in AGENTOOL_AGENTS; of several, name it: Scheduling(agent='its name'), or "
    "`agentool mcp --agent NAME`."
)


class JobTarget(NamedTuple):
    """What a job calls."""

    agentool_name: str
    input_data: dict[str, Any]
    field: str
    """The argument that holds the input; empty where each field of the input is an argument."""
    is_whole: bool = True
    """Does it take the place of all that the job had as input?"""


async def create_job(
    desk: Desk,
    name: str,
    schedule: str,
    target: Awaitable[JobTarget],
    *,
    timezone: str | None,
    until: str | None = None,
    **policies: object,
) -> Answer:
    """Schedule a job. All that is refused of it is told at once."""
    zone = timezone or desk.timezone
    refusals, called, end = Refusals(), JobTarget("", {}, ""), None
    with refusals.collect():
        await check_when(desk, schedule, zone)
    with refusals.collect():
        called = await target
        _check_input(desk, called, called.input_data)
    with refusals.collect():
        end = await read_end(desk, until, zone)
    refusals.raise_all()
    twin = await find_twin(desk, name, schedule, zone, called.agentool_name)
    done = await desk.scheduler(
        "schedule",
        called={"input_data": called.field},
        job_name=name,
        schedule=schedule,
        agentool_name=called.agentool_name,
        input_data=called.input_data,
        timezone=zone,
        end_at=end,
        **policies,
    )
    done["remarks"][:0] = await describe_stop(desk)
    return answers.told_creation(done, twin), done


async def edit_job(
    desk: Desk,
    name: str,
    target: Callable[[Mapping[str, Any]], Awaitable[JobTarget | None]],
    *,
    when: str | None,
    timezone: str | None,
    until: str | None,
    **changes: object,
) -> Answer:
    """Change what is given of a job.

    Args:
        desk: Where it is asked for.
        name: Its name or id.
        target: Returns what it is to call, from what is known of the job; None: as before.
        when: Its new schedule.
        timezone: The zone of that, and of `until`; the job's own by default.
        until: Its last moment; `NEVER` takes back the one it has.
        changes: Further fields of the scheduler.
    """
    job_id = await find_job(desk, name)
    info = (await desk.scheduler("get_job", job_id=job_id))["info"]
    called, end = await _read_changes(desk, target(info), info, when, until, timezone or info["timezone"])
    done = await desk.scheduler(
        "update",
        called={"input_data": called.field if called else "", "job_name": "new_name"},
        job_id=job_id,
        schedule=when,
        timezone=timezone,
        agentool_name=called.agentool_name if called else None,
        input_data=_edited_input(info, called) if called else None,
        **end,
        **changes,
    )
    done["remarks"][:0] = await describe_stop(desk)
    return "Changed" if done["changed"] else "Unchanged:", done


async def _read_changes(
    desk: Desk, target: Awaitable[JobTarget | None], info: Mapping[str, Any], when: str | None, until: str | None, zone: str
) -> tuple[JobTarget | None, dict[str, Any]]:
    """Return what a job is to call, and its end as fields of ``update``. All refusals are raised together."""
    refusals, called, end = Refusals(), None, dict[str, Any]()
    with refusals.collect():
        if when is not None:
            await check_when(desk, when, zone)
    with refusals.collect():
        if (called := await target) is not None:
            _check_input(desk, called, _edited_input(info, called))
    with refusals.collect():
        end = await _changed_end(desk, until, zone)
    refusals.raise_all()
    return called, end


async def act_on(desk: Desk, name: str, action: str, until: str | None, unused: Mapping[str, object]) -> Answer:
    """Pause, resume or run a job at once, or cancel what runs of it.

    Raises:
        InvalidInput: There is no such job, or something is given that only an edit uses.
    """
    job_id = await find_job(desk, name)
    for field, value in {**unused, "until": None if action == "pause" else until}.items():
        if value is not None:
            raise InvalidInput(f"It is not used by action {action!r}.", field=field, value=value, remedy="Use action 'edit'.")
    zone = (await desk.scheduler("get_job", job_id=job_id))["info"]["timezone"]
    if action == "run_now":
        ran = await desk.scheduler("run_now", job_id=job_id)
        told = answers.told_state(f"Ran {name!r}", zone, desk.now())
        return f"{told}\nresult: {answers.json_excerpt(ran['result'])}", ran
    if action == "cancel_run":
        return await _cancel_runs(desk, name, job_id, zone)
    end = None if _is_never(until) else await read_end(desk, until, zone)
    done = await desk.scheduler(action, job_id=job_id, until=end)
    done["remarks"][:0] = await describe_stop(desk)
    return answers.told_state(_stands(action, name, done, zone), zone, desk.now(), done["next_run"], done["remarks"]), done


async def _cancel_runs(desk: Desk, name: str, job_id: str, zone: str) -> Answer:
    """Cancel the executions of a job that wait or run. The job stays, and its next due time with it."""
    cancelled: list[dict[str, Any]] = []
    for status in sorted(UNFINISHED):
        page = await desk.scheduler("list_executions", job_id=job_id, execution_status=status)
        for run in page["history"]:
            ended = await desk.scheduler("cancel_execution", execution_id=run["execution_id"])
            has_ended = ended["status"] not in (ExecutionStatus.CANCELLED, *UNFINISHED)  # before it could be cancelled
            cancelled += [] if has_ended else [ended]
    said = f"Cancelled {counted(len(cancelled), 'run')} of {name!r}" if cancelled else f"Nothing of {name!r} runs, so nothing was cancelled"
    details = await desk.scheduler("get_job", job_id=job_id)
    return answers.told_state(said, zone, desk.now(), details["next_run"]), {"cancelled": cancelled, "next_run": details["next_run"]}


def _stands(action: str, name: str, done: Mapping[str, Any], zone: str) -> str:
    if done["state"] == JobStatus.DONE:
        return f"Nothing of {name!r} is due any more, so it is done; edit it with a new time if it is wanted"
    until = f" until {answers.day_and_time(done['paused_until'], zone)}" if done["paused_until"] else ""
    return f"{action.capitalize()}d {name!r}{until}"


async def check_when(desk: Desk, when: str, zone: str | None) -> None:
    """Refuse what cannot be read, and a bare duration: nobody can tell whether '30m' is meant once or again and again."""
    read = await desk.scheduler("preview", schedule=when, timezone=zone, count=1)
    if read["schedule_type"] == "interval" and await _is_length(desk, when, zone):
        problem = f"{when!r} does not say whether it is meant once or again and again."
        length = read["words"].removeprefix("every ")
        counted = length if length[:1].isdigit() else f"1 {length}"
        remedy = f"Say 'in {counted}' for once, or 'every {length}' for repeating."
        raise InvalidInput(problem, field="when", value=when, remedy=remedy)


async def _is_length(desk: Desk, text: str, zone: str | None) -> bool:
    """Tell whether a text is a length of time and no more: "in 30m" is a moment, "in every 30m" is not."""
    if _ISO_LENGTH.match(text):
        return True
    for word in _IN:
        with suppress(InvalidSchedule):
            await desk.scheduler("preview", schedule=f"{word} {text}", schedule_type="once", timezone=zone, count=1)
            return True
    return False


async def read_end(desk: Desk, until: str | None, zone: str | None) -> str | None:
    """Read the last moment of a job or a pause; a day without a time of day is meant whole, today too."""
    if until is None:
        return None
    if not until.strip():
        raise InvalidInput("It is empty.", field="until", value=until, remedy="Leave it out, or give a day or a time, e.g. 'friday'.")
    try:
        read = await _read_once(desk, until, zone)
    except InvalidSchedule as refused:  # today has begun: only its end is still to come
        try:
            read = await _read_once(desk, f"{until} {_LAST_MINUTE}", zone)
        except InvalidSchedule:
            raise refused from None
        return _end_of_day(read)
    if any(_NO_TIME_OF_DAY in remark for remark in read["remarks"]):
        return _end_of_day(read)
    return str(read["next_runs"][0])


async def _changed_end(desk: Desk, until: str | None, zone: str | None) -> dict[str, Any]:
    if _is_never(until):
        return {"clear": ["end_at"]}
    return {"end_at": await read_end(desk, until, zone)}


def _is_never(until: str | None) -> bool:
    return until is not None and until.strip().casefold() == NEVER


async def _read_once(desk: Desk, until: str, zone: str | None) -> dict[str, Any]:
    return await desk.scheduler("preview", called={"schedule": "until"}, schedule=until, schedule_type="once", timezone=zone, count=1)


def _end_of_day(read: Mapping[str, Any]) -> str:
    day = datetime.fromisoformat(read["next_runs"][0]).date()
    return datetime.combine(day, time(23, 59, 59), ZoneInfo(read["timezone"])).isoformat()


async def prompt_target(desk: Desk, prompt: object, field: str, *, known: Mapping[str, Any] | None = None) -> JobTarget:
    """Return what runs a prompt: the agent of this desk, or the one that ran it so far.

    Args:
        desk: Where it is asked for.
        prompt: The prompt.
        field: The argument that holds it.
        known: Input of the job so far, where an agent runs it.
    """
    if not isinstance(prompt, str) or not prompt.strip():
        problem = "It is a text that says what the agent is to do."
        raise InvalidInput(problem, field=field, value=prompt, remedy="Write e.g. 'Summarise yesterday\\'s mail'.")
    agent = await _agent(desk) if known is None else known.get("agent")
    return JobTarget("agent", {"operation": "run", "agent": agent, "prompt": prompt}, field.rpartition(".")[0], is_whole=False)


def tool_target(desk: Desk, tool: str, data: Mapping[str, Any] | None, field: str, *, is_whole: bool = True) -> JobTarget:
    """Return what a tool's name and input stand for; its operation need not be said where it has only one."""
    with fields_called({"name": "agentool_name"}), desk.in_own_words():
        operations = desk.calls.get(tool).operations
    given = dict(data or {})
    if len(operations) == 1:
        given.setdefault("operation", next(iter(operations)))
    return JobTarget(tool, given, field, is_whole)


def _check_input(desk: Desk, called: JobTarget, data: dict[str, Any]) -> None:
    """Refuse an input that its tool would refuse, also where the schedule is refused."""
    with desk.in_own_words({"input_data": called.field}):
        checked_input(called.agentool_name, data, desk.calls)


def _edited_input(info: Mapping[str, Any], called: JobTarget) -> dict[str, Any]:
    """Return the input that a job has after an edit, which keeps what is not given of it, unless another operation is asked for."""
    known: Mapping[str, Any] = info["input_data"]
    another = called.agentool_name != info["agentool_name"] or called.input_data.get("operation", known.get("operation")) != known.get(
        "operation"
    )
    return called.input_data if called.is_whole or another else {**known, **called.input_data}


async def _agent(desk: Desk) -> str:
    if desk.agent is not None:
        return desk.agent
    known: list[str] = [] if "agent" not in desk.calls else (await desk.calls.run("agent", {"operation": "list"})).names
    if len(known) != 1:
        problem = f"Which agent runs prompts is not set, and {len(known)} are registered."
        raise ConfigurationError(problem, remedy=_NAME_AN_AGENT)
    return known[0]
