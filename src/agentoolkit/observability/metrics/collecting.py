"""Metrics of the scheduler and the queues."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence

from agentoolkit.observability.metrics.errors import TooManySeries
from agentoolkit.observability.metrics.registry import Histogram, Number, Registry
from agentoolkit.system.queue.ports import QueueStatus
from agentoolkit.system.scheduler.decisions.retry import only_waits
from agentoolkit.system.scheduler.events import Event
from agentoolkit.system.scheduler.execution_records import Execution, ExecutionStatus
from agentoolkit.system.scheduler.jobs import JobStatus

logger = logging.getLogger(__name__)

Collect = Callable[[Registry], Awaitable[None]]
"""Updates metrics before they are shown."""

EXECUTIONS = "agentool_executions_total"
DURATION = "agentool_execution_duration_seconds"
LATENESS = "agentool_execution_lateness_seconds"
RETRIES = "agentool_execution_retries_total"
JOBS = "agentool_jobs"
QUEUE = "agentool_queue_messages"
_RUNNING, _RETRYING = ExecutionStatus.RUNNING, ExecutionStatus.RETRYING  # attribute access on an enum is slow
_MESSAGE_STATES = ("ready", "delayed", "in_flight", "dead")
OTHERS = "(others)"
"""The label for AgenTools and queues beyond the limit of labels."""


class SchedulerFigures:
    """Counts executions from the scheduler's events. Pass it to ``scheduler.subscribe_to_portions``."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._most_names = max(1, registry.most_series // len(ExecutionStatus))
        self._forget()

    def __call__(self, events: Sequence[Event]) -> None:
        """Count a portion of events."""
        if self._resets != self._registry.resets:
            self._forget()
        for event in events:
            if event.execution is not None:
                try:
                    self._count(event.execution, elsewhere=event.elsewhere)
                except TooManySeries:  # the other events of the portion are still counted
                    logger.exception("%s is not counted", event.execution.execution_id)

    def _count(self, execution: Execution, *, elsewhere: bool) -> None:
        status, name = execution.status, execution.agentool_name
        if execution.finished_at is not None:
            counter = self._counters.get((status, name)) or self._counter(status, name)
            counter.value += 1
            if (took := execution.duration) is not None:
                duration = self._durations.get(name) or self._duration(name)
                duration.observe(took)
        elif status is _RETRYING and not only_waits(execution):
            labels = {"agentool": self._label(name)}
            self._registry.counter(RETRIES, labels, "Failed attempts that another one follows").value += 1
        tells_start = status is _RUNNING or elsewhere  # of what runs elsewhere only the end is told
        if tells_start and execution.trigger == "schedule" and (began := execution.first_start) is not None:
            self._lateness.observe((began - execution.scheduled_at).total_seconds())

    def _forget(self) -> None:
        """Look all series up again, because the cached ones are no longer in the registry."""
        self._resets = self._registry.resets
        self._names: set[str] = set()
        self._counters: dict[tuple[ExecutionStatus, str], Number] = {}
        self._durations: dict[str, Histogram] = {}
        self._lateness = self._registry.histogram(LATENESS, help="Seconds between due time and start of scheduled executions")

    def _counter(self, status: ExecutionStatus, name: str) -> Number:
        labels = {"status": status.value, "agentool": self._label(name)}
        made = self._counters[status, name] = self._registry.counter(EXECUTIONS, labels, "Executions by outcome")
        return made

    def _duration(self, name: str) -> Histogram:
        labels = {"agentool": self._label(name)}
        made = self._durations[name] = self._registry.histogram(DURATION, labels, "Seconds that handlers took")
        return made

    def _label(self, name: str) -> str:
        if name in self._names or len(self._names) < self._most_names - 1:
            self._names.add(name)
            return name
        return OTHERS


def job_figures(count_jobs: Callable[[], Awaitable[Mapping[JobStatus, int]]]) -> Collect:
    """Create the collector of the gauge that counts jobs by status."""

    async def collect(registry: Registry) -> None:
        counts = await count_jobs()
        shown = (({"state": status.value}, number) for status, number in counts.items() if status is not JobStatus.CANCELLED)
        registry.replace(JOBS, "Jobs by state", shown)

    return collect


def queue_figures(queues: Callable[[], Awaitable[Sequence[QueueStatus]]]) -> Collect:
    """Create the collector of the gauge that counts messages by queue. Queues beyond the limit of labels are counted together."""

    async def collect(registry: Registry) -> None:
        found = await queues()
        room = registry.most_series // len(_MESSAGE_STATES)
        named = found if len(found) <= room else found[: max(0, room - 1)]
        counts = Counter[tuple[str, str]]()
        for place, status in enumerate(found):
            name = status.queue.queue_name if place < len(named) else OTHERS
            counts.update({(name, state): getattr(status.counts, state) for state in _MESSAGE_STATES})
        registry.replace(
            QUEUE, "Messages by queue and state", (({"queue": name, "state": state}, n) for (name, state), n in counts.items())
        )

    return collect
