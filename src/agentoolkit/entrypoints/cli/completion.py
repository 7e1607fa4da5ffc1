"""What the shell completes: values of options, and the ids of jobs and executions that the database has."""

from __future__ import annotations

from collections.abc import Callable, Sequence

MOST = 50
"""Ids that are offered."""


def completing(values: str) -> Callable[[str], Sequence[str]]:
    """Return what completes one of some values, which stand between bars."""
    return lambda incomplete: [value for value in values.split("|") if value.startswith(incomplete)]


def complete_job(incomplete: str) -> Sequence[str]:
    """Return the ids of jobs that begin so. Completion says nothing of what is wrong: a database that cannot be read has none."""
    from agentool.errors import AgenToolError
    from agentoolkit.entrypoints.cli.finding import jobs_beginning
    from agentoolkit.entrypoints.cli.session import has_database, visit

    try:
        return visit(lambda kit: jobs_beginning(kit, incomplete, MOST)) if has_database() else []
    except AgenToolError:
        return []


def complete_execution(incomplete: str) -> Sequence[str]:
    """Return the ids of executions that begin so; of jobs, as long as no job is named whole."""
    from agentool.errors import AgenToolError
    from agentoolkit.entrypoints.cli.finding import executions_beginning
    from agentoolkit.entrypoints.cli.session import has_database, visit

    job, at, _ = incomplete.partition("@")
    if not at:
        return [f"{id_}@" for id_ in complete_job(job)]
    try:
        return visit(lambda kit: executions_beginning(kit, incomplete, MOST)) if has_database() else []
    except AgenToolError:
        return []
