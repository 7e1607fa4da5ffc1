"""The leader's lease, the processes that have the database open, and the detection of ended ones."""

from __future__ import annotations

import os
import socket
import sys
import threading
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from agentoolkit.database.database import Dialect, Session
from agentoolkit.database.order import LockOrder
from agentoolkit.database.times import micros
from agentoolkit.system.scheduler.ports import Owner
from agentoolkit.system.scheduler.stores.sql.records import time_or_first
from agentoolkit.time_source import TimeSource

HEARTBEAT_SECONDS = 3.0
OWNER_SECONDS = 20.0
"""Seconds without a heartbeat after which a process counts as ended. On the same host its pid tells sooner."""
_LATEST = 253_402_300_799_999_999
"""The last valid instant, in microseconds. A later one is damaged."""
LEASE_SECONDS = 12.0
"""Seconds without renewal after which the lead goes to another process."""

_NOW = {"postgres": "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)", "sqlite": "CAST(:machine_now AS BIGINT)"}
"""The current instant by the clock that all processes share. Processes with the same SQLite file are on one machine."""

_BEAT = """
    INSERT INTO agentool_owners (owner, host, pid, started_at, heartbeat_at) VALUES (:owner, :host, :pid, :now, :now)
    ON CONFLICT (owner) DO UPDATE SET heartbeat_at = excluded.heartbeat_at
"""
_RENEW = "UPDATE agentool_leases SET expires_at = :expires WHERE name = 'leader' AND owner = :owner AND expires_at > :now"
_KEEP = "UPDATE agentool_leases SET expires_at = :expires WHERE name = 'leader' AND owner = :owner"
_LEASE_OF_OWNER = "SELECT expires_at FROM agentool_leases WHERE name = 'leader' AND owner = :owner"
_LEASE = """
    SELECT l.owner, l.expires_at, o.host, o.pid, o.started_at, o.heartbeat_at
    FROM agentool_leases l LEFT JOIN agentool_owners o ON o.owner = l.owner WHERE l.name = 'leader'
"""
_TAKE = """
    INSERT INTO agentool_leases (name, owner, fence, expires_at) VALUES ('leader', :owner, 1, :expires)
    ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, fence = agentool_leases.fence + 1, expires_at = excluded.expires_at
    WHERE agentool_leases.owner = :before AND agentool_leases.fence = :fence
"""


