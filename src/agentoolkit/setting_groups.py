"""Groups of settings, one for each tool. `Settings` has a field for each group, and hands the group to its tool."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from agentoolkit.agent_settings import AgentSource
from agentoolkit.setting_values import (
    Count,
    Days,
    LocalPath,
    Network,
    ProgramName,
    Seconds,
    checked_broker,
    checked_redis,
    checked_web_address,
)

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
LogFormat = Literal["text", "json"]


class SettingsGroup(BaseModel):
    """Settings of one tool."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class ShellSettings(SettingsGroup):
    """What commands may do. By default, nothing."""

    programs: tuple[ProgramName, ...] = Field(
        default=(),
        description="Programs that the shell AgenTool may run: names and paths",
        examples=["git,/usr/local/bin/backup"],
        json_schema_extra={"variable": "PROGRAMS"},
    )
    folders: tuple[LocalPath, ...] = Field(
        default=(), description="Folders that commands may work in; by default only this process's own", examples=["/srv/data,~/reports"]
    )
    variables: tuple[str, ...] = Field(
        default=(), description="Names of variables that commands inherit and calls may set", examples=["GIT_SSH_COMMAND"]
    )
    timeout: Seconds = Field(default=60.0, gt=0, description="Seconds that a command may take")
    output_limit: Count = Field(default=1_000_000, ge=0, description="Bytes kept of each of a command's outputs")


class NotificationSettings(SettingsGroup):
    """Where notifications can be sent."""

    services: dict[str, SecretStr] = Field(
        default={}, description="Apprise URLs, by target name", examples=['{"team": "slack://TOKEN/#ops"}']
    )


class SequenceSettings(SettingsGroup):
    """What sequences may do."""

    concurrency: Count = Field(default=10, ge=1, description="Steps of one sequence that run at once")


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
    timeout: Seconds = Field(default=30.0, gt=0, description="Seconds that a request may take, redirects included")
    response_limit: Count = Field(default=1_000_000, ge=0, description="Bytes of a response that are read")
    redirects: Count = Field(default=5, ge=0, description="Redirects that are followed")


class McpServer(BaseModel):
    """The way to an MCP server: a program with its standard input and output, or an address."""

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
        description="MCP servers by name, each a program or an address",
        examples=['{"time": {"command": "uvx", "args": ["mcp-server-time"]}}'],
        json_schema_extra={"secret": True},
    )
    timeout: Seconds = Field(default=60.0, gt=0, description="Seconds that a call of an MCP tool may take")
    answer_size: Count = Field(
        default=10_000_000, ge=1_000, description="Bytes of a message of an MCP server, and characters of a tool's result"
    )


class LogSettings(SettingsGroup):
    """Where the log is written, and how many records are kept."""

    level: LogLevel = Field(default="INFO", description="Level from which records are logged", examples=["DEBUG"])
    console: bool = Field(default=True, description="Whether the log is written to standard error")
    format: LogFormat = Field(default="text", description="Format on the console: text or json; a file always has JSON lines")
    file: LocalPath | None = Field(default=None, description="File that the log is written to as well", examples=["~/agentool.log"])
    file_size: Count = Field(default=10_000_000, ge=1_000, description="Bytes after which a new log file begins")
    files: Count = Field(default=5, ge=1, description="Old log files that are kept")
    memory: Count = Field(default=1_000, ge=0, description="Records that are kept in memory")


class MetricsSettings(SettingsGroup):
    """Limits of metrics."""

    series: Count = Field(default=1_000, ge=1, description="Combinations of labels that one metric may have")
    count: Count = Field(default=1_000, ge=1, description="Largest number of metrics")


class ConfigSettings(SettingsGroup):
    """Where configuration is read from."""

    files: tuple[LocalPath, ...] = Field(
        default=(), description="TOML, YAML or JSON files; a later file overrides an earlier one", examples=["app.toml,local.toml"]
    )


