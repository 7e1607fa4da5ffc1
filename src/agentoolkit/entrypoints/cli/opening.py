"""How a command reaches the scheduler: the settings of the command line, and a toolkit that visits its database."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_settings import SettingsError

from agentool.errors import ConfigurationError, InvalidInput
from agentoolkit.settings import Settings, home
from agentoolkit.wiring import Toolkit

T = TypeVar("T")

EXAMPLE_FUNCTIONS = "agentoolkit.example"
"""Always allowed, so that the example's jobs can be run wherever they are met."""


def settings_for(allow: Sequence[str] = (), *, memory: bool = False, example: bool = False) -> Settings:
    """Read the settings. Without a database of their own the command line keeps its jobs in ``AGENTOOL_HOME``.

    Args:
        allow: Packages whose functions may be called, also ones in the working directory.
        memory: Keep nothing, whatever the settings say.
        example: Keep the jobs in the example's own database, whatever the settings say.

    Raises:
        ConfigurationError: A variable has no possible value.
    """
    settings = read_settings()
    if allow and os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    own = str(home() / "example.db") if example else settings.database or str(home() / "agentool.db")
    return settings.model_copy(update={"database": None if memory else own, "functions": (*settings.functions, *allow, EXAMPLE_FUNCTIONS)})


def read_settings() -> Settings:
    """Read the environment and the ``.env`` file. Raises `ConfigurationError`."""
    try:
        return Settings()
    except ValidationError as error:
        wrong = InvalidInput.from_validation("settings", error, Settings.model_fields)
        said = "; ".join(f"AGENTOOL_{problem.field.upper()}: {problem.problem}" for problem in wrong.problems)
        raise ConfigurationError(f"{said}.", remedy="Correct the variable or the .env file.") from error
    except SettingsError as error:
        raise ConfigurationError(f"{error}.", remedy="Write lists as JSON: '[\"my_package\"]'.") from error


def visit(work: Callable[[Toolkit], Awaitable[T]], allow: Sequence[str] = ()) -> T:
    """Do work with a toolkit on the database of the command line, beside the process that serves it, if there is one."""

    async def visiting() -> T:
        async with Toolkit(settings_for(allow), claims=False) as kit:
            return await work(kit)

    return asyncio.run(visiting())


def ask(operation: str, *, allow: Sequence[str] = (), **fields: Any) -> dict[str, Any]:
    """Perform an operation of the scheduler and return its data. Fields that are None are left out."""

    async def asking(kit: Toolkit) -> dict[str, Any]:
        return await call(kit, operation, **fields)

    return visit(asking, allow)


async def call(kit: Toolkit, operation: str, **fields: Any) -> dict[str, Any]:
    """As `ask`, with a toolkit that is open."""
    given = {name: value for name, value in fields.items() if value is not None}
    output = await kit.injector.run("scheduler", {"operation": operation, **given})
    return output.data or {}
