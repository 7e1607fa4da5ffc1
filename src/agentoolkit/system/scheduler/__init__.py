"""The scheduler: runs AgenTools at set times through ``injector.run``, with one AsyncIOScheduler as its clock."""

from agentoolkit.system.scheduler.agentool import create_scheduler_agent
from agentoolkit.system.scheduler.engine.attempts import current_execution
from agentoolkit.system.scheduler.errors import (
    ExecutionFailed,
    ExecutionNotFound,
    InvalidJob,
    InvalidSchedule,
    JobExists,
    JobNotFound,
    SchedulerError,
    SchedulerStopped,
    UnknownTarget,
)
from agentoolkit.system.scheduler.execution_operations import execute_agentool as _execute_agentool
from agentoolkit.system.scheduler.execution_operations import (
    scheduler_backfill,
    scheduler_cancel_execution,
    scheduler_get_execution,
    scheduler_get_history,
    scheduler_list_executions,
    scheduler_run_now,
)
from agentoolkit.system.scheduler.operations import (
    manage_scheduler,
    scheduler_cancel,
    scheduler_get_job,
    scheduler_list,
    scheduler_pause,
    scheduler_preview,
    scheduler_resume,
    scheduler_schedule,
    scheduler_update,
)
from agentoolkit.system.scheduler.ports import DamagedJob
from agentoolkit.system.scheduler.schemas import SchedulerInput, SchedulerOutput
from agentoolkit.system.scheduler.service import SchedulerService
from agentoolkit.system.scheduler.start_stop_operations import scheduler_restart, scheduler_start, scheduler_status, scheduler_stop

__all__ = [
    "DamagedJob",
    "ExecutionFailed",
    "ExecutionNotFound",
    "InvalidJob",
    "InvalidSchedule",
    "JobExists",
    "JobNotFound",
    "SchedulerError",
    "SchedulerInput",
    "SchedulerOutput",
    "SchedulerService",
    "SchedulerStopped",
    "UnknownTarget",
    "_execute_agentool",
    "create_scheduler_agent",
    "current_execution",
    "manage_scheduler",
    "scheduler_backfill",
    "scheduler_cancel",
    "scheduler_cancel_execution",
    "scheduler_get_execution",
    "scheduler_get_history",
    "scheduler_get_job",
    "scheduler_list",
    "scheduler_list_executions",
    "scheduler_pause",
    "scheduler_preview",
    "scheduler_restart",
    "scheduler_resume",
    "scheduler_run_now",
    "scheduler_schedule",
    "scheduler_start",
    "scheduler_status",
    "scheduler_stop",
    "scheduler_update",
]
