"""Cursors: text that continues a list after the last record of a page."""

from __future__ import annotations

from datetime import datetime

from agentoolkit.system.scheduler.errors import InvalidJob
from agentoolkit.system.scheduler.ports import Position

PAGE = 1_000
"""Default number of jobs on one page."""

UPCOMING = 12
"""Default number of jobs in a list of those due next."""


def cursor_of(position: Position | None) -> str | None:
    """Return the cursor that continues after a position; None after the last page."""
    return None if position is None else f"{position.at.isoformat()} {position.id}"


def cursor_after(at: str, id_: str) -> str:
    """Return the cursor that continues after a record, given its time in ISO 8601 and its id."""
    return f"{datetime.fromisoformat(at).isoformat()} {id_}"


def position_of(cursor: str | None) -> Position | None:
    """Read a cursor; None means the first page.

    Raises:
        InvalidJob: The cursor is not from a list.
    """
    if cursor is None:
        return None
    at, _, id_ = cursor.partition(" ")
    try:
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None or not id_:
            raise ValueError(cursor)
    except ValueError as error:
        remedy = "Give the cursor of the page before, or leave it out for the first page."
        raise InvalidJob("No list has returned this cursor.", field="cursor", value=cursor, remedy=remedy) from error
    return Position(moment, id_)
