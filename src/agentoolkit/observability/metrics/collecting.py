"""The scheduler's and the queue's own figures, among the metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from agentool.core.injector import Injector
from agentoolkit.observability.metrics.errors import TooManySeries
from agentoolkit.observability.metrics.registry import Histogram, Number, Registry
from agentoolkit.system.scheduler.events import Event
from agentoolkit.system.scheduler.jobs import Execution, Status

Collect = Callable[[Registry], Awaitable[None]]
"""Brings figures up to date before they are shown."""

EXECUTIONS = "agentool_executions_total"
DURATION = "agentool_execution_duration_seconds"
LATENESS = "agentool_execution_lateness_seconds"
RETRIES = "agentool_execution_retries_total"
JOBS = "agentool_jobs"
QUEUE = "agentool_queue_messages"
OTHERS = "(others)"
"""Stands for AgenTools beyond the number of series that a metric may have."""


class SchedulerFigures:
    """Counts executions as the scheduler tells of them. Made to be given to ``scheduler.subscribe``."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._ended: dict[tuple[Status, str], Number] = {}
        self._durations: dict[str, Histogram] = {}
        self._lateness: Histogram | None = None

    def __call__(self, event: Event) -> None:
        """Count an event."""
        execution = event.execution
        if execution is None:
            return
        if execution.finished_at is not None:
            self._count_end(execution)
        elif execution.status is Status.RETRYING:
            self._registry.counter(RETRIES, {"agentool": execution.agentool_name}, "Failed attempts that are followed by another").add(1)
        elif execution.attempt == 1 and execution.started_at is not None and execution.trigger == "schedule":
            self._late().observe((execution.started_at - execution.scheduled_at).total_seconds())

    def forget(self) -> None:
        """Begin anew, after the registry was reset."""
        self._ended.clear()
        self._durations.clear()
        self._lateness = None

    def _count_end(self, execution: Execution) -> None:
        name = execution.agentool_name
        if (counter := self._ended.get((execution.status, name))) is None:
            counter = self._ended[execution.status, name] = self._new_counter(execution.status, name)
        counter.value += 1
        if execution.duration is None:
            return
        if (histogram := self._durations.get(name)) is None:
            histogram = self._durations[name] = self._new_histogram(name)
        histogram.observe(execution.duration)

    def _late(self) -> Histogram:
        if self._lateness is None:
            self._lateness = self._registry.histogram(LATENESS, help="Seconds between due time and start of scheduled executions")
        return self._lateness

    def _new_counter(self, status: Status, name: str) -> Number:
        said = "Executions that ended, by outcome"
        try:
            return self._registry.counter(EXECUTIONS, {"status": status.value, "agentool": name}, said)
        except TooManySeries:
            return self._ended.get((status, OTHERS)) or Number()

    def _new_histogram(self, name: str) -> Histogram:
        return self._registry.histogram(DURATION, {"agentool": name}, "Seconds that handlers took")


def job_figures(injector: Injector) -> Collect:
    """Make what counts jobs by state, as the AgenTool ``scheduler`` lists them."""

    async def collect(registry: Registry) -> None:
        listed = await injector.run("scheduler", {"operation": "list"})
        states: Counter[str] = Counter(job["state"] for job in listed.data["jobs"])
        _replace(registry, JOBS, "Jobs by state", [({"state": state}, number) for state, number in states.items()])

    return collect


def queue_figures(injector: Injector) -> Collect:
    """Make what tells how many messages are in which queue, as the AgenTool ``queue`` lists them."""

    async def collect(registry: Registry) -> None:
        listed = await injector.run("queue", {"operation": "list_queues"})
        rows: list[tuple[dict[str, str], Any]] = [
            ({"queue": queue["queue_name"], "state": state}, queue[state])
            for queue in listed.data["queues"]
            for state in ("ready", "delayed", "in_flight", "dead")
        ]
        _replace(registry, QUEUE, "Messages by queue and state", rows)

    return collect


def _replace(registry: Registry, name: str, said: str, rows: list[tuple[dict[str, str], float]]) -> None:
    """Put new figures in place of all old ones, so that what is gone is gone here too."""
