"""What the shell completes: values of options, and the ids of jobs and executions that the database has."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentoolkit.wiring import Toolkit

MOST = 50
"""Ids that are offered."""


def completing(values: str) -> Callable[[str], Sequence[str]]:
    """Return what completes one of some values, which stand between bars."""
    return lambda incomplete: [value for value in values.split("|") if value.startswith(incomplete)]


def complete_job(incomplete: str) -> Sequence[str]:
    """Return the ids of jobs that begin so."""
    from agentoolkit.entrypoints.cli.finding import jobs_beginning

    return _found(lambda kit: jobs_beginning(kit, incomplete, MOST))


def complete_execution(incomplete: str) -> Sequence[str]:
    """Return the ids of executions that begin so; of jobs, as long as no job is named whole."""
    from agentoolkit.entrypoints.cli.finding import executions_beginning

    job, at, _ = incomplete.partition("@")
    if not at:
        return [f"{id_}@" for id_ in complete_job(job)]
    return _found(lambda kit: executions_beginning(kit, incomplete, MOST))


def _found(find: Callable[[Toolkit], Awaitable[Sequence[str]]]) -> Sequence[str]:
    """Look into the database. Of what is wrong completion says nothing: one that is not there, or cannot be read, has nothing."""
    from agentool.errors import AgenToolError
    from agentoolkit.entrypoints.cli.session import has_database, visit

    try:
        return visit(find) if has_database() else []
    except AgenToolError:
        return []