class MessageSettings(SettingsGroup):
    """Where queues are kept, and the size of their messages."""

    backend: Literal["database", "redis"] = Field(
        default="database",
        description="Where queues are kept: the database, or memory if none is set; or Redis, see AGENTOOL_REDIS_URL",
    )
    message_size: Count = Field(default=10_000_000, ge=1, description="Characters of a message in a queue, as JSON")


class KvSettings(SettingsGroup):
    """Limits of values in storage_kv."""

    value_size: Count = Field(default=1_000_000, ge=1, description="Characters of a value in storage_kv, as JSON")


class FileSettings(SettingsGroup):
    """Folders of storage_fs, and limits of one call."""

    folders: dict[str, LocalPath] = Field(
        default={},
        description="Folders of storage_fs, by the beginning of their paths; none by default",
        examples=['{"/data": "/srv/data"}'],
        json_schema_extra={"variable": "FILES"},
    )
    size: Count = Field(default=10_000_000, ge=1, description="Bytes of a file that are read or written by one call")
    tree_size: Count = Field(default=10_000_000_000, ge=1, description="Bytes that are copied by one call")
    tree_entries: Count = Field(default=100_000, ge=1, description="Entries copied, deleted or looked at by one call")


class TemplateSettings(SettingsGroup):
    """Where templates are kept, and limits of rendering one."""

    folder: LocalPath | None = Field(
        default=None, description="Folder of templates; without it they live in memory", examples=["~/templates"]
    )
    size: Count = Field(default=100_000, ge=1, description="Characters of a template")
    output_size: Count = Field(default=1_000_000, ge=1, description="Characters of a rendered template")
    variables_size: Count = Field(default=10_000_000, ge=2, description="Characters of variables, as JSON")
    seconds: Seconds = Field(default=2.0, gt=0, description="Seconds that rendering may take")
    memory: Count = Field(default=256_000_000, ge=64_000_000, description="Bytes that rendering may take, on Linux")
    processes: Count = Field(default=2, ge=1, description="Templates rendered at once")


class AgentsSettings(SettingsGroup):
    """Agents for scheduled prompts, and limits of callers without the scope ``admin``, such as language models."""

    registered: dict[str, AgentSource] = Field(
        default={},
        description="Agents by name: a spec file or a command, with limits and budgets",
        examples=['{"claude": {"command": ["claude", "-p", "{prompt}"], "per_day": {"runs": 10}}}'],
        json_schema_extra={"variable": "AGENTS"},
    )
    jobs: Count = Field(default=50, ge=1, description="Jobs that one owner may have")
    min_interval: Seconds = Field(default=60.0, ge=0, description="Shortest time between two runs of a job, in seconds")
    runs_per_day: Count = Field(
        default=500, ge=1, description="Runs per day of all jobs of one owner, and runs that it may ask for besides"
    )
    max_depth: Count = Field(default=0, ge=0, description="How deep scheduled runs may schedule further jobs; 0: not at all")
    expiry_days: Days = Field(default=90.0, gt=0, description="Days after which a repeating job ends, unless it sets an earlier end")
    frequent_expiry_days: Days = Field(default=7.0, gt=0, description="The same for a job that runs more often than hourly")
    spread: Seconds = Field(default=50.0, ge=0, description="Seconds over which jobs on round minutes are spread; 0: not at all")
    approve: tuple[str, ...] = Field(
        default=("shell", "http", "mcp", "function", "celery_task", "storage_fs", "config"),
        description="AgenTools whose jobs wait for a person's approval if a language model creates them",
        examples=["shell,http"],
    )


class EventSettings(SettingsGroup):
    """Where events are kept, and how many."""

    backend: Literal["database", "redis"] = Field(
        default="database",
        description="Where events are kept: the database, or memory if none is set; or Redis, see AGENTOOL_REDIS_URL",
    )
    keep: Count = Field(default=10_000, ge=1, description="Newest events that are kept for subscribers that were away")


