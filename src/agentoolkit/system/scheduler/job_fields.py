"""The fields of a job, each declared once: type, bounds, default, description and an example.

The input model of the scheduler, task files, the command line's options, the schemas of the tools and the reference pages
are derived from them. Names and defaults are those of *Scheduler AgenToolkit*; our own fields are added.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import asdict
from typing import Annotated, Any, cast
from unicodedata import category

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, create_model

from agentool.errors import did_you_mean
from agentoolkit.system.scheduler.jobs import USUAL_POLICIES, CatchUp, ExecutorName, Gate, OnInterrupt, Overlap, Priority
from agentoolkit.system.scheduler.retention import HISTORY_LENGTH
from agentoolkit.system.scheduler.schedules import Kind
from agentoolkit.system.scheduler.schedules.bounds import MAX_JITTER, Shift
from agentoolkit.text import storable

MAX_NAME_LENGTH = 200
MAX_DESCRIPTION_LENGTH = 2_000
MAX_TAGS = 50
MAX_SECONDS = 10 * 366 * 86_400
"""Ten years, in seconds."""
_BREAKS = frozenset({"Cc", "Zl", "Zp"})
"""Unicode categories of characters that would break a name into two lines, in a log or an answer to a model."""


def _one_line(text: str) -> str:
    if not text.strip():
        raise ValueError("it is empty")
    for place, character in enumerate(storable(text)):
        if category(character) in _BREAKS:
            raise ValueError(f"a line break or another control character at position {place}; leave it out")
    return text


def _text(check: Callable[[str], str]) -> BeforeValidator:
    """Check text before pydantic does, which cannot give the position of a lone surrogate."""
    return BeforeValidator(lambda value: check(value) if isinstance(value, str) else value)


def joined_schedules(value: object) -> object:
    """Write a list of schedules as one text: ``0 9 * * 1-5; 0 12 * * 6``."""
    if not isinstance(value, list):
        return value
    parts = cast("list[object]", value)
    return "; ".join(map(str, parts)) if parts and all(isinstance(part, str) for part in parts) else parts


Text = Annotated[str, _text(storable)]
"""Text that every store and every file accepts."""
Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME_LENGTH), _text(_one_line)]
# The same, with None for a field that was not given.
MaybeText = Annotated[str | None, _text(storable)]
Schedules = Annotated[str, BeforeValidator(joined_schedules), _text(storable)]
"""One schedule, or several in a list or separated by ``;``."""
MaybeSchedule = Annotated[str | None, BeforeValidator(joined_schedules), _text(storable)]
MaybeName = Annotated[str | None, Field(min_length=1, max_length=MAX_NAME_LENGTH), _text(_one_line)]


class JobFields(BaseModel):
    """The fields of a job. None means that a field was not given."""

    model_config = ConfigDict(extra="forbid")

    job_name: MaybeName = Field(None, description="Human-readable, unique job name", examples=["hourly_metrics"])
    schedule_type: Kind | None = Field(
        None, description="Type of schedule; may be left out where the text of the schedule decides", examples=["cron"]
    )
    schedule: MaybeSchedule = Field(
        None,
        description="When: a crontab expression '0 9 * * 1-5', an interval '5 minutes', an ISO 8601 time, 'now', words, 'after JOB'",
        examples=["0 9 * * 1-5"],
    )
    agentool_name: MaybeText = Field(None, description="Name of the AgenTool to execute", examples=["metrics"])
    input_data: dict[str, Any] | None = Field(
        None, description="Input to pass to the AgenTool; checked at once", examples=[{"operation": "export", "format": "json"}]
    )
    max_instances: int | None = Field(
        1, ge=1, le=10_000, description="Maximum concurrent executions; a due time beyond that is recorded as skipped", examples=[2]
    )
    misfire_grace_time: int | None = Field(
        30, ge=1, le=MAX_SECONDS, description="Seconds after a due time that its execution may still start", examples=[300]
    )
    coalesce: bool | None = Field(True, description="Of several due times found at once, run only the latest", examples=[False])
    result_queue: MaybeText = Field(None, description="Queue name, or https:// address, to send execution results to", examples=["results"])
    error_queue: MaybeText = Field(
        None, description="Queue name, or https:// address, to send errors to; the setting's by default", examples=["errors"]
    )
    timezone: MaybeText = Field(
        None,
        description="IANA time zone, such as 'Europe/Berlin'; by default the setting's, else the machine's",
        examples=["Europe/Berlin"],
    )
    start_at: MaybeText = Field(None, description="ISO 8601 time, or words, before which nothing is due", examples=["2030-01-01T00:00:00"])
    end_at: MaybeText = Field(None, description="ISO 8601 time, or words, after which nothing is due", examples=["2030-12-31T23:59:59"])
    max_runs: int | None = Field(None, ge=1, le=10**9, description="Number of runs after which the job is done", examples=[10])
    jitter: float | None = Field(
        None,
        json_schema_extra={"minimum": 0, "maximum": MAX_JITTER},  # checked by the schedule that it belongs to
        description="Seconds by which due times are spread, the same for a due time every time; 0 by default",
        examples=[30],
    )
    exclude: list[Text] | None = Field(
        None,
        description="Dates '2026-12-25', quiet hours '22:00-06:00', 'weekends', 'holidays:DE' or names of calendars without due times",
        examples=[["2026-12-25"]],
    )
    only: list[Text] | None = Field(
        None, description="The only days with due times: dates or names of calendars", examples=[["2026-12-01/2026-12-24"]]
    )
    shift: Shift | None = Field(
        None, description="Where what falls on a day without due times goes; by default it is left out", examples=["next"]
    )
    timeout: float | None = Field(
        None,
        ge=0.001,
        le=MAX_SECONDS,
        allow_inf_nan=False,
        description="Seconds after which a running handler is cancelled; as the setting says by default",
        examples=[60],
    )
    max_retries: int | None = Field(
        None, ge=0, le=1_000, description="Further attempts at an execution whose handler raised; 0 by default", examples=[3]
    )
    # True and False are Celery's words for "a second, doubled" and "at once". Source: *Scheduler Service*, "Error Handling".
    retry_backoff: float | None = Field(
        None,
        ge=0,
        le=MAX_SECONDS,
        allow_inf_nan=False,
        description="Seconds before the first retry, doubled each time; 1 by default",
        examples=[5],
    )
    retry_on: list[Text] | None = Field(
        None, description="Names of exception classes worth a retry; by default all that may pass", examples=[["ConnectionError"]]
    )
    overlap: Overlap | None = Field(
        None, description="A due time while max_instances executions run: 'skip' it by default", examples=["queue_one"]
    )
    catch_up: CatchUp | None = Field(
        None, description="Which late due times run; by default as grace and coalesce say", examples=["latest"]
    )
    catch_up_window: int | None = Field(
        None, ge=1, le=MAX_SECONDS, description="Seconds back to which catch_up reaches; any by default", examples=[86_400]
    )
    on_interrupt: OnInterrupt | None = Field(
        None, description="An execution whose process ended: 'retry' by default, or 'fail'", examples=["fail"]
    )
    concurrency_key: MaybeName = Field(
        None, description="Executions that share it run one at a time, of whatever job", examples=["database"]
    )
    pause_after_failures: int | None = Field(
        None,
        ge=1,
        le=HISTORY_LENGTH,
        description="Failures in a row after which the job is paused; as the setting says by default, else never",
        examples=[5],
    )
    priority: Priority | None = Field(None, description="Which waiting execution goes first; 'medium' by default", examples=["high"])
    gate: Gate | None = Field(
        None,
        description="An AgenTool and its input, asked before each execution whether it is to run",
        examples=[{"agentool_name": "storage_kv", "input_data": {"operation": "exists", "key": "ready"}}],
    )
    executor: ExecutorName | None = Field(
        None, description="What runs it: 'local', or workers of 'celery' or 'rq'; as the setting says by default", examples=["celery"]
    )
    queue: Annotated[str | None, Field(max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")] = Field(
        None, description="Queue whose workers take it, where workers run it; the common one by default", examples=["gpu"]
    )
    paused: bool | None = Field(None, description="Schedule it paused", examples=[True])
    description: Annotated[str | None, Field(max_length=MAX_DESCRIPTION_LENGTH), _text(storable)] = Field(
        None, description="What the job is for", examples=["Exports the metrics"]
    )
    tags: list[Name] | None = Field(None, max_length=MAX_TAGS, description="Free labels", examples=[["nightly"]])

    def given(self) -> dict[str, Any]:
        """Return the given fields by name."""
        values, is_set = self.__dict__, self.__pydantic_fields_set__
        return {name: values[name] for name in JobFields.__pydantic_fields__ if name in is_set and values[name] is not None}


_EVERY_JOB = frozenset({"job_name", "schedule", "schedule_type", "agentool_name", "input_data", "paused"})
CLEARABLE = tuple(name for name in JobFields.model_fields if name not in _EVERY_JOB)
"""Fields that a job need not have."""


NEEDED: Mapping[str, tuple[str, ...]] = {
    "retry_backoff": ("max_retries",),
    "retry_on": ("max_retries",),
    "catch_up_window": ("catch_up",),
    "shift": ("exclude", "only"),
}
"""Fields that do nothing unless one of these others is given."""


def _clearable(name: str) -> str:
    if name not in CLEARABLE:
        raise ValueError(f"no field that can be taken back. {did_you_mean(name, CLEARABLE)}")
    return name


class JobChanges(JobFields):
    """What of a job is to be another, and what is to be as if it had never been given: null says neither."""

    clear: list[Annotated[str, AfterValidator(_clearable), Field(json_schema_extra={"enum": [*CLEARABLE]})]] | None = Field(
        None, description="Names of fields to take back, so that the job has none, or the default", examples=[["end_at"]]
    )


_NOT_OPTIONS = frozenset(
    {"job_name", "schedule_type", "schedule", "timezone", "agentool_name", "input_data", "description", "tags", "paused"}
)
"""Fields that every door shows by themselves."""
OPTIONS = tuple(name for name in JobFields.model_fields if name not in _NOT_OPTIONS)
"""The other fields of a job: every door shows these, or those that differ from the default."""
_USUAL: Mapping[str, Any] = dict.fromkeys(JobFields.model_fields) | {"jitter": 0.0} | asdict(USUAL_POLICIES)


def is_usual(name: str, value: object) -> bool:
    """Tell whether a field of a stored job has its default, as answers write it."""
    return name in _USUAL and (value == _USUAL[name] or value == [])


def options_of(info: Mapping[str, Any], *, usual: bool = False) -> dict[str, Any]:
    """Return the other fields of a job that differ from their defaults.

    Args:
        info: The job, as ``get_job`` answers it.
        usual: True for every field with a value, defaults too.
    """
    return {name: info[name] for name in OPTIONS if (info[name] is not None if usual else not is_usual(name, info[name]))}


def fields_of_job(*names: str, base: type[BaseModel]) -> type[BaseModel]:
    """Return a model with some fields of a job, for a door that takes them among others."""
    chosen: dict[str, Any] = {name: (JobFields.model_fields[name].annotation, deepcopy(JobFields.model_fields[name])) for name in names}
    return create_model(f"{base.__name__}OfJob", __base__=base, **chosen)
