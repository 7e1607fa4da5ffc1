"""Who has the database open, who leads, and who is gone."""

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
"""Silence after which a process counts as ended, unless it is known to be."""
_LATEST = 253_402_300_799_999_999
"""The last instant that there is, in microseconds; what is later was damaged."""
LEASE_SECONDS = 12.0
"""Silence after which the lead goes to another process."""

_NOW = {"postgres": "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)", "sqlite": "CAST(:machine_now AS BIGINT)"}
"""The present instant by the clock that all of the database's processes share. Those of a SQLite file are on one machine."""

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
    """This process's place among those that share a database. A new id for every opening, so that no restart inherits one."""

    def __init__(self, time: TimeSource) -> None:
        self._time = time
        self.owner = uuid4().hex
        self.place = process_place()
        self.pid = os.getpid()
        self._beaten_at = 0
        """When this process has told the database last that it is alive."""
        self._heard_since = 0
        """When the server was reached again after it was not; 0: it always was."""

    def now(self, session: Session) -> int:
        """Return the present instant by the clock that all of the database's processes share."""
        if session.dialect == "sqlite":
            return self._machine_now
        row = session.row(f"SELECT {_NOW[session.dialect]}")
        return int(row[0]) if row else 0

    def beat(self, session: Session) -> None:
        """Say that this process is alive, and keep the lead if it has it."""
        now = self.now(session)
        if self._was_away(session, now):
            self._heard_since = now
        self._beaten_at = now
        me = {"owner": self.owner, "host": self.place, "pid": self.pid, "now": now}
        session.run(_RENEW, {"owner": self.owner, "now": now, "expires": now + _micros(LEASE_SECONDS)})
        session.run(_BEAT, me)  # after the lease, as in every transaction that has both

    def leads_now(self, session: Session) -> bool:
        """Is this process the leader at this moment?"""
        return self._holds_lease(session, "")

    def leads(self, session: Session) -> bool:
        """Is this process the leader, and will it be until this transaction ends?

        A lease that ran out while nobody took it, as when the machine slept, is taken up again here.
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
        """The present instant by this machine's clock."""
        return micros(self._time.now()) or 0

    def take_lead(self, session: Session) -> bool:
        """Become the leader if nobody is, or if whoever was has ended."""
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
        """Return the process that leads."""
        row = session.row(_LEASE)
        if row is None or row[2] is None or _whole(row[1]) <= self.now(session):
            return None
        owner, _, host, pid, started_at, heartbeat_at = row
        if self._has_ended(host, pid, heartbeat_at, self.now(session)):
            return None  # its lease runs on, and it does not
        return _owner(owner, host, pid, started_at, heartbeat_at)

    def owners(self, session: Session) -> list[Owner]:
        """Return the processes that have the database open, without those that can be seen to have ended."""
        rows = session.rows("SELECT owner, host, pid, started_at, heartbeat_at FROM agentool_owners ORDER BY started_at, owner")
        alive = self.alive(session)
        return [_owner(*row) for row in rows if row[0] in alive]

    def alive(self, session: Session) -> set[str]:
        """Return the ids of the processes that have not ended, this one included."""
        now = self.now(session)
        # Once in a silence: whoever only reads, and does not beat, would else renew it with each look.
        if self._was_away(session, now) and self._heard_since <= self._beaten_at:
            self._heard_since = now
        rows = session.rows("SELECT owner, host, pid, heartbeat_at FROM agentool_owners")
        return {owner for owner, host, pid, heartbeat_at in rows if not self._has_ended(host, pid, heartbeat_at, now)} | {self.owner}

    def forget_ended(self, session: Session) -> None:
        """Strike those that ended from the list of processes: who is not on it counts as ended."""
        alive = self.alive(session)
        ended = [{"owner": owner} for (owner,) in session.rows("SELECT owner FROM agentool_owners") if owner not in alive]
        session.run_many("DELETE FROM agentool_owners WHERE owner = :owner", ended)

    def step_down(self, session: Session) -> None:
        """Give up the lead."""
        session.run("DELETE FROM agentool_leases WHERE name = 'leader' AND owner = :owner", {"owner": self.owner})

    def resign(self, session: Session) -> None:
        """Give up the lead and leave the list of processes."""
        self.step_down(session)
        session.run("DELETE FROM agentool_owners WHERE owner = :owner", {"owner": self.owner})

    def set_stopped(self, session: Session, stopped: bool, seconds: float | None) -> None:
        """Note 0 where processes may claim, 1 where they may not, and else the instant from which on they may again."""
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

    def _was_away(self, session: Session, now: int) -> bool:
        """Was the server away since our latest beat? All were silent then, and none of them has ended for that."""
        return session.dialect == "postgres" and 0 < self._beaten_at < now - _micros(3 * HEARTBEAT_SECONDS)

    def _has_ended(self, host: str, pid: object, heartbeat_at: object, now: int) -> bool:
        if now - max(_whole(heartbeat_at), self._heard_since) > _micros(OWNER_SECONDS):
            return True
        return host == self.place and pid != self.pid and isinstance(pid, int) and not _is_alive(pid)


class Heartbeat:
    """A thread with a connection of its own, so that neither a blocked event loop nor a long commit stops it."""

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
            except Exception:  # the next beat opens a new connection; silence is what the others go by
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
    """Return the host's name and where the pids of this process count: two containers may share the name, and know other pids.

    What cannot be read is a place of its own, in which no pid is asked for: then the heartbeat alone tells.
    """
    if sys.platform != "linux":
        return socket.gethostname()
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{socket.gethostname()} {boot}.{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return f"{socket.gethostname()} {uuid4().hex}"


def damaged_owners(session: Session) -> list[str]:
    """Name the processes whose rows cannot be read: their heartbeat tells whether they live, and if that is damaged, they do not."""
    rows = session.rows("SELECT owner, host, pid, started_at, heartbeat_at FROM agentool_owners ORDER BY owner LIMIT 100")
    return [f"process {row[0]!r}: its row cannot be read" for row in rows if not all(_is_whole(number) for number in row[2:])]


def _owner(owner: str, place: object, pid: object, started_at: object, heartbeat_at: object) -> Owner:
    known = pid if isinstance(pid, int) else 0
    return Owner(str(owner), str(place).partition(" ")[0], known, time_or_first(started_at), time_or_first(heartbeat_at))


def _is_whole(stored: object) -> bool:
    return isinstance(stored, int) and 0 <= stored <= _LATEST


def _whole(stored: object) -> int:
    """Return an instant as it is compared; one that was damaged lies before all others."""
    return stored if isinstance(stored, int) and _is_whole(stored) else 0


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # it is another's, or no number that a process can have: its heartbeat tells
        return True
    return True


def _micros(seconds: float) -> int:
    return round(seconds * 1_000_000)
