"""Runs that are worth their price only if something has changed since the last one that came to an answer."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import NamedTuple

from agentool.core.injector import Injector
from agentoolkit.agents.schemas import ChangeGate
from agentoolkit.endings import EndedEarly
from agentoolkit.json_values import recordable
from agentoolkit.storage.kv.ports import KeyValueStore, StoredValue
from agentoolkit.time_source import TimeSource

_NAMESPACE = "agent-changes"


class Seen(NamedTuple):
    """What a gate's tool answered, as it is remembered."""

    key: str
    digest: str


@dataclass(frozen=True, slots=True)
class ChangeGates:
    """Compares answers of cheap calls.

    Args:
        values: Where the last ones are kept.
        injector: Where the calls are made.
        time: The time source.
    """

    values: KeyValueStore
    injector: Injector
    time: TimeSource

    async def check(self, gate: ChangeGate, job_id: str) -> Seen:
        """Return what to remember once the run has come to an answer.

        Raises:
            EndedEarly: The tool answers what it answered when a run last did.
        """
        answer = recordable(await self.injector.run(gate.agentool_name, gate.input_data))
        digest = json.dumps(hashlib.sha256(json.dumps(answer, sort_keys=True).encode()).hexdigest())
        key = f"{job_id}:{gate.agentool_name}"
        kept = await self.values.get(_NAMESPACE, key, self.time.now())
        if kept is not None and kept.text == digest:
            raise EndedEarly("skipped", f"nothing changed: {gate.agentool_name!r} answers as it did last time")
        return Seen(key, digest)

    async def remember(self, seen: Seen | None) -> None:
        """Keep what a gate's tool answered; None where there was no gate."""
        if seen is not None:
            value = StoredValue(seen.digest, None)
            await self.values.change(_NAMESPACE, seen.key, lambda _: value, self.time.now())
