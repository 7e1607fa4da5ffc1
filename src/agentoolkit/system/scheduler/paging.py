"""Where a page of a list ended, as the text that asks for the next one."""

from __future__ import annotations

from datetime import datetime

from agentoolkit.system.scheduler.errors import InvalidJob
from agentoolkit.system.scheduler.ports import Position

PAGE = 1_000
"""Jobs in one page, unless somebody asks for fewer or more."""

UPCOMING = 12
"""Jobs that are told of those that are due next, unless somebody asks for fewer or more."""


def cursor_of(position: Position | None) -> str | None:
    """Return the cursor that continues after a position; None: there is no further page."""
    return None if position is None else f"{position.at.isoformat()} {position.id}"


def cursor_after(at: str, id_: str) -> str:
    """Return the cursor that continues after one record of a page, by its time in ISO 8601 and its id."""
    return f"{datetime.fromisoformat(at).isoformat()} {id_}"


def position_of(cursor: str | None) -> Position | None:
    """Read a cursor; None: the first page.

    Raises:
        InvalidJob: No list has returned it.
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
