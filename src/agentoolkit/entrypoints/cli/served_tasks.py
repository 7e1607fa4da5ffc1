"""The tasks that `agentool serve` runs, and the file that they come from."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import as_file, files
from pathlib import Path

from agentoolkit.entrypoints.cli.apply_tasks import Applied, apply_tasks
from agentoolkit.entrypoints.cli.plan_tasks import jobs_left, remember_jobs
from agentoolkit.entrypoints.taskfile import Task, load_tasks
from agentoolkit.wiring import Toolkit

EXAMPLE = "the bundled example"


@dataclass
class Served:
    """Tasks and their file.

    Raises:
        TaskFileError: The file cannot be read.
    """

    tasks: Sequence[Task] = ()
    name: str = ""
    """Name of the file; empty if the kept jobs are served."""
    path: Path | None = None
    """The file, if its changes are applied."""
    _version: tuple[int, int, int] | None = field(default=None, init=False)
    """Time of modification, size and inode when the file was last checked."""

    @classmethod
    def of_file(cls, path: Path) -> Served:
        """Read a file whose later changes are applied."""
        served = cls(name=path.name, path=path)
        served.has_changed()
        served.tasks = load_tasks(path)
        return served

    @classmethod
    def of_example(cls) -> Served:
        """Read the bundled example."""
        with as_file(files("agentoolkit.example") / "tasks.yaml") as path:
            return cls(load_tasks(path), EXAMPLE)

    def has_changed(self) -> bool:
        """Tell whether the file was written since the last call. A file that is missing for a moment, as some editors do, was not."""
        if self.path is None:
            return False
        with contextlib.suppress(OSError):
            about = os.stat(self.path)
            before, self._version = self._version, (about.st_mtime_ns, about.st_size, about.st_ino)
            return before != self._version
        return False

    async def apply_again(self, kit: Toolkit) -> Sequence[Applied]:
        """Read the file again and apply the tasks that have changed in it. Manual changes to the other jobs stay.

        Raises:
            TaskFileError, TasksRefused: The file is refused, and the tasks stay as they were.
        """
        tasks = self.tasks if self.path is None else await asyncio.to_thread(load_tasks, self.path)
        before = {task.name: task.model_dump() for task in self.tasks}
        applied = await self._apply(kit, [task for task in tasks if task.model_dump() != before.get(task.name)])
        self.tasks = tasks
        return applied

    async def apply(self, kit: Toolkit) -> Sequence[Applied]:
        """Create or update the jobs of the tasks, and remember them.

        Raises:
            TasksRefused: Tasks are refused.
        """
        return await self._apply(kit, self.tasks)

    async def _apply(self, kit: Toolkit, tasks: Sequence[Task]) -> Sequence[Applied]:
        # Otherwise a task that is due at once could end before the tasks that come after it exist.
        async with kit.scheduler.lifecycle.claims_suspended():
            applied = await apply_tasks(kit.injector, tasks)
        if self.path is not None:
            own = [task.job_id for task in applied]
            await remember_jobs(kit.injector, self.path, [*own, *await jobs_left(kit.injector, self.path, own)])
        return applied
