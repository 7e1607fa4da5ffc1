"""Schedules: reads text and computes due times. Pure: no clock is read, every function takes ``now``.

read_schedule('every weekday at 9am', now=…)  →  Reading(schedule, words, remarks)
Schedule.next_after(moment)                   →  the next due time
preview(schedule, now=…)                      →  what it will do, and what may surprise
"""

from agentoolkit.system.scheduler.schedules.after import Upstream, upstream_in
from agentoolkit.system.scheduler.schedules.any_language import ReadingHabits
from agentoolkit.system.scheduler.schedules.bounds import BOUNDS, Bounds
from agentoolkit.system.scheduler.schedules.kinds import Kind
from agentoolkit.system.scheduler.schedules.preview import Preview, preview
from agentoolkit.system.scheduler.schedules.reading import Reading, read_schedule
from agentoolkit.system.scheduler.schedules.schedule import Schedule, due_after_change, firings

__all__ = [
    "BOUNDS",
    "Bounds",
    "Kind",
    "Preview",
    "Reading",
    "ReadingHabits",
    "Schedule",
    "Upstream",
    "due_after_change",
    "firings",
    "preview",
    "read_schedule",
    "upstream_in",
]
