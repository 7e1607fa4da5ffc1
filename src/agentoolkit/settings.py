"""Everything that can be set, in one object: by code, by ``AGENTOOL_*`` variables, or by a ``.env`` file.

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
from agentoolkit.setting_values import checked_database

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
    """Settings of a toolkit. What is not given is read from variables and the ``.env`` file; an empty variable is not set.

    Raises:
        InvalidSettings: A variable has no possible value.
        ValidationError: An argument has none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    database: Annotated[str, AfterValidator(checked_database)] | None = Field(
        default=None,
        description="A SQLite file or a postgresql:// URL; without it nothing outlives the process",
        examples=["~/jobs.db", "postgresql://user@host/jobs"],
    )
    durability: Durability = Field(default="full", description="For SQLite: 'full' survives a power cut, 'normal' any end of the process")
    timezone: str | None = Field(
        default=None, description="IANA zone of schedules that name none; the machine's by default", examples=["Europe/Berlin"]
    )
    day_parts: dict[DayPart, time] = Field(
        default={},
        description="Times of 'morning', 'noon', 'afternoon', 'evening' and 'night' in schedules; 9:00, 12:00, 15:00, 18:00, 21:00",
        examples=['{"morning": "08:00"}'],
    )
    languages: tuple[Language, ...] = Field(
        default=(), description="Languages in which schedules are read beside English: de, es, fr", examples=["de,fr"]
    )
    calendars: dict[str, tuple[str, ...]] = Field(
        default={},
        description="Names for 'exclude' and 'only', and what they stand for: dates, 'holidays:DE-BY', 'weekends', 'ics:PATH'",
        examples=['{"closed": ["holidays:DE", "2026-12-24"]}'],
    )
    concurrency: int = Field(default=100, ge=1, description="Executions that run at once in this process")
    executor: Literal["local", "celery", "rq"] = Field(
        default="local", description="What runs jobs that name none: this process, or workers of Celery or RQ"
    )
    queues: tuple[str, ...] = Field(
        default=("agentool",), description="Queues that a worker takes jobs from; those of jobs that name none come by 'agentool'"
    )
    sent_at_once: int = Field(
        default=2_000, ge=1, description="Executions that workers of one engine hold at once; the others wait here, the urgent first"
    )
    timeout: float | None = Field(default=300.0, gt=0, description="Seconds that a handler may take where its job says nothing")
    error_queue: str | None = Field(
        default=None, description="Queue, or https:// address, for the failures of new jobs that name none", examples=["failures"]
    )
    pause_after_failures: int | None = Field(
        default=None, ge=1, le=100, description="Failures in a row after which a new job is paused that says nothing of it", examples=["5"]
    )
    history: int = Field(default=100, ge=1, le=100_000, description="Finished executions that are kept of each job")
    history_size: int = Field(
        default=50_000_000, ge=1_000, description="Bytes of JSON that are kept of a job's results together; the oldest ones make room"
    )
    result_size: int = Field(default=10_000_000, ge=1_000, description="Bytes of JSON that a result may have; a larger one is a failure")
    freeze: bool = Field(
        default=False,
        description="Leave what stays in memory out of garbage collection, which else pauses a busy process for "
        "milliseconds; for a process that does nothing else. `agentool serve` does so",
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
    """Values that came from variables, by the setting's name."""

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
        """What was set, by code or by a variable."""
        return {found: self._value(found) for found in all_settings() if self._is_set(found)}

    def without_variables(self) -> Self:
        """Return these settings with the defaults in place of what only variables said."""
        from_variables = self._from_variables
        kept = {found: value for found, value in self.given.items() if (found.name, value) not in from_variables.items()}
        return type(self).from_values({found.name: value for found, value in kept.items()})

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Make settings of these values alone: no variable and no ``.env`` file is read."""
        made = cls.__new__(cls)
        BaseModel.__init__(made, **nested(all_settings(), values))
        return made

    def _is_set(self, setting: Setting) -> bool:
        group = self if setting.group is None else getattr(self, setting.group)
        return setting.field in group.model_fields_set

    def _value(self, setting: Setting) -> object:
        return getattr(self if setting.group is None else getattr(self, setting.group), setting.field)


def all_settings() -> tuple[Setting, ...]:
    """Return every setting there is, in the order of the page."""
    return settings_of(Settings, SettingsGroup)


def home() -> Path:
    """Return the folder of what is kept between runs: ``AGENTOOL_HOME``, else ``~/.agentool``."""
    return Path(os.path.abspath(Path(os.environ.get("AGENTOOL_HOME") or OWN_FOLDER).expanduser()))