class Ownership:
    """This process among those that share the database. Every opening has a new id, so that a restart inherits none."""

    def __init__(self, time: TimeSource) -> None:
        self._time = time
        self.owner = uuid4().hex
        self.place = process_place()
        self.pid = os.getpid()
        self._beaten_at = 0
        """Time of this process's latest heartbeat."""
        self._heard_since = 0
        """Time at which the others could be heard again, after a time in which nobody could; 0 if there was none."""

    def now(self, session: Session) -> int:
        """Return the current instant by the clock that all processes of the database share."""
        if session.dialect == "sqlite":
            return self._machine_now
        row = session.row(f"SELECT {_NOW[session.dialect]}")
        return int(row[0]) if row else 0

    def beat(self, session: Session) -> None:
        """Write a heartbeat, and renew the lease if this process leads."""
        now = self.now(session)
        if self._was_away(now):
            self._heard_since = now
        self._beaten_at = now
        me = {"owner": self.owner, "host": self.place, "pid": self.pid, "now": now}
        session.run(_RENEW, {"owner": self.owner, "now": now, "expires": now + _micros(LEASE_SECONDS)})
        session.run(_BEAT, me)  # after the lease: every transaction locks them in this order

    def leads_now(self, session: Session) -> bool:
        """Tell whether this process leads at this moment."""
        return self._holds_lease(session, "")

    def leads(self, session: Session) -> bool:
        """Tell whether this process leads, and will until this transaction ends.

        An expired lease that no other process took, as after the machine slept, is renewed here.
        """
        if self._holds_lease(session, " FOR SHARE" if session.dialect == "postgres" else ""):
            return True
        kept = {"owner": self.owner, "expires": self.now(session) + _micros(LEASE_SECONDS)}
        if session.run(_KEEP, kept) == 0:
            return False
        self.beat(session)
        return True

    def _holds_lease(self, session: Session, lock: str) -> bool:
        now = _NOW[session.dialect]
        # The clock is asked outside, and so after the wait for the lock.
        sql = f"SELECT expires_at, {now} FROM ({_LEASE_OF_OWNER}{lock}) lease"  # noqa: S608  constants of ours
        row = session.row(sql, {"owner": self.owner, "machine_now": self._machine_now})
        return row is not None and _whole(row[0]) > row[1]

    @property
    def _machine_now(self) -> int:
        """The current instant by this machine's clock."""
        return micros(self._time.now()) or 0

    def take_lead(self, session: Session) -> bool:
        """Become the leader if there is none, or if the leader has ended. Return True if this process leads."""
        now = self.now(session)
        row = session.row("SELECT owner, fence, expires_at FROM agentool_leases WHERE name = 'leader'")
        before, fence, expires_at = (row[0], row[1], _whole(row[2])) if row else ("", 0, 0)
        if before == self.owner and expires_at > now:
            return True
        if expires_at > now and not self._is_gone(session, before):
            return False
        taken = {"owner": self.owner, "expires": now + _micros(LEASE_SECONDS), "before": before, "fence": fence}
        return session.run(_TAKE, taken) == 1

    def leader(self, session: Session) -> Owner | None:
        """Return the leading process, if there is one."""
        row = session.row(_LEASE)
        if row is None or row[2] is None or _whole(row[1]) <= self.now(session):
            return None
        owner, _, host, pid, started_at, heartbeat_at = row
        if self._has_ended(host, pid, heartbeat_at, self.now(session)):
            return None  # the process has ended before its lease
        return _owner(owner, host, pid, started_at, heartbeat_at)

    def owners(self, session: Session) -> list[Owner]:
        """Return the processes that have the database open, without those that have visibly ended."""
        rows = session.rows("SELECT owner, host, pid, started_at, heartbeat_at FROM agentool_owners ORDER BY started_at, owner")
        alive = self.alive(session)
        return [_owner(*row) for row in rows if row[0] in alive]

    def alive(self, session: Session) -> set[str]:
        """Return the ids of the processes that have not ended, this one included."""
        now = self.now(session)
        # Once in an outage: a process that only reads, without heartbeats, would otherwise renew it with each look.
        if self._was_away(now) and self._heard_since <= self._beaten_at:
            self._heard_since = now
        rows = session.rows("SELECT owner, host, pid, heartbeat_at FROM agentool_owners")
        return {owner for owner, host, pid, heartbeat_at in rows if not self._has_ended(host, pid, heartbeat_at, now)} | {self.owner}

    def forget_ended(self, session: Session) -> None:
        """Delete ended processes from the list: a process that is not listed counts as ended."""
        alive = self.alive(session)
        ended = [{"owner": owner} for (owner,) in session.rows("SELECT owner FROM agentool_owners") if owner not in alive]
        session.run_many("DELETE FROM agentool_owners WHERE owner = :owner", ended)

    def step_down(self, session: Session) -> None:
        """Release the lead."""
        session.run("DELETE FROM agentool_leases WHERE name = 'leader' AND owner = :owner", {"owner": self.owner})

    def resign(self, session: Session) -> None:
        """Release the lead, and delete this process from the list."""
        self.step_down(session)
        session.run("DELETE FROM agentool_owners WHERE owner = :owner", {"owner": self.owner})

    def set_stopped(self, session: Session, stopped: bool, seconds: float | None) -> None:
        """Write 0 if processes may claim, 1 if not, or else the instant from which on they may claim again."""
        value = int(stopped) if seconds is None else self.now(session) + _micros(seconds)
        session.run("UPDATE agentool_counters SET value = :value WHERE name = 'halted'", {"value": value})

    def is_stopped(self, session: Session) -> bool:
        row = session.row("SELECT value FROM agentool_counters WHERE name = 'halted'")
        return row is not None and (row[0] == 1 or (row[0] > 1 and row[0] > self.now(session)))

    def _is_gone(self, session: Session, owner: str) -> bool:
        row = session.row("SELECT host, pid, heartbeat_at FROM agentool_owners WHERE owner = :owner", {"owner": owner})
        if row is None:
            return True
        host, pid, heartbeat_at = row
        return self._has_ended(host, pid, heartbeat_at, self.now(session))

    def _was_away(self, now: int) -> bool:
        """Tell whether we ourselves missed our heartbeats: the server was unreachable, the machine slept, or the clock was set.

        Then the others may have missed theirs for the same reason, and silence is no sign that a process ended.
        """
        return 0 < self._beaten_at < now - _micros(3 * HEARTBEAT_SECONDS)

    def _has_ended(self, host: str, pid: object, heartbeat_at: object, now: int) -> bool:
        if now - max(_whole(heartbeat_at), self._heard_since) > _micros(OWNER_SECONDS):
            return True
        return host == self.place and pid != self.pid and isinstance(pid, int) and not _is_alive(pid)


