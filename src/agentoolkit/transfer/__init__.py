"""Move jobs in from other schedulers, and everything out into a file and back."""

from agentoolkit.transfer.backup import Arrived, Everything, export_lines, import_lines
from agentoolkit.transfer.crontab import CrontabOptions, read_crontab
from agentoolkit.transfer.from_apscheduler import Imported, RefusedJob, import_apscheduler
from agentoolkit.transfer.scheduler_tasks import read_scheduler_tasks
from agentoolkit.transfer.translation import Note, Translation, as_task_file

__all__ = [
    "Arrived",
    "CrontabOptions",
    "Everything",
    "Imported",
    "Note",
    "RefusedJob",
    "Translation",
    "as_task_file",
    "export_lines",
    "import_apscheduler",
    "import_lines",
    "read_crontab",
    "read_scheduler_tasks",
]
