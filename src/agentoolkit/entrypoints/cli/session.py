"""How a command reaches the scheduler: its settings, and a toolkit that opens the database without running jobs."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any, TypeVar, get_args

from pydantic import BaseModel

from agentool.caller import CODE, acting_as
from agentoolkit.redaction import redacted_text
from agentoolkit.setting_groups import LogLevel
from agentoolkit.settings import Settings, home, own_database
from agentoolkit.system.scheduler.answer_schemas import JobList, JobSummary, Scheduled
from agentoolkit.system.scheduler.schemas import SchedulerOutput
from agentoolkit.wiring import Toolkit

logger = logging.getLogger(__name__)

T = TypeVar("T")
Result = TypeVar("Result", bound=BaseModel)

WAITS_FOR_SERVING = "They wait for a process that serves: agentool serve"
PAGE = 10_000

EXAMPLE_FUNCTIONS = "agentoolkit.example"
"""Always allowed, so that every process can run the example's jobs."""


def settings_for(allow: Sequence[str] = (), *, memory: bool = False, example: bool = False) -> Settings:
    """Read the settings. If they name no database, the command line keeps its jobs in ``AGENTOOL_HOME``.

    Args:
        allow: Packages whose functions may be called, also packages in the working directory.
        memory: Use no database, whatever the settings say.
        example: Use the example's own database, whatever the settings say.

    Raises:
        ConfigurationError: A variable has an invalid value.
    """
    settings = read_settings()
    if (allow or settings.plugins) and os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    own = str(home() / "example.db") if example else settings.database or own_database()
    return settings.model_copy(update={"database": None if memory else own, "functions": (*settings.functions, *allow, EXAMPLE_FUNCTIONS)})


def names_database() -> bool:
    """Tell whether a setting names the database. Then that database is meant, also while it is empty."""
    return read_settings().database is not None


def kept_example() -> str | None:
    """Return the bundled example's database, if the example was run and no setting names a database."""
    place = home() / "example.db"
    return str(place) if place.exists() and not names_database() else None


def keeps_jobs() -> bool:
    """Tell whether the command line's database has jobs."""
    return has_database() and bool(ask(JobList, "list").count)


def has_database() -> bool:
    """Tell whether the command line's database exists. Asking does not create it."""
    database = settings_for().database
    return not database or "://" in database or Path(database).exists()


async def jobs_without_tool(kit: Toolkit, jobs: Iterable[JobSummary]) -> Sequence[tuple[str, str]]:
    """Return the id and the AgenTool's name of each job whose AgenTool is not registered here. Jobs for workers do not count."""
    return await kit.scheduler.lookup.without_tool((job.job_id, job.agentool_name) for job in jobs)


def command_name() -> str:
    """Return the command for this program: under ``uv run`` it is not on the shell's path."""
    return "uv run agentool" if os.environ.get("UV") else "agentool"


def read_settings() -> Settings:
    """Read the environment and the ``.env`` file. ``LOG_LEVEL``, which other programs use too, is the log's default level.

    Raises:
        ConfigurationError: A variable has an invalid value.
    """
    settings, level = Settings(), os.environ.get("LOG_LEVEL", "").upper()
    if level not in get_args(LogLevel) or "level" in settings.log.model_fields_set:
        return settings
    return settings.model_copy(update={"log": settings.log.model_copy(update={"level": level})})


def _tell_if_new(database: str | None) -> None:
    """Say on stderr that a database is new, if a setting names it: with a mistyped path all jobs would seem to be lost."""
    from agentoolkit.entrypoints.cli.errors import tell

    if database is not None and database != own_database() and "://" not in database and not Path(database).exists():
        tell(f"the database is new: {database}")


def visit(work: Callable[[Toolkit], Awaitable[T]], allow: Sequence[str] = ()) -> T:
    """Do work with a toolkit on the command line's database, which runs no jobs: another process may serve them."""
    found: list[T] = []

    async def visiting() -> None:
        # Not returned: asyncio.run makes a text of the task's result when it restores the signal handler, and a list may be long.
        settings = settings_for(allow)
        _tell_if_new(settings.database)
        async with Toolkit(settings, runs_jobs=False) as kit:
            logger.debug("visiting %s", redacted_text(settings.database or "memory"))
            with acting_as(CODE.at("cli")):
                found.append(await work(kit))

    asyncio.run(visiting())
    return found[0]


async def with_serving_remark(kit: Toolkit, scheduled: Scheduled, allow: Sequence[str]) -> Scheduled:
    """Add a remark if no process serves the database, or if the process that serves it must allow the same packages."""
    command = " ".join([command_name(), "serve", *(f"--allow {package}" for package in allow)])
    if await kit.scheduler.store.leader() is None:
        remark = f"No process serves this database, so nothing runs yet: {command}"
    elif allow:
        remark = f"The process that serves this database has to allow it as well: {command}"
    else:
        return scheduled
    return scheduled.model_copy(update={"remarks": [*scheduled.remarks, remark]})


def ask(kind: type[Result], operation: str, *, allow: Sequence[str] = (), **fields: Any) -> Result:
    """Perform an operation of the scheduler and return its result. Fields that are None are left out."""

    async def asking(kit: Toolkit) -> Result:
        return await call(kit, kind, operation, **fields)

    return visit(asking, allow)


async def call(kit: Toolkit, kind: type[Result], operation: str, **fields: Any) -> Result:
    """As `ask`, with an open toolkit."""
    return kind.model_validate((await answer(kit, operation, **fields)).data)


async def answer(kit: Toolkit, operation: str, **fields: Any) -> SchedulerOutput:
    """As `call`, but return the whole answer with its message."""
    return await ask_open(kit, "scheduler", operation, **fields)


def ask_tool(tool: str, operation: str, **fields: Any) -> Any:
    """Perform an operation of any AgenTool and return its answer. Fields that are None are left out."""
    return visit(lambda kit: ask_open(kit, tool, operation, **fields))


async def ask_open(kit: Toolkit, tool: str, operation: str, **fields: Any) -> Any:
    """As `ask_tool`, with an open toolkit."""
    given = {name: value for name, value in fields.items() if value is not None}
    began = perf_counter()
    answered = await kit.injector.run(tool, {"operation": operation, **given})
    logger.debug("%s %s with %s answered in %.1f ms", tool, operation, ", ".join(given) or "no fields", (perf_counter() - began) * 1000)
    return answered
