"""Find the kept jobs whose calls this process does not allow: they were scheduled with other settings, and would fail here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import NamedTuple

from agentool.errors import AgenToolError
from agentoolkit.entrypoints.cli.missing_settings import missing_settings
from agentoolkit.system.scheduler.answer_schemas import JobSummary
from agentoolkit.system.scheduler.checks import checked_input
from agentoolkit.system.scheduler.errors import JobNotFound
from agentoolkit.system.scheduler.ports import DamagedJob
from agentoolkit.wiring import Toolkit

MAX_CHECKED = 100
"""Jobs that are looked at: a start with very many jobs must not take minutes."""


class NotAllowedHere(NamedTuple):
    """The jobs that are not allowed here, and the lines for a shell that would allow them."""

    problems: Sequence[str]
    exports: Sequence[str]


async def not_allowed_here(kit: Toolkit, jobs: Iterable[JobSummary]) -> NotAllowedHere:
    """Check the calls of the first `MAX_CHECKED` active jobs against the settings of this process. Jobs for workers do not count."""
    refused: list[tuple[str, AgenToolError]] = []
    for job in islice((job for job in jobs if job.state == "active" and job.agentool_name in kit.injector), MAX_CHECKED):
        try:
            stored = (await kit.scheduler.lookup.job(job.job_id)).job
        except (JobNotFound, DamagedJob):  # it went away, or was damaged, since it was listed
            continue
        if kit.scheduler.parts.executor_of(stored.policies) == "local":
            try:
                checked_input(stored.agentool_name, stored.input_data, kit.injector)
            except AgenToolError as error:
                if isinstance(error, PermissionError):
                    refused.append((job.job_id, error))
    problems = [
        f"{job_id}: {error.problem.partition('would refuse this input: ')[2] or error.problem}".rstrip(".") for job_id, error in refused
    ]
    return NotAllowedHere(problems, missing_settings(error for _, error in refused))
