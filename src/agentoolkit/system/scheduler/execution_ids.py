"""Computes the ids of executions, so that one cause never becomes two executions."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from itertools import count
from secrets import token_hex

_EPOCH = datetime.fromtimestamp(0, UTC)
_asked = count()
_NOW = "now-"
_RETRY = "retry-"
_REPLAY = "-replay-"
APPROVED = "approval-"
"""Begins the keys of executions in which runs go on that waited for a person. Only the application gives such keys."""
_AFTER = "after-"
_AFTER_ANY = "any-"
_MAX_MARK = 180
_DIGEST = 32
_REPEATS = re.compile(rf"(?:{_RETRY}|{_NOW}[0-9a-f]{{32}}{_REPLAY})(?P<mark>.+)", re.DOTALL)
_IS_DIGEST = re.compile(rf"[0-9a-f]{{{_DIGEST}}}")


_text_of = lru_cache(maxsize=256)(datetime.isoformat)
"""Cached, because many jobs are due at the same instant. Only for UTC: an equal instant of another zone has another text."""


def execution_id(job_id: str, due: datetime) -> str:
    """Compute the id of a due time's execution: a due time can never become two executions."""
    return f"{job_id}@{_text_of(due) if due.tzinfo is UTC else due.isoformat()}"


def asked_execution_id(job_id: str, now: datetime, replay_of: str = "") -> str:
    """Create the id of an execution on request. Later requests come later in the order of ids.

    Args:
        job_id: The job.
        now: Time of the request.
        replay_of: The execution that is repeated with other input; the new id contains its mark.
    """
    micros = (now - _EPOCH) // timedelta(microseconds=1)
    replayed = f"{_REPLAY}{_mark_of(replay_of)}" if replay_of else ""
    return f"{job_id}@{_NOW}{micros:016x}{next(_asked) & 0xFFFF:04x}{token_hex(6)}{replayed}"


def requested_execution_id(job_id: str, key: str) -> str:
    """Compute the id of the execution that is requested with a key."""
    return f"{job_id}@requested-{key}"


def retry_execution_id(job_id: str, origin: str) -> str:
    """Compute the id of the execution that repeats another one. It contains the other id, or a digest if that is too long."""
    return f"{job_id}@{_RETRY}{_mark_of(origin)}"


def downstream_execution_id(job_id: str, upstream: str, *, after_any: bool = False) -> str:
    """Compute the id of a job's execution after an upstream execution. Being unique, it cannot be created twice.

    Args:
        job_id: The job.
        upstream: The id of the upstream execution, or a digest if that is too long.
        after_any: True if the job comes after any job.
    """
    return f"{job_id}@{_AFTER_ANY if after_any else _AFTER}{upstream}"


def upstream_of(execution_id: str) -> str | None:
    """Return the id of the upstream execution of another one; None if there is none or it is unknown."""
    rest = execution_id.partition("@")[2]
    upstream = next((rest.removeprefix(mark) for mark in (_AFTER, _AFTER_ANY) if rest.startswith(mark)), "")
    return upstream if "@" in upstream else None


def comes_after_any(execution_id: str) -> bool:
    """Tell whether an execution was started because an execution of any job had ended."""
    return execution_id.partition("@")[2].startswith(_AFTER_ANY)


def origin_of(execution_id: str) -> str | None:
    """Return the id of the execution that another one repeats, as a retry or a replay; None if there is none or it is unknown.

    A caller's text is never at the beginning of an id's mark, so it cannot be mistaken for a retry or a replay.
    """
    job_id, _, rest = execution_id.partition("@")
    found = _REPEATS.fullmatch(rest)
    return f"{job_id}@{found['mark']}" if found and not _IS_DIGEST.fullmatch(found["mark"]) else None


def _mark_of(execution_id: str) -> str:
    """Return the part of an execution's id after the job, or a digest of it if it is long."""
    mark = execution_id.partition("@")[2]
    return mark if len(mark) <= _MAX_MARK else sha256(mark.encode()).hexdigest()[:_DIGEST]


def job_id_of(execution_id: str) -> str:
    """Return the id of the job that an execution belongs to."""
    return execution_id.partition("@")[0]
