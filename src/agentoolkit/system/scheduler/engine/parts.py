"""The parts that an engine is built from. They outlive the engine."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from agentool.core.injector import Injector
from agentoolkit.live_output import LiveOutput
from agentoolkit.system.scheduler.decisions.admission import AdmissionRules
from agentoolkit.system.scheduler.events import EventPublisher
from agentoolkit.system.scheduler.executors.local import CONCURRENCY, LocalExecutor
from agentoolkit.system.scheduler.jobs import ExecutorName, Job, Policies
from agentoolkit.system.scheduler.ports import HERE, Attempts, Executor, JobStore, Route
from agentoolkit.system.scheduler.retention import RESULT_SIZE
from agentoolkit.time_source import TimeSource

TIMEOUT = 300.0
"""Seconds after which a handler is cancelled if its job sets no timeout. Source: *Nagatha Assistant Task Scheduler*."""

NO_WORKERS: Mapping[ExecutorName, str] = dict.fromkeys(
    ("celery", "rq"), "Give the Toolkit a database that workers can open too, and the address of a broker."
)


@dataclass(frozen=True, slots=True)
class Parts:
    """One scheduler's store, clock, injector, executors and defaults."""

    store: JobStore
    injector: Injector
    time: TimeSource
    announcer: EventPublisher
    concurrency: int = CONCURRENCY
    timeout: float | None = TIMEOUT
    """Seconds that a handler may take if its job sets no timeout."""
    claims: bool = True
    """True if this process may lead, start due jobs and deliver outcomes. False for a visitor, which only manages jobs."""
    executor: Callable[[Attempts, int], Executor] = LocalExecutor
    """Creates the executor, which decides when and where executions run, from the local attempts and `concurrency`."""
    default_executor: ExecutorName = "local"
    """The executor of jobs that name none."""
    unavailable: Mapping[ExecutorName, str] = field(default_factory=lambda: NO_WORKERS)
    """Executors that are not available here, each with the settings that it lacks."""
    sends_to: Collection[ExecutorName] = ()
    """The executors whose workers this process can send to. Without any, it runs its executions itself, as a worker does."""
    admission: AdmissionRules = field(default_factory=AdmissionRules)
    """Limits of callers without the scope ``admin``."""
    result_size: int = RESULT_SIZE
    """Maximum size of a result, in bytes of JSON."""
    error_queue: str | None = None
    """The error queue of new jobs that name none."""
    pause_after_failures: int | None = None
    """Consecutive failures after which a new job is paused, if the job sets no number of its own."""
    live: LiveOutput = field(default_factory=LiveOutput)
    """The output so far of the executions that run here."""

    def timeout_of(self, policies: Policies) -> float | None:
        """Return the seconds that a handler may take; None means no limit."""
        return self.timeout if policies.timeout is None else policies.timeout

    def executor_of(self, policies: Policies) -> ExecutorName:
        """Return the job's own executor, else the default one."""
        return policies.executor or self.default_executor

    def route_of(self, policies: Policies, label: str) -> Route:
        """Return the route of an execution: this process, or a queue of an executor's workers."""
        if not self.sends_to or (executor := self.executor_of(policies)) == "local":
            return HERE
        return Route(executor, policies.queue, policies.priority, self.timeout_of(policies), label)

    def waits_for_tool(self, agentool_name: str, policies: Policies) -> bool:
        """Return True if a due job waits here for its AgenTool. The AgenTools of workers are not known here."""
        return self.executor_of(policies) == "local" and agentool_name not in self.injector

    def runs_here(self, job: Job) -> bool:
        """Tell whether this process runs the job's executions itself."""
        route = self.route_of(job.policies, job.job_name)
        return route is HERE and not self.lack_of(job.agentool_name, route)

    def lack_of(self, agentool_name: str, route: Route) -> str:
        """Return what this process lacks to run or send an execution, and the way out; empty if nothing."""
        if route is HERE:
            return (
                "" if agentool_name in self.injector else f"no AgenTool is named {agentool_name!r} here. Register it, or name its plugin."
            )
        if route.executor in self.sends_to:
            return ""
        return f"nothing is sent to workers of {route.executor!r} from here. {self.unavailable.get(route.executor, '')}"
