"""What an engine is put together from, and what outlives it."""

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
"""Seconds after which a handler is cancelled where its job says nothing. Source: *Nagatha Assistant Task Scheduler*."""

NO_WORKERS: Mapping[ExecutorName, str] = dict.fromkeys(
    ("celery", "rq"), "Give the Toolkit a database that workers can open too, and the address of a broker."
)


@dataclass(frozen=True, slots=True)
class Parts:
    """One scheduler's surroundings."""

    store: JobStore
    injector: Injector
    time: TimeSource
    announcer: EventPublisher
    concurrency: int = CONCURRENCY
    timeout: float | None = TIMEOUT
    """Seconds that a handler may take where its job says nothing."""
    claims: bool = True
    """May it lead, start what is due and deliver outcomes? False for a visitor, which manages what another process runs."""
    executor: Callable[[Attempts, int], Executor] = LocalExecutor
    """Makes what decides when and where executions run, given what carries them out here, and `concurrency`."""
    default_executor: ExecutorName = "local"
    """What carries out jobs that name nothing."""
    unavailable: Mapping[ExecutorName, str] = field(default_factory=lambda: NO_WORKERS)
    """Executors that no job can ask for here, each with what would have to be set."""
    sends_to: Collection[ExecutorName] = ()
    """The executors whose workers this process can send to. If there are none, it carries out itself what it has, as a worker does."""
    admission: AdmissionRules = field(default_factory=AdmissionRules)
    """Limits of callers without the scope ``admin``."""
    result_size: int = RESULT_SIZE
    """Bytes of JSON that a result may have."""
    error_queue: str | None = None
    """Where the failures of new jobs go that say nothing of it."""
    pause_after_failures: int | None = None
    """After how many failures in a row new jobs are paused that say nothing of it."""
    live: LiveOutput = field(default_factory=LiveOutput)
    """What executions that run here have written so far."""

    def timeout_of(self, policies: Policies) -> float | None:
        """Return how many seconds a handler may take; None: any."""
        return self.timeout if policies.timeout is None else policies.timeout

    def executor_of(self, policies: Policies) -> ExecutorName:
        """Return the executor of a job: its own, else the default one."""
        return policies.executor or self.default_executor

    def route_of(self, policies: Policies, label: str) -> Route:
        """Return which way an execution goes."""
        if not self.sends_to or (executor := self.executor_of(policies)) == "local":
            return HERE
        return Route(executor, policies.queue, policies.priority, self.timeout_of(policies), label)

    def waits_for_tool(self, agentool_name: str, policies: Policies) -> bool:
        """Does what is due wait for its AgenTool to be registered here? Which ones workers have is not known here."""
        return self.executor_of(policies) == "local" and agentool_name not in self.injector

    def runs_here(self, job: Job) -> bool:
        """Does this process carry out a job's executions itself?"""
        route = self.route_of(job.policies, job.job_name)
        return route is HERE and not self.lack_of(job.agentool_name, route)

    def lack_of(self, agentool_name: str, route: Route) -> str:
        """Return what is missing here for an execution to go its way, and the way out; nothing if it can go."""
        if route is HERE:
            return (
                "" if agentool_name in self.injector else f"no AgenTool is named {agentool_name!r} here. Register it, or name its plugin."
            )
        if route.executor in self.sends_to:
            return ""
        return f"nothing is sent to workers of {route.executor!r} from here. {self.unavailable.get(route.executor, '')}"
