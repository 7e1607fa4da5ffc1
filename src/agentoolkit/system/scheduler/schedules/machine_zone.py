"""Finds the IANA name of this machine's zone, or the reason why it is unknown."""

from __future__ import annotations

import os
import re
import time
from datetime import datetime, timedelta

import tzlocal

from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules.zones import load_zone, zone_named

_HALF_YEAR = 182 * 86_400
"""Seconds of half a year, so that one of two moments lies in summer."""

_NAME = re.compile(r"[A-Za-z][A-Za-z_+/-]*")
"""Matches a zone's name, but not a POSIX rule, which has a number."""


def machine_zone() -> str:
    """Return the IANA name of this machine's zone; UTC if it is unknown."""
    return _name() or "UTC"


def machine_zone_doubt() -> str | None:
    """Return why the zone of this machine is unknown; None if it is known."""
    asked = os.environ.get("TZ", "").removeprefix(":")
    if _NAME.fullmatch(asked) and _asked_for(asked) is None:  # the C library then silently uses UTC
        return f"this machine's zone cannot be told: TZ={asked} names none that is known here"
    if _name() is not None:
        return None
    asked = f"TZ={os.environ['TZ']}" if os.environ.get("TZ") else "/etc/localtime"
    return f"this machine's zone cannot be told: {asked} gives its clock the offset {time.strftime('%z')}, and no IANA name for it"


def _name() -> str | None:
    """Return the first name configured on this machine whose zone has the offsets of its clock."""
    asked = os.environ.get("TZ", "").removeprefix(":").rpartition("zoneinfo/")[2]
    return next((name for name in (_asked_for(asked), _configured()) if name and _has_offsets_of_clock(name)), None)


def _asked_for(name: str) -> str | None:
    try:
        return zone_named(name) if name else None
    except InvalidSchedule:
        return None


def _configured() -> str | None:
    try:
        return tzlocal.get_localzone_name()
    except (LookupError, ValueError, OSError):
        return None


def _has_offsets_of_clock(name: str) -> bool:
    """Compare a zone with the C library now and in half a year: files and variables may name a different one."""
    try:
        zone = load_zone(name)
    except InvalidSchedule:
        return False
    now = int(time.time())
    return all(
        datetime.fromtimestamp(moment, zone).utcoffset() == timedelta(seconds=time.localtime(moment).tm_gmtoff)
        for moment in (now, now + _HALF_YEAR)
    )
