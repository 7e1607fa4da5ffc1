"""Convert instants to and from their stored form: microseconds since 1970 in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def micros(moment: datetime | None) -> int | None:
    """Convert an instant to its stored form."""
    return None if moment is None else (moment - _EPOCH) // _MICROSECOND


def moment(stored: int | None) -> datetime | None:
    """Convert a stored value to an instant; None stays None."""
    return None if stored is None else _EPOCH + stored * _MICROSECOND


def instant(stored: int) -> datetime:
    """Convert a stored value that is not null to an instant."""
    return _EPOCH + stored * _MICROSECOND
