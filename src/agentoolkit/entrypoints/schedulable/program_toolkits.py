"""The background toolkit of a program's schedulable tools, with a database for that program."""

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
"""Delay from a program's first declared tool to the start of its toolkit, if it has kept jobs: the other tools are declared by then."""
CALLER = Caller(CODE.name, "mcp", OWN)
"""The caller that schedules a tool: a model, on behalf of the program's user."""


class ProgramToolkit:
    """The toolkit of one program's tools.

    Args:
        background: The toolkit.
        keeps_jobs: Returns True if there may be jobs from earlier runs.
    """

    def __init__(self, background: BackgroundToolkit, keeps_jobs: Callable[[], bool] = lambda: False) -> None:
        self.background = background
        self._keeps_jobs = keeps_jobs
        self._timer: Timer | None = None

    def add(self, agentool: AgenTool[Any]) -> None:
        """Register a tool. If there are kept jobs, the scheduler starts soon, also without a call."""
        self.background.add_tool(agentool)
        if self._timer is None and self._keeps_jobs():
            self._timer = Timer(START_SECONDS, self._start)
            self._timer.daemon = True
            self._timer.start()

    def _start(self) -> None:
        try:
            self.background.start()
        except AgenToolError:
            logger.exception("Jobs from earlier runs do not run: the scheduler cannot be started")


class ProgramToolkits:
    """The toolkits of this process, one for each program: programs lack each other's tools, so they must not share jobs."""

    def __init__(self) -> None:
        self._toolkits: dict[Path, ProgramToolkit] = {}
        self._lock = Lock()

    def of(self, function: Callable[..., Any]) -> ProgramToolkit:
        """Return the toolkit of the program that a function belongs to."""
        top = sys.modules.get((function.__module__ or "").partition(".")[0])  # the module, or the topmost package
        program = Path(getattr(top, "__file__", None) or function.__code__.co_filename).absolute()
        with self._lock:
            if program not in self._toolkits:
                self._toolkits[program] = _create_toolkit(program)
            return self._toolkits[program]


def _create_toolkit(program: Path) -> ProgramToolkit:
    settings = Settings()
    if settings.database is not None:
        return ProgramToolkit(BackgroundToolkit(settings), lambda: True)
    database = home() / f"tools-{program.stem}-{sha256(str(program).encode()).hexdigest()[:8]}.db"
    return ProgramToolkit(BackgroundToolkit(settings.model_copy(update={"database": str(database)})), database.exists)


PROGRAM_TOOLKITS = ProgramToolkits()
"""Global, because decorators run before a toolkit could be passed to them."""
