"""Everything that can be set, in one object: by code, by ``AGENTOOL_*`` variables, or by a ``.env`` file."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from agentoolkit.system.scheduler.executors.local import CONCURRENCY


class Settings(BaseSettings):
    """Settings of a toolkit. Each field is also the variable ``AGENTOOL_`` plus its name in capitals."""

    model_config = SettingsConfigDict(env_prefix="AGENTOOL_", env_file=".env", extra="ignore", frozen=True)

    timezone: str | None = Field(default=None, description="IANA zone of schedules that name none; the machine's by default")
    concurrency: int = Field(default=CONCURRENCY, ge=1, description="Executions that run at once in this process")
    functions: tuple[str, ...] = Field(default=(), description="Prefixes 'package.module' under which the function AgenTool may call")
