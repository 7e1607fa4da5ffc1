"""What the runs of a job answered last: the context of the next one, if it asks for it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from agentool.secrets_here import secrets_here, without_texts
from agentoolkit.agents.agent_jobs import AgentJobs
from agentoolkit.json_values import recordable
from agentoolkit.own_namespaces import AGENT_ANSWERS
from agentoolkit.storage.kv.ports import KeyValueStore, StoredValue
from agentoolkit.time_source import TimeSource

MAX_ANSWER = 20_000
"""Characters that are kept of an answer."""


class PreviousAnswer(NamedTuple):
    """What a job's agent answered last."""

    at: str
    text: str


@dataclass(frozen=True, slots=True)
class PreviousAnswers:
    """The history of a job, and beside it the answer that runs without one, skipped or with nothing to report, have pushed out of it.

    Args:
        values: Where the answers are kept.
        jobs: Asked for histories.
        time: The time source.
    """

    values: KeyValueStore
    jobs: AgentJobs
    time: TimeSource

    async def get(self, job_id: str, owner: str) -> PreviousAnswer | None:
        """Return the owner's job's last answer that had something to report; None without such a job."""
        if not await self.jobs.has(job_id):  # under an id without a job anybody may run an agent
            return None
        if (found := await self._in_history(job_id)) is not None:
            return found
        kept = await self.values.get(AGENT_ANSWERS, _key(job_id, owner), self.time.now())
        return None if kept is None else PreviousAnswer(*json.loads(kept.text))

    async def keep(self, job_id: str, owner: str, output: Any) -> None:
        """Keep an answer in the place of the one before, if there is such a job, which may ask for it."""
        if not await self.jobs.has(job_id):
            return
        value = StoredValue(json.dumps([self.time.now().isoformat(), _text(recordable(output))]))
        await self.values.change(AGENT_ANSWERS, _key(job_id, owner), lambda _: value, self.time.now())

    async def _in_history(self, job_id: str) -> PreviousAnswer | None:
        found = await self.jobs.ask("list_executions", job_id=job_id, execution_status="success")
        for past in found["history"]:
            result = cast("dict[str, Any]", past["result"] if isinstance(past["result"], dict) else {})
            if "output" in result and not result.get("nothing_to_report"):
                return PreviousAnswer(past["finished_at"], _text(result["output"]))
        return None


def _key(job_id: str, owner: str) -> str:
    """Return where an answer is kept: it outlives its job, whose id another owner may use then."""
    return json.dumps([owner, job_id], ensure_ascii=False)


def _text(output: Any) -> str:
    text = output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)
    return without_texts(text, secrets_here.get())[:MAX_ANSWER]  # hidden before the cut, which could leave a part of one
