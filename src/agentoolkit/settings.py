"""Everything that can be set, in one object: by code, by ``AGENTOOL_*`` variables, or by a ``.env`` file."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

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
    functions: tuple[str, ...] = Field(default=(), description="Prefixes 'package.module' under which the function AgenTool may call")


def home() -> Path:
    """Return the folder of what is kept between runs: ``AGENTOOL_HOME``, else ``~/.agentool``."""
    return Path(os.environ.get("AGENTOOL_HOME", "~/.agentool")).expanduser()
