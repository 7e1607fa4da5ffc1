"""Everything that can be set, in one object: by code, by ``AGENTOOL_*`` variables, or by a ``.env`` file."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from agentoolkit.actions import http, mcp, sequence_run, shell
from agentoolkit.actions.mcp_servers import McpServer
from agentoolkit.database.dialects import Durability
from agentoolkit.observability.metrics import registry
from agentoolkit.storage.fs import service as fs
from agentoolkit.storage.kv import service as kv
from agentoolkit.system.logging import records
from agentoolkit.system.logging import service as log
from agentoolkit.system.queue.messages import MAX_MESSAGE_SIZE
from agentoolkit.system.scheduler.engine.parts import TIMEOUT
from agentoolkit.system.scheduler.executors.local import CONCURRENCY
from agentoolkit.system.templates import rendering


class Settings(BaseSettings):
    """Settings of a toolkit. Each field is also the variable ``AGENTOOL_`` plus its name in capitals."""

    model_config = SettingsConfigDict(env_prefix="AGENTOOL_", env_file=".env", extra="ignore", frozen=True)

    database: str | None = Field(default=None, description="A SQLite file or a postgresql:// URL; without it nothing outlives the process")
    durability: Durability = Field(default="full", description="For SQLite: 'full' survives a power cut, 'normal' any end of the process")
    timezone: str | None = Field(default=None, description="IANA zone of schedules that name none; the machine's by default")
    concurrency: int = Field(default=CONCURRENCY, ge=1, description="Executions that run at once in this process")
    timeout: float | None = Field(default=TIMEOUT, gt=0, description="Seconds that a handler may take where its job says nothing")
    ping_url: str | None = Field(
        default=None, pattern=r"^https?://[^\s/]+", description="Address to get while this process leads and all is well"
    )
    ping_every: float = Field(default=60.0, ge=0.01, description="Seconds between two pings")
    programs: tuple[str, ...] = Field(default=(), description="Programs that the shell AgenTool may run: names and paths")
    shell_folders: tuple[str, ...] = Field(default=(), description="Folders that commands may work in; by default this process's own only")
    shell_variables: tuple[str, ...] = Field(default=(), description="Names of variables that commands inherit and calls may set")
    shell_timeout: float = Field(default=shell.TIMEOUT, gt=0, description="Seconds that a command may take")
    shell_output_limit: int = Field(default=shell.OUTPUT_LIMIT, ge=0, description="Bytes kept of each of a command's outputs")
    notification_services: dict[str, SecretStr] = Field(default={}, description="Apprise URLs, by the names of targets")
    sequence_concurrency: int = Field(default=sequence_run.CONCURRENCY, ge=1, description="Steps of one sequence that run at once")
    http_allow: tuple[str, ...] = Field(default=(), description="Hosts and networks that requests may reach besides public addresses")
    http_signing: dict[str, SecretStr] = Field(default={}, description="Host → secret with which requests to it are signed (HMAC-SHA256)")
    http_timeout: float = Field(default=http.TIMEOUT, gt=0, description="Seconds that a request may take, redirects included")
    http_response_limit: int = Field(default=http.RESPONSE_LIMIT, ge=0, description="Bytes of a response that are read")
    http_redirects: int = Field(default=http.REDIRECTS, ge=0, description="Redirects that are followed")
    mcp_servers: dict[str, McpServer] = Field(default={}, description="How MCP servers are reached, by the names that calls use")
    mcp_timeout: float = Field(default=mcp.TIMEOUT, gt=0, description="Seconds that a call of an MCP tool may take")
    plugins: tuple[str, ...] = Field(
        default=(), description="Entry points of the group 'agentool.tools', or 'module:function', whose AgenTools are registered"
    )
    functions: tuple[str, ...] = Field(default=(), description="Prefixes 'package.module' under which the function AgenTool may call")
    log_level: records.Level = Field(default="INFO", description="Level from which records are logged")
    log_console: bool = Field(default=True, description="Whether the log is written to standard error")
    log_format: records.Format = Field(default="text", description="Form on the console: text or json; a file always has JSON lines")
    log_file: Path | None = Field(default=None, description="File that the log is written to as well")
    log_file_size: int = Field(default=log.FILE_SIZE, ge=1_000, description="Bytes at which a new log file is begun")
    log_files: int = Field(default=log.FILES, ge=1, description="Old log files that are kept")
    log_memory: int = Field(default=log.MEMORY, ge=0, description="Records that are remembered")
    metrics_series: int = Field(default=registry.MAX_SERIES, ge=1, description="Combinations of labels that one metric may have")
    metrics_count: int = Field(default=registry.MAX_METRICS, ge=1, description="Metrics there may be")
    config_files: tuple[Path, ...] = Field(default=(), description="TOML, YAML or JSON files; a later one counts before an earlier one")
    queue_message_size: int = Field(default=MAX_MESSAGE_SIZE, ge=1, description="Characters of a message in a queue, as JSON")
    kv_value_size: int = Field(default=kv.MAX_VALUE_SIZE, ge=1, description="Characters of a value in storage_kv, as JSON")
    files: dict[str, Path] = Field(default={}, description="Folders of storage_fs, by what paths into them begin with; none by default")
    files_size: int = Field(default=fs.MAX_FILE_SIZE, ge=1, description="Bytes of a file that are read or written by one call")
    files_tree_size: int = Field(default=fs.MAX_TREE_SIZE, ge=1, description="Bytes that are copied by one call")
    files_tree_entries: int = Field(default=fs.MAX_ENTRIES, ge=1, description="Entries copied, deleted or looked at by one call")
    template_folder: Path | None = Field(default=None, description="Folder of templates; without it they live in memory")
    template_size: int = Field(default=rendering.MAX_SOURCE_SIZE, ge=1, description="Characters of a template")
    template_output_size: int = Field(default=rendering.MAX_OUTPUT_SIZE, ge=1, description="Characters of what a template becomes")
    template_variables_size: int = Field(default=rendering.MAX_VARIABLES_SIZE, ge=2, description="Characters of variables, as JSON")
    template_seconds: float = Field(default=rendering.SECONDS, gt=0, description="Seconds that rendering may take")
    template_memory: int = Field(default=rendering.MEMORY, ge=64_000_000, description="Bytes that rendering may take, on Linux")
    template_processes: int = Field(default=rendering.PROCESSES, ge=1, description="Templates rendered at once")


def home() -> Path:
    """Return the folder of what is kept between runs: ``AGENTOOL_HOME``, else ``~/.agentool``."""
    return Path(os.environ.get("AGENTOOL_HOME", "~/.agentool")).expanduser()
