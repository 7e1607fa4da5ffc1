"""Everything that can be set, in one object: by code, by ``AGENTOOL_*`` variables, or by a ``.env`` file."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from agentoolkit.actions import course, shell
from agentoolkit.dialects import Durability
from agentoolkit.system.scheduler.executors.local import CONCURRENCY
from agentoolkit.system.scheduler.running import TIMEOUT


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
    sequence_concurrency: int = Field(default=course.CONCURRENCY, ge=1, description="Steps of one sequence that run at once")
    functions: tuple[str, ...] = Field(default=(), description="Prefixes 'package.module' under which the function AgenTool may call")


def home() -> Path:
    """Return the folder of what is kept between runs: ``AGENTOOL_HOME``, else ``~/.agentool``."""
    return Path(os.environ.get("AGENTOOL_HOME", "~/.agentool")).expanduser()