class Heartbeat:
    """A thread with its own connection, so that neither a blocked event loop nor a long commit stops the heartbeat."""

    def __init__(self, dialect: Dialect, ownership: Ownership) -> None:
        self._dialect = dialect
        self._ownership = ownership
        self._stopping = threading.Event()
        self._connection: Any = None
        self._thread = threading.Thread(target=self._run, name="agentool-heartbeat", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(HEARTBEAT_SECONDS)

    def _run(self) -> None:
        while not self._stopping.wait(HEARTBEAT_SECONDS):
            try:
                self._beat()
            except Exception:  # the next heartbeat opens a new connection, and other processes tolerate a gap
                self._disconnect()
        self._disconnect()

    def _beat(self) -> None:
        if self._connection is None:
            self._connection = self._dialect.connect(writes=True)
        with closing(self._connection.cursor()) as cursor:
            self._dialect.begin(cursor, LockOrder.NONE)
            self._ownership.beat(Session(cursor, self._dialect, {}))
            cursor.execute("COMMIT")

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):
                connection.close()


def process_place() -> str:
    """Return the host's name and its pid namespace: two containers may share the name but not the pids.

    If the namespace cannot be read, the place is unique, so that only the heartbeat shows whether a process lives.
    """
    if sys.platform != "linux":
        return socket.gethostname()
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{socket.gethostname()} {boot}.{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return f"{socket.gethostname()} {uuid4().hex}"


def damaged_owners(session: Session) -> list[str]:
    """Describe damaged rows of processes. A damaged heartbeat counts as an ended process."""
    rows = session.rows("SELECT owner, host, pid, started_at, heartbeat_at FROM agentool_owners ORDER BY owner LIMIT 100")
    return [f"process {row[0]!r}: its row cannot be read" for row in rows if not all(_is_whole(number) for number in row[2:])]


def _owner(owner: str, place: object, pid: object, started_at: object, heartbeat_at: object) -> Owner:
    known = pid if isinstance(pid, int) else 0
    return Owner(str(owner), str(place).partition(" ")[0], known, time_or_first(started_at), time_or_first(heartbeat_at))


def _is_whole(stored: object) -> bool:
    return isinstance(stored, int) and 0 <= stored <= _LATEST


def _whole(stored: object) -> int:
    """Return a stored instant for comparisons; a damaged one counts as 0."""
    return stored if isinstance(stored, int) and _is_whole(stored) else 0


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # another user's process, or an invalid pid: its heartbeat decides
        return True
    return True


def _micros(seconds: float) -> int:
    return round(seconds * 1_000_000)
