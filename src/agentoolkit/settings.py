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

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, SecretStr, ValidationError, model_validator

from agentoolkit.agent_settings import AgentSource
from agentoolkit.setting_sources import InvalidSettings, Setting, invalid_settings, nested, read_variables, settings_of
from agentoolkit.setting_values import LocalPath, ProgramName, checked_database, checked_web_address

__all__ = ["InvalidSettings", "Setting", "Settings", "all_settings", "home"]

Durability = Literal["normal", "full"]
DayPart = Literal["morning", "noon", "afternoon", "evening", "night"]
Language = Literal["de", "es", "fr"]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
LogFormat = Literal["text", "json"]


class SettingsGroup(BaseModel):
    """Settings of one tool."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class ShellSettings(SettingsGroup):
    """What commands may do. Nothing, by default."""

    programs: tuple[ProgramName, ...] = Field(
        default=(),
        description="Programs that the shell AgenTool may run: names and paths",
        examples=["git,/usr/local/bin/backup"],
        json_schema_extra={"variable": "PROGRAMS"},
    )
    folders: tuple[LocalPath, ...] = Field(
        default=(), description="Folders that commands may work in; by default this process's own only", examples=["/srv/data,~/reports"]
    )
    variables: tuple[str, ...] = Field(
        default=(), description="Names of variables that commands inherit and calls may set", examples=["GIT_SSH_COMMAND"]
    )
    timeout: float = Field(default=60.0, gt=0, description="Seconds that a command may take")
    output_limit: int = Field(default=1_000_000, ge=0, description="Bytes kept of each of a command's outputs")


class NotificationSettings(SettingsGroup):
    """Where notifications can be sent."""

    services: dict[str, SecretStr] = Field(
        default={}, description="Apprise URLs, by the names of targets", examples=['{"team": "slack://TOKEN/#ops"}']
    )


class SequenceSettings(SettingsGroup):
    """What sequences may do."""

    concurrency: int = Field(default=10, ge=1, description="Steps of one sequence that run at once")


class HttpSettings(SettingsGroup):
    """What requests may do."""

    allow: tuple[str, ...] = Field(
        default=(), description="Hosts and networks that requests may reach besides public addresses", examples=["127.0.0.1,10.0.0.0/8"]
    )
    signing: dict[str, SecretStr] = Field(
        default={},
        description="Host → secret with which requests to it are signed (HMAC-SHA256)",
        examples=['{"hooks.example.org": "SECRET"}'],
    )
    timeout: float = Field(default=30.0, gt=0, description="Seconds that a request may take, redirects included")
    response_limit: int = Field(default=1_000_000, ge=0, description="Bytes of a response that are read")
    redirects: int = Field(default=5, ge=0, description="Redirects that are followed")


class McpServer(BaseModel):
    """How a server is reached: a program spoken to by its standard input and output, or an address."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    command: str | None = Field(default=None, description="A program; it gets a small clean environment")
    args: tuple[str, ...] = ()
    env: dict[str, SecretStr] = Field(default={}, description="Further variables for the program")
    cwd: str | None = None
    url: str | None = Field(default=None, description="Streamable HTTP, such as http://127.0.0.1:8000/mcp")
    headers: dict[str, SecretStr] = Field(default={}, description="Sent with each request, such as Authorization")

    @model_validator(mode="after")
    def _is_one_of_two(self) -> Self:
        if (self.command is None) == (self.url is None):
            raise ValueError("give either 'command' or 'url'")
        return self


class McpSettings(SettingsGroup):
    """Which MCP servers can be called."""

    servers: dict[str, McpServer] = Field(
        default={},
        description="How MCP servers are reached, by the names that calls use",
        examples=['{"time": {"command": "uvx", "args": ["mcp-server-time"]}}'],
        json_schema_extra={"secret": True},
    )
    timeout: float = Field(default=60.0, gt=0, description="Seconds that a call of an MCP tool may take")
    answer_size: int = Field(
        default=10_000_000, ge=1_000, description="Bytes of a message of an MCP server, and characters of a tool's result"
    )


class LogSettings(SettingsGroup):
    """Where the log is written, and how much of it is kept."""

    level: LogLevel = Field(default="INFO", description="Level from which records are logged", examples=["DEBUG"])
    console: bool = Field(default=True, description="Whether the log is written to standard error")
    format: LogFormat = Field(default="text", description="Form on the console: text or json; a file always has JSON lines")
    file: LocalPath | None = Field(default=None, description="File that the log is written to as well", examples=["~/agentool.log"])
    file_size: int = Field(default=10_000_000, ge=1_000, description="Bytes at which a new log file is begun")
    files: int = Field(default=5, ge=1, description="Old log files that are kept")
    memory: int = Field(default=1_000, ge=0, description="Records that are remembered")


class MetricsSettings(SettingsGroup):
    """How many metrics there may be."""

    series: int = Field(default=1_000, ge=1, description="Combinations of labels that one metric may have")
    count: int = Field(default=1_000, ge=1, description="Metrics there may be")


class ConfigSettings(SettingsGroup):
    """Where configuration is read from."""

    files: tuple[LocalPath, ...] = Field(
        default=(), description="TOML, YAML or JSON files; a later one counts before an earlier one", examples=["app.toml,local.toml"]
    )


class MessageSettings(SettingsGroup):
    """What messages in queues may be."""

    message_size: int = Field(default=10_000_000, ge=1, description="Characters of a message in a queue, as JSON")