class RestSettings(SettingsGroup):
    """Access to the API."""

    hosts: tuple[str, ...] = Field(
        default=(), description="Host names the API answers to, besides those of this machine", examples=["jobs.example.org"]
    )
    origins: tuple[str, ...] = Field(
        default=(), description="Origins whose pages may call the API, besides its own", examples=["https://panel.example.org"]
    )
    tokens: Literal["auto", "always"] = Field(
        default="auto", description="When a token is needed: 'always', or 'auto': unless the API's address is a loopback address"
    )
    proxies: tuple[Network, ...] = Field(
        default=("127.0.0.1", "::1"),
        description="Addresses and networks of proxies whose X-Forwarded-For and X-Forwarded-Proto headers are trusted",
        examples=["10.0.0.0/8"],
    )
    session_days: Days = Field(default=7.0, gt=0, le=365, description="Days after which a person must sign in to the pages again")
    body_size: Count = Field(default=10_000_000, ge=1_000, description="Bytes of a request's body")


CELERY_TASK = "agentool.run_executions"
"""The task that runs executions on Celery's workers. Only the scheduler sends it, because it decides what may run."""
CELERY_HELLO = "agentool.hello"
"""The task that greets, and the queue of it, which every worker of ours takes from."""
CELERY_QUEUE = "celery"
"""Celery's own default queue: that of every application that names none."""


LOCAL_REDIS = "redis://localhost:6379/0"
"""Broker of Celery's own commands if none is set. Source: *Nagatha Assistant Task Scheduler*, "Environment Variables"."""


class CelerySettings(SettingsGroup):
    """Celery's workers: their broker, and how messages reach them."""

    broker: Annotated[SecretStr, AfterValidator(checked_broker)] | None = Field(
        default=None,
        description="Broker of Celery's workers: redis:// or amqp://; CELERY_BROKER_URL sets it too. Without one the scheduler "
        "sends nothing, and workers look for the Redis of this machine",
        examples=["redis://localhost:6379/0"],
        json_schema_extra={"also": ["CELERY_BROKER_URL"]},
    )
    result_backend: SecretStr | None = Field(
        default=None,
        description="Where results of your own Celery tasks are kept; results of jobs are in the store",
        examples=["redis://localhost:6379/0"],
        json_schema_extra={"also": ["CELERY_RESULT_BACKEND"]},
    )
    tasks: tuple[str, ...] = Field(
        default=(CELERY_HELLO,),
        description="Names or patterns of the tasks that may be sent to Celery's workers; none of yours until you name them",
        examples=["reports.*,greet"],
    )
    queue_type: Literal["classic", "quorum"] = Field(default="quorum", description="Kind of queues on RabbitMQ")
    visibility_timeout: Seconds = Field(
        default=7_200.0, ge=60, description="Seconds after which Redis delivers an unacknowledged message again"
    )

    def or_local_redis(self) -> Self:
        """Return settings for a worker and Celery's commands: the Redis of this machine is broker and back end if no broker is set."""
        if self.broker is not None:
            return self
        local = SecretStr(LOCAL_REDIS)
        return self.model_copy(update={"broker": local, "result_backend": self.result_backend or local})


class RedisSettings(SettingsGroup):
    """A Redis server: for RQ, queues and events."""

    url: Annotated[SecretStr, AfterValidator(checked_redis)] | None = Field(
        default=None,
        description="Redis server of RQ's workers, and of queues and events that are kept there; REDIS_URL sets it too",
        examples=["redis://localhost:6379/0"],
        json_schema_extra={"also": ["REDIS_URL"]},
    )


class PingSettings(SettingsGroup):
    """A dead man's switch."""

    url: Annotated[SecretStr, AfterValidator(checked_web_address)] | None = Field(
        default=None,
        description="Address to request while this process leads and claiming works",
        examples=["https://pings.example.org/TOKEN"],
    )
    every: Seconds = Field(default=60.0, ge=0.01, description="Seconds between two pings")
