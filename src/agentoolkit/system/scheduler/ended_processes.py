"""Executions that are recorded as running, and whose process can be seen to be gone."""

from __future__ import annotations

from collections.abc import Sequence

from agentoolkit.system.scheduler.jobs import Execution, ExecutionStatus
from agentoolkit.system.scheduler.ports import JobStore

GONE = "its process has ended; the next process that serves settles it"


async def with_gone_marked(store: JobStore, executions: Sequence[Execution]) -> Sequence[Execution]:
    """Return records of which those say so that nobody runs any more, though the store has them as running."""
    elsewhere = [one for one in executions if one.status is ExecutionStatus.RUNNING and one.owner and one.owner != store.owner]
    if not (store.shared and elsewhere):
        return executions
    alive = {owner.owner for owner in await store.owners()}
    gone = {one.execution_id for one in elsewhere if one.owner not in alive}
    return [one._replace(reason=GONE) if one.execution_id in gone else one for one in executions]
