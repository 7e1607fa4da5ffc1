"""Run a worker of Celery or RQ in this process. Its application reads the settings from environment variables, as usual."""

from __future__ import annotations

import ast
import logging
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from agentool.errors import ConfigurationError, MissingExtra
from agentoolkit.entrypoints.cli.session import settings_for
from agentoolkit.settings import Settings

logger = logging.getLogger(__name__)


class WorkerOptions(NamedTuple):
    """Options of a worker besides the settings."""

    queues: Sequence[str] = ()
    app: str | None = None
    pool: str = "prefork"
    concurrency: int | None = None
    events: bool = False
    """Whether Celery's events of each message are sent from the beginning, before anything asks for them."""
    name: str = "celery"
    """First part of Celery's name for the worker, ``name@host``. Workers of one name are shown as one."""


def run_celery_worker(options: WorkerOptions, allow: Sequence[str]) -> None:
    """Run a worker of Celery until it is stopped. A worker that fails is restarted: Celery's may fail after its broker was away.

    Raises:
        AgenToolError: The worker could not do its work.
        SystemExit: The worker failed before it was ready, so a restart would fail too.
    """
    environment = dict(os.environ)
    level = _set_variables(options, allow).log.level
    try:
        from agentoolkit.entrypoints.celery_app import run_worker, unable
    except ImportError as error:
        raise MissingExtra("A worker of Celery needs the extra 'celery'.", remedy="Install 'agentool[celery]'.") from error
    if (why := unable(options.pool)) is not None:
        raise ConfigurationError(why)
    asked = ["worker", "--loglevel", level, "--pool", options.pool, "--hostname", f"{options.name}@%h"]
    if options.events:
        asked += ["--task-events"]
    if options.app is not None and ":" not in options.app:
        asked += ["--include", options.app]  # the module may define Celery tasks
    if options.concurrency is not None:
        asked += ["--concurrency", str(options.concurrency)]
    ended = run_worker(asked)
    if ended.code and ended.was_ready:
        logger.warning("The worker has failed and is restarted")
        # The same pid, and none of the failed process's state.
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)  # noqa: S606  this process's own command
    if ended.code:
        raise SystemExit(ended.code)


def run_rq_worker(options: WorkerOptions, allow: Sequence[str]) -> None:
    """Run a worker of RQ until it is stopped. It forks for each message, unless the pool is ``solo``.

    Raises:
        AgenToolError: The worker could not do its work.
    """
    settings = _set_variables(options, allow)
    if options.pool not in ("prefork", "solo"):
        remedy = "Start it with --pool prefork, which forks for each message, or solo, which does not."
        raise ConfigurationError("RQ has no such pool.", field="pool", value=options.pool, remedy=remedy)
    if options.concurrency is not None or options.events or options.name != WorkerOptions().name:
        remedy = "Leave them out. A worker of RQ takes one message at a time: start as many workers as messages are to run at once."
        raise ConfigurationError("--concurrency, --name and --task-events are options of Celery's workers.", remedy=remedy)
    if settings.redis.url is None:
        raise ConfigurationError("A worker of RQ needs a Redis server.", remedy="Set AGENTOOL_REDIS_URL, or REDIS_URL, to its address.")
    try:
        from agentoolkit.entrypoints.rq_worker import work
    except ImportError as error:
        raise MissingExtra("A worker of RQ needs the extra 'rq'.", remedy="Install 'agentool[rq]'.") from error
    work(forks=options.pool == "prefork")


def _set_variables(options: WorkerOptions, allow: Sequence[str]) -> Settings:
    """Write the command line's options into variables, from which the worker's application and its forks read them."""
    settings = settings_for(allow)
    plugins = list(settings.plugins)
    if options.app is not None and os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    if options.app is not None and ":" in options.app:
        plugins.append(options.app)
    elif options.app is not None and _registers(options.app):
        plugins.append(f"{options.app}:register")
    os.environ["AGENTOOL_DATABASE"] = settings.database or ""
    os.environ["AGENTOOL_LOG_LEVEL"] = settings.log.level
    os.environ["AGENTOOL_PLUGINS"] = ",".join(plugins)
    os.environ["AGENTOOL_FUNCTIONS"] = ",".join(settings.functions)
    if options.queues:
        os.environ["AGENTOOL_QUEUES"] = ",".join(options.queues)
    return settings


def _registers(module: str) -> bool:
    """Tell whether a module defines `register`.

    The module is parsed, not imported: it may import the worker's application, which would read the settings too early.

    Raises:
        ConfigurationError: There is no such module, or it is no Python.
    """
    found = _find(module)
    if found is None or not found.has_location or found.origin is None:
        remedy = "Start the worker in the folder that has it, or install it."
        raise ConfigurationError(f"There is no module {module!r}.", field="app", value=module, remedy=remedy)
    try:
        parts = ast.parse(Path(found.origin).read_bytes()).body
    except SyntaxError as error:
        problem = f"Module {module!r} cannot be read: {error.msg} in line {error.lineno}."
        raise ConfigurationError(problem, field="app", value=module, remedy=f"Correct {found.origin}.") from None
    return any(_defines(part, "register") for part in parts)


def _find(module: str) -> ModuleSpec | None:
    """Find a module. `find_spec` alone would import its packages, for the reason above too early."""
    name, *inner = module.split(".")
    found = find_spec(name) if name else None
    for part in inner:
        name = f"{name}.{part}"
        found = PathFinder.find_spec(name, found.submodule_search_locations) if found and found.submodule_search_locations else None
    return found


def _defines(part: ast.stmt, name: str) -> bool:
    """Tell whether a statement of a module gives it a function of this name: by defining, importing or assigning it."""
    match part:
        case ast.FunctionDef():
            return part.name == name
        case ast.ImportFrom():
            return any((alias.asname or alias.name) == name for alias in part.names)
        case ast.Assign():
            return any(isinstance(target, ast.Name) and target.id == name for target in part.targets)
        case _:
            return False