class KvSettings(SettingsGroup):
    """What values by key may be."""

    value_size: int = Field(default=1_000_000, ge=1, description="Characters of a value in storage_kv, as JSON")


class FileSettings(SettingsGroup):
    """Which folders storage_fs reaches, and what one call may take."""

    folders: dict[str, LocalPath] = Field(
        default={},
        description="Folders of storage_fs, by what paths into them begin with; none by default",
        examples=['{"/data": "/srv/data"}'],
        json_schema_extra={"variable": "FILES"},
    )
    size: int = Field(default=10_000_000, ge=1, description="Bytes of a file that are read or written by one call")
    tree_size: int = Field(default=10_000_000_000, ge=1, description="Bytes that are copied by one call")
    tree_entries: int = Field(default=100_000, ge=1, description="Entries copied, deleted or looked at by one call")


class TemplateSettings(SettingsGroup):
    """Where templates are kept, and what rendering one may take."""

    folder: LocalPath | None = Field(
        default=None, description="Folder of templates; without it they live in memory", examples=["~/templates"]
    )
    size: int = Field(default=100_000, ge=1, description="Characters of a template")
    output_size: int = Field(default=1_000_000, ge=1, description="Characters of what a template becomes")
    variables_size: int = Field(default=10_000_000, ge=2, description="Characters of variables, as JSON")
    seconds: float = Field(default=2.0, gt=0, description="Seconds that rendering may take")
    memory: int = Field(default=256_000_000, ge=64_000_000, description="Bytes that rendering may take, on Linux")
    processes: int = Field(default=2, ge=1, description="Templates rendered at once")


class AgentsSettings(SettingsGroup):
    """Agents that prompts can be scheduled for, and what callers without the scope ``admin`` may, such as language models."""

    registered: dict[str, AgentSource] = Field(
        default={},
        description="Agents by name: a spec file or a command, with limits and budgets",
        examples=['{"claude": {"command": ["claude", "-p", "{prompt}"], "per_day": {"runs": 10}}}'],
        json_schema_extra={"variable": "AGENTS"},
    )
    jobs: int = Field(default=50, ge=1, description="Jobs that one owner may have")
    min_interval: float = Field(default=60.0, ge=0, description="Seconds that are at least between two runs of a job")
    runs_per_day: int = Field(default=500, ge=1, description="Runs that the jobs of one owner may have in a day")
    max_depth: int = Field(default=0, ge=0, description="How deep scheduled runs may schedule further jobs; 0: not at all")
    expiry_days: float = Field(default=90.0, gt=0, description="Days after which a repeating job ends, where it says no earlier end")
    frequent_expiry_days: float = Field(default=7.0, gt=0, description="The same for a job that runs more often than hourly")
    spread: float = Field(default=50.0, ge=0, description="Seconds over which jobs on round minutes are spread; 0: not at all")
    approve: tuple[str, ...] = Field(
        default=("shell", "http", "mcp", "function", "storage_fs"),
        description="AgenTools whose jobs wait for a person's approval when a language model makes them",
        examples=["shell,http"],
    )


class EventSettings(SettingsGroup):
    """What the event bus keeps."""

    keep: int = Field(default=10_000, ge=1, description="Events that are kept for subscribers that were away, the newest ones")


class RestSettings(SettingsGroup):
    """Who may reach the API, and with what."""

    hosts: tuple[str, ...] = Field(
        default=(), description="Host names the API answers to, besides those of this machine", examples=["jobs.example.org"]
    )
    origins: tuple[str, ...] = Field(
        default=(), description="Origins whose pages may call the API, besides its own", examples=["https://panel.example.org"]
    )
    tokens: Literal["auto", "always"] = Field(
        default="auto", description="When a token is needed: 'auto': unless the address is a loopback one; or 'always'"
    )
    body_size: int = Field(default=10_000_000, ge=1_000, description="Bytes of a request's body")


class PingSettings(SettingsGroup):
    """A dead man's switch."""

    url: Annotated[SecretStr, AfterValidator(checked_web_address)] | None = Field(
        default=None, description="Address to get while this process leads and all is well", examples=["https://pings.example.org/TOKEN"]
    )
    every: float = Field(default=60.0, ge=0.01, description="Seconds between two pings")


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
    timeout: float | None = Field(default=300.0, gt=0, description="Seconds that a handler may take where its job says nothing")
    error_queue: str | None = Field(
        default=None, description="Queue, or https:// address, for the failures of new jobs that name none", examples=["failures"]
    )
    pause_after_failures: int | None = Field(
        default=None, ge=1, le=100, description="Failures in a row after which a new job is paused that says nothing of it", examples=["5"]
    )
    history: int = Field(default=100, ge=1, le=100_000, description="Finished executions that are kept of each job")
    freeze: bool = Field(
        default=False,
        description="Leave what is in memory after the opening out of garbage collection, which else pauses a busy process for "
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

    _from_variables: dict[str, object] = PrivateAttr(default={})
    """Values that came from variables, by the setting's name."""

    def __init__(self, **given: Any) -> None:
        variables = read_variables(all_settings())
        values = nested(all_settings(), {**variables, **given})
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise invalid_settings(error, all_settings(), variables.keys() - given.keys()) from None
        self._from_variables = {name: self._value(setting) for name in variables if (setting := _named(name))}

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
    return Path(os.path.abspath(Path(os.environ.get("AGENTOOL_HOME") or "~/.agentool").expanduser()))


def _named(name: str) -> Setting | None:
    return next((found for found in all_settings() if found.name == name), None)
