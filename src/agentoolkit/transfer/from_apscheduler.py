"""Translate the jobs of an APScheduler 3 scheduler into inputs of the scheduler AgenTool.

APScheduler is not imported: the kind of a trigger is read from the name of its class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from agentool.references import has_references
from agentoolkit.json_values import NotJson, json_copy
from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.job_fields import MAX_SECONDS
from agentoolkit.system.scheduler.schedules.cron import wall_times
from agentoolkit.system.scheduler.schedules.cron_text import normal_cron
from agentoolkit.system.scheduler.schedules.zones import zone_named
from agentoolkit.transfer.cron_fields import cron_text
from agentoolkit.transfer.translation import Untranslatable

_UNKNOWN = object()
_DEFAULTS: Mapping[str, Any] = {"max_instances": 1, "coalesce": True, "misfire_grace_time": 1}
"""APScheduler's own defaults."""


class RefusedJob(NamedTuple):
    """A job that cannot be translated, and why."""

    job_id: str
    reason: str


class Imported(NamedTuple):
    """The translated jobs of a scheduler, and the refused ones."""

    inputs: Sequence[dict[str, Any]]
    """An input of operation ``schedule`` for each job; each job calls the AgenTool ``function``."""
    refused: Sequence[RefusedJob]


def import_apscheduler(scheduler: Any) -> Imported:
    """Translate the jobs of an APScheduler 3 scheduler. It is only read: stop it before you schedule the inputs."""
    inputs: list[dict[str, Any]] = []
    refused: list[RefusedJob] = []
    # Jobs get the scheduler's defaults only at its start.
    defaults = {**_DEFAULTS, **getattr(scheduler, "_job_defaults", {})}
    for job in scheduler.get_jobs():
        try:
            inputs.append(_translated(job, defaults))
        except Untranslatable as error:
            refused.append(RefusedJob(str(job.id), str(error)))
    return Imported(inputs, refused)


def _translated(job: Any, defaults: Mapping[str, Any]) -> dict[str, Any]:
    function = str(job.func_ref or "")
    module, _, name = function.partition(":")
    if not (module and name.isidentifier()):
        raise Untranslatable(f"{function or job.func!r} is not a function at the top of a module")
    arguments = {"args": list(job.args), "kwargs": dict(job.kwargs)}
    try:
        given = {kind: json_copy(values, kind) for kind, values in arguments.items() if values}
    except NotJson as error:
        raise Untranslatable(f"its arguments are not JSON: {error}") from None
    if has_references(given):
        raise Untranslatable("one of its arguments has '!ref:', which would be a reference here")
    policies = {name: getattr(job, name, defaults[name]) for name in _DEFAULTS}
    if policies["misfire_grace_time"] is None:
        # No limit in APScheduler, so the longest one here: to leave the field out would mean 30 seconds.
        policies["misfire_grace_time"] = MAX_SECONDS
    # A paused job has no next run; a job of a scheduler that was never started has no such attribute.
    paused = {"paused": True} if getattr(job, "next_run_time", _UNKNOWN) is None else {}
    described = {"description": str(job.name)} if job.name and job.name != job.id else {}
    return {
        "operation": "schedule",
        "job_id": str(job.id),
        "job_name": str(job.id),
        **_when(job.trigger),
        "agentool_name": "function",
        "input_data": {"operation": "call", "function": function, **given},
        **policies,
        **paused,
        **described,
    }


def _when(trigger: Any) -> dict[str, Any]:
    kind = type(trigger).__name__
    if kind not in _TRIGGERS:
        raise Untranslatable(f"its trigger is a {kind}; cron, interval and date triggers can be translated")
    start, end, jitter = (getattr(trigger, name, None) for name in ("start_date", "end_date", "jitter"))
    times = {"start_at": start and start.isoformat(), "end_at": end and end.isoformat(), "jitter": jitter and float(jitter)}
    return {**_TRIGGERS[kind](trigger), **{name: value for name, value in times.items() if value is not None}}


def _cron(trigger: Any) -> dict[str, Any]:
    text = cron_text(trigger.fields)
    try:
        wall_times(normal_cron(text))
    except InvalidSchedule as error:
        raise Untranslatable(f"as a crontab it would be {text!r}: {error.problem}") from None
    if not (zone := _named(trigger.timezone)):
        raise Untranslatable(f"its zone {str(trigger.timezone)!r} has no IANA name, such as 'Europe/Berlin'")
    return {"schedule_type": "cron", "schedule": text, **zone}


def _interval(trigger: Any) -> dict[str, Any]:
    seconds = trigger.interval.total_seconds()
    if seconds != int(seconds):
        raise Untranslatable(f"its interval of {seconds} s is not a whole number of seconds")
    return {"schedule_type": "interval", "schedule": f"{int(seconds)} seconds", **_named(trigger.timezone)}


def _date(trigger: Any) -> dict[str, Any]:
    return {"schedule_type": "once", "schedule": trigger.run_date.isoformat(), **_named(trigger.run_date.tzinfo)}


_TRIGGERS: Mapping[str, Callable[[Any], dict[str, Any]]] = {"CronTrigger": _cron, "IntervalTrigger": _interval, "DateTrigger": _date}


def _named(zone: Any) -> dict[str, str]:
    """Return the zone's IANA name as a field; no field if it has none, such as an offset."""
    try:
        return {"timezone": zone_named(str(zone))}
    except InvalidSchedule:
        return {}
