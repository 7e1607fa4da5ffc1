"""Change gates: skip a run if a cheap call's answer has not changed since the last run with an answer."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import NamedTuple

from agentool.core.injector import Injector
from agentoolkit.agents.schemas import ChangeGate
from agentoolkit.endings import EndedEarly
from agentoolkit.json_values import recordable
from agentoolkit.own_namespaces import AGENT_CHANGES
from agentoolkit.storage.kv.ports import KeyValueStore, StoredValue
from agentoolkit.time_source import TimeSource


class Seen(NamedTuple):
    """The digest of a gate's answer, with its key in the store."""

    key: str
    digest: str


@dataclass(frozen=True, slots=True)
class ChangeGates:
    """Compares the answers of gates with the stored ones.

    Args:
        values: Stores the last answers.
        injector: The injector that makes the calls.
        time: The time source.
    """

    values: KeyValueStore
    injector: Injector
    time: TimeSource

    async def check(self, gate: ChangeGate, job_id: str) -> Seen:
        """Return the answer to store after a successful run.

        Raises:
            EndedEarly: The answer is the same as at the last run with an answer.
        """
        answer = recordable(await self.injector.run(gate.agentool_name, gate.input_data))
        digest = json.dumps(hashlib.sha256(json.dumps(answer, sort_keys=True).encode()).hexdigest())
        key = f"{job_id}:{gate.agentool_name}"
        kept = await self.values.get(AGENT_CHANGES, key, self.time.now())
        if kept is not None and kept.text == digest:
            raise EndedEarly("skipped", f"nothing changed: {gate.agentool_name!r} answers as it did last time")
        return Seen(key, digest)

    async def remember(self, seen: Seen | None) -> None:
        """Store the answer of a gate; do nothing for None, a run without a gate."""
        if seen is not None:
            value = StoredValue(seen.digest, None)
            await self.values.change(AGENT_CHANGES, seen.key, lambda _: value, self.time.now())
