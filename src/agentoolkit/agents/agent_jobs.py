"""Calls of the scheduler that agents' runs make themselves, with the application's rights and not those of the job's owner."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agentool.caller import CODE, acting_as
from agentool.core.injector import Injector


@dataclass(frozen=True, slots=True)
class AgentJobs:
    """The jobs of agents' runs.

    Args:
        injector: The injector that has the scheduler.
    """

    injector: Injector

    async def ask(self, operation: str, **fields: Any) -> Any:
        """Call the scheduler and return the data of its answer."""
        with acting_as(CODE):
            return (await self.injector.run("scheduler", {"operation": operation, **fields})).data

    async def has(self, job_id: str) -> bool:
        """Tell whether there is a job of this id."""
        return await self._info(job_id) is not None

    async def has_agents_job(self, job_id: str, made_before: datetime) -> bool:
        """Tell whether a job of this id runs an agent and was created by then. A cancelled job's id may have been used again."""
        info = await self._info(job_id)
        return info is not None and info["agentool_name"] == "agent" and datetime.fromisoformat(info["created_at"]) <= made_before

    async def _info(self, job_id: str) -> dict[str, Any] | None:
        """Return the definition of a job; None if the job does not exist or was cancelled."""
        try:
            info = (await self.ask("get_job", job_id=job_id))["info"]
        except LookupError:
            return None
        return None if info["state"] == "cancelled" else info

    async def pause(self, job_id: str, reason: str, until: datetime | None) -> None:
        """Pause a job until a time, or without an end. Do nothing if the job is gone."""
        if await self.has(job_id):
            await self.ask("pause", job_id=job_id, reason=reason, until=until and until.isoformat())
