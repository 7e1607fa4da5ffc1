"""All settings in one object. Values come from code, from ``AGENTOOL_*`` variables, or from a ``.env`` file.

This file imports no tool: each tool takes its own group of settings. A group's field is the variable ``AGENTOOL_`` plus the
group and the field in capitals, such as ``AGENTOOL_SHELL_TIMEOUT``; the same words in small letters are a keyword of
`Settings`: ``Settings(shell_timeout=5)`` means ``Settings(shell=ShellSettings(timeout=5))``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import time
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, ValidationError

from agentoolkit.own_folder import OWN_FOLDER
from agentoolkit.setting_groups import (
    AgentsSettings,
    CelerySettings,
    ConfigSettings,
    EventSettings,
    FileSettings,
    HttpSettings,
    KvSettings,
    LogSettings,
    McpServer,
    McpSettings,
    MessageSettings,
    MetricsSettings,
    NotificationSettings,
    PingSettings,
    RedisSettings,
    RestSettings,
    SequenceSettings,
    SettingsGroup,
    ShellSettings,
    TemplateSettings,
)
from agentoolkit.setting_sources import InvalidSettings, Setting, invalid_settings, nested, read_variables, settings_of
from agentoolkit.setting_values import Count, Seconds, checked_database

__all__ = [
    "AgentsSettings",
    "CelerySettings",
    "ConfigSettings",
    "EventSettings",
    "FileSettings",
    "HttpSettings",
    "InvalidSettings",
    "KvSettings",
    "LogSettings",
    "McpServer",
    "McpSettings",
    "MessageSettings",
    "MetricsSettings",
    "NotificationSettings",
    "PingSettings",
    "RedisSettings",
    "RestSettings",
    "SequenceSettings",
    "Setting",
    "Settings",
    "SettingsGroup",
    "ShellSettings",
    "TemplateSettings",
    "all_settings",
    "home",
]

Durability = Literal["normal", "full"]
DayPart = Literal["morning", "noon", "afternoon", "evening", "night"]
Language = Literal["de", "es", "fr"]


class Settings(BaseModel):
    """Settings of a toolkit. Values not given in code are read from variables and the ``.env`` file; an empty variable is not set.

    Raises:
        InvalidSettings: A variable has an invalid value.
        ValidationError: An argument has an invalid value.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    database: Annotated[str, AfterValidator(checked_database)] | None = Field(
        default=None,
        repr=False,  # it may hold a password
        description="A SQLite file or a postgresql:// URL; without it all data is lost when the process ends",
        examples=["~/jobs.db", "postgresql://user@host/jobs"],
    )
    durability: Durability = Field(default="full", description="For SQLite: 'full' survives a power cut, 'normal' any end of the process")
    timezone: str | None = Field(
        default=None, description="IANA zone of schedules that name none; by default the machine's", examples=["Europe/Berlin"]
    )
    day_parts: dict[DayPart, time] = Field(
        default={},
        description="Times of 'morning', 'noon', 'afternoon', 'evening' and 'night'; by default 9:00, 12:00, 15:00, 18:00, 21:00",
        examples=['{"morning": "08:00"}'],
    )
    languages: tuple[Language, ...] = Field(
        default=(), description="Languages of schedules besides English: de, es, fr", examples=["de,fr"]
    )
    calendars: dict[str, tuple[str, ...]] = Field(
        default={},
        description="Calendars for 'exclude' and 'only', by name; entries are dates, 'holidays:DE-BY', 'weekends' or 'ics:PATH'",
        examples=['{"closed": ["holidays:DE", "2026-12-24"]}'],
    )
    concurrency: Count = Field(default=100, ge=1, description="Executions that run at once in this process")
    executor: Literal["local", "celery", "rq"] = Field(
        default="local", description="Executor of jobs that name none: 'local' for this process, or Celery's or RQ's workers"
    )
    queues: tuple[str, ...] = Field(
        default=("agentool",), description="Queues that a worker takes jobs from; jobs that name no queue use 'agentool'"
    )
    sent_at_once: Count = Field(
        default=2_000, ge=1, description="Executions that workers hold at once for one engine; further ones wait here, by priority"
    )
    timeout: Seconds | None = Field(default=300.0, gt=0, description="Seconds that a handler may take if its job sets no timeout")
    error_queue: str | None = Field(
        default=None, description="Queue, or https:// address, for failures of new jobs that name none", examples=["failures"]
    )
    pause_after_failures: int | None = Field(
        default=None, ge=1, le=100, description="Failures in a row that pause a new job, if the job sets no number", examples=["5"]
    )
    history: Count = Field(default=100, ge=1, le=100_000, description="Finished executions that are kept of each job")
    history_size: Count = Field(
        default=50_000_000, ge=1_000, description="Bytes of JSON that all results of a job may have together; the oldest ones are dropped"
    )
    result_size: Count = Field(
        default=10_000_000, ge=1_000, description="Bytes of JSON that a result may have; a larger result is a failure"
    )
    freeze: bool = Field(
        default=False,
        description="Exclude long-lived objects from garbage collection, which otherwise pauses a busy process for "
        "milliseconds. Only for a process that does nothing else; `agentool serve` sets it",
    )
    plugins: tuple[str, ...] = Field(
        default=(),
        description="Entry points of the group 'agentool.tools', or 'module:function', whose AgenTools are registered",
        examples=["lamps:register"],
    )
    functions: tuple[str, ...] = Field(
        default=(), description="Prefixes 'package.module' under which the function AgenTool may call", examples=["reports,shutil"]
    )
    shell: ShellSettings = ShellSettings()
    http: HttpSettings = HttpSettings()
    mcp: McpSettings = McpSettings()
    notification: NotificationSettings = NotificationSettings()
    sequence: SequenceSettings = SequenceSettings()
    queue: MessageSettings = MessageSettings()
    kv: KvSettings = KvSettings()
    files: FileSettings = FileSettings()
    config: ConfigSettings = ConfigSettings()
    templates: TemplateSettings = Field(default=TemplateSettings(), json_schema_extra={"variable": "TEMPLATE"})
    log: LogSettings = LogSettings()
    metrics: MetricsSettings = MetricsSettings()
    agents: AgentsSettings = AgentsSettings()
    events: EventSettings = EventSettings()
    rest: RestSettings = RestSettings()
    ping: PingSettings = PingSettings()
    celery: CelerySettings = CelerySettings()
    redis: RedisSettings = RedisSettings()

    _from_variables: dict[str, object] = PrivateAttr(default={})
    """Values read from variables, by setting name."""

    def __init__(self, **given: Any) -> None:
        variables = read_variables(all_settings())
        values = nested(all_settings(), {**variables, **given})
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise invalid_settings(error, all_settings(), variables.keys() - given.keys()) from None
        self._from_variables = {setting.name: self._value(setting) for setting in all_settings() if setting.name in variables}

    @property
    def given(self) -> dict[Setting, object]:
        """The settings with a value from code or a variable."""
        return {found: self._value(found) for found in all_settings() if found.field in self._group_of(found).model_fields_set}

    def or_local_redis(self) -> Self:
        """Return the settings of a worker and of Celery's commands. See `CelerySettings.or_local_redis`."""
        return self.model_copy(update={"celery": self.celery.or_local_redis()})

    def without_variables(self) -> Self:
        """Return a copy in which settings from variables have their defaults again."""
        from_variables = self._from_variables
        kept = {found: value for found, value in self.given.items() if (found.name, value) not in from_variables.items()}
        return type(self).from_values({found.name: value for found, value in kept.items()})

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Create settings from these values alone: no variable and no ``.env`` file is read."""
        made = cls.__new__(cls)
        BaseModel.__init__(made, **nested(all_settings(), values))
        return made

    def _group_of(self, setting: Setting) -> BaseModel:
        return self if setting.group is None else getattr(self, setting.group)

    def _value(self, setting: Setting) -> object:
        return getattr(self._group_of(setting), setting.field)


def all_settings() -> tuple[Setting, ...]:
    """Return every setting, in the order of the page."""
    return settings_of(Settings, SettingsGroup)


def home() -> Path:
    """Return the folder for data that outlives a process: ``AGENTOOL_HOME``, else ``~/.agentool``."""
    return Path(os.path.abspath(Path(os.environ.get("AGENTOOL_HOME") or OWN_FOLDER).expanduser()))


def own_database() -> str:
    """Return where the command line, and what starts a scheduler by itself, keep jobs if no setting names a database."""
    return str(home() / "agentool.db")
