"""The tasks that `agentool serve` serves, and the file that they come from."""

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
    """Tasks, and the file that has them.

    Raises:
        TaskFileError: The file cannot be read.
    """

    tasks: Sequence[Task] = ()
    name: str = ""
    """Of the file; empty if the kept jobs are served as they are."""
    path: Path | None = None
    """The file, if it is looked at again."""
    _seen: tuple[int, int, int] | None = field(default=None, init=False)

    @classmethod
    def of_file(cls, path: Path) -> Served:
        """Read a file that is looked at again from then on."""
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
        """Was the file written since this was asked last? While it is not there, as some editors leave it for a moment, it was not."""
        if self.path is None:
            return False
        with contextlib.suppress(OSError):
            about = os.stat(self.path)
            before, self._seen = self._seen, (about.st_mtime_ns, about.st_size, about.st_ino)
            return before != self._seen
        return False

    async def reload(self) -> None:
        """Read the file again. Raises `TaskFileError`; the tasks stay as they were then."""
        if self.path is not None:
            self.tasks = await asyncio.to_thread(load_tasks, self.path)

    async def apply(self, kit: Toolkit) -> Sequence[Applied]:
        """Make jobs of the tasks, and note which.

        Raises:
            TasksRefused: Tasks are refused.
        """
        # A task that is due at once would else end before those that come after it are there.
        async with kit.scheduler.lifecycle.claims_suspended():
            applied = await apply_tasks(kit.injector, self.tasks)
        if self.path is not None:
            own = [task.job_id for task in applied]
            await remember_jobs(kit.injector, self.path, [*own, *await jobs_left(kit.injector, self.path, own)])
        return applied
