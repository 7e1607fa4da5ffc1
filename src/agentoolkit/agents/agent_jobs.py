"""What agents ask of the scheduler by themselves, as the application's own code and not as whoever scheduled them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agentool.caller import CODE, acting_as
from agentool.core.injector import Injector

_LOOKED_BACK = 20
"""Executions among which a previous answer is looked for."""


@dataclass(frozen=True, slots=True)
class PreviousAnswer:
    """What a job's agent answered last."""

    at: str
    text: str


@dataclass(frozen=True, slots=True)
class AgentJobs:
    """The jobs of agents' runs.

    Args:
        injector: Where the scheduler is called.
    """

    injector: Injector

    async def ask(self, operation: str, **fields: Any) -> Any:
        """Call the scheduler and return the data of its answer."""
        with acting_as(CODE):
            return (await self.injector.run("scheduler", {"operation": operation, **fields})).data

    async def has(self, job_id: str) -> bool:
        """Is there such a job?"""
        try:
            await self.ask("get_job", job_id=job_id)
        except LookupError:
            return False
        return True

    async def pause(self, job_id: str, reason: str, until: datetime | None) -> None:
        """Pause a job, until a time or for good; one that is gone needs none."""
        if await self.has(job_id):
            await self.ask("pause", job_id=job_id, reason=reason, until=until and until.isoformat())

    async def previous_answer(self, job_id: str) -> PreviousAnswer | None:
        """Return what the job's last successful run answered."""
        history = await self.ask("get_history", job_id=job_id, limit=_LOOKED_BACK)
        for past in history["history"]:
            if past["status"] == "success" and isinstance(past["result"], dict) and "output" in past["result"]:
                answer = past["result"]["output"]
                return PreviousAnswer(past["finished_at"], answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False))
        return None
