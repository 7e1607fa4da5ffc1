"""What a store keeps beside a job to find it by, and its executions through it."""

from __future__ import annotations

from agentoolkit.system.scheduler.jobs import Job

MAX_LABEL = 500
"""Characters of a label; of a description, those that words are looked for in."""


def labels_of(job: Job) -> set[tuple[str, str]]:
    """Return kinds and labels: as the terms of a search compare them, and the owner's name besides as it is, under ``owned``."""
    found = {("job", job.job_id), ("job", job.job_name), ("owner", job.owner), ("tool", job.agentool_name), ("text", job.description)}
    found.update(("tag", tag) for tag in job.tags)
    return {("owned", job.owner), *((kind, label.casefold()[:MAX_LABEL]) for kind, label in found if label)}
