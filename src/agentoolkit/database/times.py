"""Instants as databases hold them: microseconds since 1970 in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def micros(moment: datetime | None) -> int | None:
    """Turn an instant into what is stored."""
    return None if moment is None else (moment - _EPOCH) // _MICROSECOND


def moment(stored: int | None) -> datetime | None:
    """Turn what is stored into an instant."""
    return None if stored is None else _EPOCH + stored * _MICROSECOND


def instant(stored: int) -> datetime:
    """As `moment`, where there must be one."""
    return _EPOCH + stored * _MICROSECOND
