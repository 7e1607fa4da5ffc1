"""Calls of the scheduler that agents' runs make themselves, with the application's rights and not those of the job's owner."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agentool.caller import CODE, acting_as
from agentool.core.injector import Injector

_LOOKED_BACK = 20
"""Latest executions that are searched for a previous answer."""


@dataclass(frozen=True, slots=True)
class PreviousAnswer:
    """The last answer of a job's agent."""

    at: str
    text: str


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

    async def previous_answer(self, job_id: str) -> PreviousAnswer | None:
        """Return the answer of the job's last successful run."""
        history = await self.ask("get_history", job_id=job_id, limit=_LOOKED_BACK)
        for past in history["history"]:
            if past["status"] == "success" and isinstance(past["result"], dict) and "output" in past["result"]:
                answer = past["result"]["output"]
                return PreviousAnswer(past["finished_at"], answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False))
        return None
