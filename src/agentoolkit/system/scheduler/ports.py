"""The scheduler's seams, written as obligations. A back end is done when the contract suite passes on it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from agentoolkit.system.scheduler.jobs import Execution, Job, Standing


class StoredJob(NamedTuple):
    """A job as a store holds it."""

    job: Job
    standing: Standing


class Claimed(NamedTuple):
    """A due time that now is this process's to deal with, or a record that it was passed over."""

    job: Job
    execution: Execution


class Claims(NamedTuple):
    """The answer to one claim."""

    records: Sequence[Claimed]
    """Every record written, in due order per job."""
    next_times: Sequence[tuple[str, datetime | None]]
    """For every job asked about: when it is due next; None if it is not."""


class Message(NamedTuple):
    """An outcome on its way to a queue."""

    execution_id: str
    queue_name: str
    payload: dict[str, object]
    attempts: int = 0


class JobStore(Protocol):
    """Holds jobs, executions and messages under way. Every method is one transaction: all of it happens, or none."""

    survives_restart: bool

    async def open(self) -> None:
        """Make ready for use. Idempotent."""
        ...

    async def close(self) -> None:
        """Give back what `open` took. Idempotent."""
        ...

    async def add(self, job: Job, standing: Standing) -> None:
        """Keep a new job. Raise `JobExists` if its id, or its name, belongs to a job that can still fire."""
        ...

    async def find(self, id_or_name: str) -> StoredJob | None:
        """Return the job with this id, else the one with this name."""
        ...

    async def jobs(self) -> Sequence[StoredJob]:
        """Return every job, the oldest first."""
        ...

    async def replace(self, job: Job, standing: Standing, version: int) -> bool:
        """Change a job if its version is still `version`; tell whether it was. The new version is one higher."""
        ...

    async def remove(self, job_id: str) -> bool:
        """Forget a job and keep its history. Tell whether there was one."""
        ...

    async def claim(self, job_ids: Sequence[str], now: datetime) -> Claims:
        """Decide, for each job, on every due time up to `now` (see `decisions.decide`), and write it all down.

        Each due time is given out at most once, whoever asks and however often.
        """
        ...

    async def record(self, execution: Execution) -> None:
        """Write down an execution that no schedule asked for."""
        ...

    async def begin(self, execution: Execution) -> bool:
        """Mark an execution as started. Tell whether it was still waiting to be."""
        ...

    async def finish(self, execution: Execution, message: Message | None) -> bool:
        """Write an outcome, put its message into the outbox and prune the job's history to the newest 100.

        Tell whether the execution was still unfinished; if not, nothing changes.
        """
        ...

    async def execution(self, execution_id: str) -> Execution | None:
        """Return one execution."""
        ...

    async def executions(self, job_id: str | None, limit: int) -> Sequence[Execution]:
        """Return the newest executions of a job, or of all jobs, the newest first."""
        ...

    async def unfinished(self) -> Sequence[Execution]:
        """Return the executions that were claimed and have no outcome."""
        ...

    async def outbox(self, limit: int) -> Sequence[Message]:
        """Return messages still to be delivered, the oldest first."""
        ...

    async def delivered(self, execution_id: str) -> None:
        """Take a message out of the outbox: it arrived."""
        ...

    async def undelivered(self, message: Message, *, give_up: bool) -> None:
        """Note a failed attempt at delivery; with `give_up`, take the message out and say so in the history."""
        ...
