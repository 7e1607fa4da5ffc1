"""Shell completion: values of options, and ids of jobs and executions in the database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentoolkit.wiring import Toolkit

MAX_OFFERED = 50
"""Ids that are offered at most."""


def completing(values: str) -> Callable[[str], Sequence[str]]:
    """Return a function that completes one of several values, which are separated by bars."""
    return lambda incomplete: [value for value in values.split("|") if value.startswith(incomplete)]


def complete_job(incomplete: str) -> Sequence[str]:
    """Return the ids of jobs that begin with a text."""
    from agentoolkit.entrypoints.cli.find_jobs import jobs_beginning

    return _found(lambda kit: jobs_beginning(kit, incomplete, MAX_OFFERED))


def complete_execution(incomplete: str) -> Sequence[str]:
    """Return the ids of executions that begin with a text; before its ``@`` the ids of jobs."""
    from agentoolkit.entrypoints.cli.find_jobs import executions_beginning

    job, at, _ = incomplete.partition("@")
    if not at:
        return [f"{id_}@" for id_ in complete_job(job)]
    return _found(lambda kit: executions_beginning(kit, incomplete, MAX_OFFERED))


def _found(find: Callable[[Toolkit], Awaitable[Sequence[str]]]) -> Sequence[str]:
    """Look for ids in the database. Completion reports no errors: a database that cannot be read offers nothing."""
    from agentool.errors import AgenToolError
    from agentoolkit.entrypoints.cli.session import has_database, visit

    try:
        return visit(find) if has_database() else []
    except AgenToolError:
        return []
