"""Where schedulable tools live: a toolkit in the background, with a database of their program's own."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from threading import Lock, Timer
from typing import Any

from agentool.agentool import AgenTool
from agentool.caller import CODE, OWN, Caller
from agentool.errors import AgenToolError
from agentoolkit.entrypoints.background import BackgroundToolkit
from agentoolkit.settings import Settings, home

logger = logging.getLogger(__name__)

START_SECONDS = 0.5
"""After its first tool is declared, when a program's toolkit starts if it has kept jobs: by then the other tools are declared too."""
CALLER = Caller(CODE.name, "mcp", OWN)
"""Who schedules a tool: a model, on behalf of whoever runs the program."""


class ToolHome:
    """The toolkit of one program's tools.

    Args:
        background: Where it runs.
        keeps_jobs: Tells whether there may be jobs from before.
    """

    def __init__(self, background: BackgroundToolkit, keeps_jobs: Callable[[], bool] = lambda: False) -> None:
        self.background = background
        self._keeps_jobs = keeps_jobs
        self._timer: Timer | None = None

    def add(self, agentool: AgenTool[Any]) -> None:
        """Make a tool known. If jobs were kept, their scheduler starts soon, also if nothing is called."""
        self.background.add_tool(agentool)
        if self._timer is None and self._keeps_jobs():
            self._timer = Timer(START_SECONDS, self._start)
            self._timer.daemon = True
            self._timer.start()

    def _start(self) -> None:
        try:
            self.background.start()
        except AgenToolError:
            logger.exception("What was scheduled before does not run: the scheduler cannot be started")


class ToolHomes:
    """The homes of this process, one for each program: two programs must not run one another's jobs, whose tools they lack."""

    def __init__(self) -> None:
        self._homes: dict[Path, ToolHome] = {}
        self._lock = Lock()

    def of(self, function: Callable[..., Any]) -> ToolHome:
        """Return the home of the program that a function belongs to."""
        top = sys.modules.get((function.__module__ or "").partition(".")[0])  # the module, or the topmost package
        program = Path(getattr(top, "__file__", None) or function.__code__.co_filename).absolute()
        with self._lock:
            if program not in self._homes:
                self._homes[program] = _home_of(program)
            return self._homes[program]


def _home_of(program: Path) -> ToolHome:
    settings = Settings()
    if settings.database is not None:
        return ToolHome(BackgroundToolkit(settings), lambda: True)
    database = home() / f"tools-{program.stem}-{sha256(str(program).encode()).hexdigest()[:8]}.db"
    return ToolHome(BackgroundToolkit(settings.model_copy(update={"database": str(database)})), database.exists)


HOMES = ToolHomes()
"""Decorators run before anything could hand them a toolkit."""
