"""Browser sessions. A session's own secret stands for the token of the sign-in; only a digest of the secret is stored."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from agentool.caller import Caller
from agentoolkit.database.database import Database, Session
from agentoolkit.database.times import instant, micros
from agentoolkit.time_source import TimeSource
from agentoolkit.tokens import Tokens, digest_of


class BrowserSession(NamedTuple):
    """A stored session, without its secret."""

    digest: str
    token_id: str
    expires_at: datetime


class SessionStore(Protocol):
    """Stores sessions."""

    async def put(self, session: BrowserSession, now: datetime) -> None:
        """Add a session, and delete the expired ones."""
        ...

    async def get(self, digest: str) -> BrowserSession | None:
        """Return a session; None if it does not exist."""
        ...

    async def remove(self, digest: str) -> None:
        """Delete a session if it exists."""
        ...


class Sessions:
    """Begins, checks and ends sessions.

    Args:
        store: Stores the sessions.
        tokens: The tokens that people sign in with. A session ends with its token.
        time: The time source.
        lifetime: Duration of a session.
    """

    def __init__(self, store: SessionStore, tokens: Tokens, time: TimeSource, lifetime: timedelta) -> None:
        self._store = store
        self._tokens = tokens
        self._time = time
        self.lifetime = lifetime

    async def begin(self, token: str) -> str | None:
        """Begin a session and return its secret, which cannot be read again. None if the token is unknown, expired or revoked."""
        signed_in = await self._tokens.find(token)
        if signed_in is None:
            return None
        secret, now = secrets.token_urlsafe(32), self._time.now()
        await self._store.put(BrowserSession(digest_of(secret), signed_in.token_id, now + self.lifetime), now)
        return secret

    async def check(self, secret: str) -> Caller | None:
        """Return the caller of a session; None if the session, or its token, is unknown or no longer valid."""
        session = await self._store.get(digest_of(secret))
        if session is None or self._time.now() >= session.expires_at:
            return None
        return await self._tokens.caller_of(session.token_id)

    async def end(self, secret: str) -> None:
        """End a session."""
        digest = digest_of(secret)
        if await self._store.get(digest):  # anybody can send a secret; only a valid one costs a write
            await self._store.remove(digest)


class MemorySessions:
    """Sessions that last as long as the process."""

    def __init__(self) -> None:
        self._kept: dict[str, BrowserSession] = {}

    async def put(self, session: BrowserSession, now: datetime) -> None:
        self._kept = {digest: kept for digest, kept in self._kept.items() if now < kept.expires_at}
        self._kept[session.digest] = session

    async def get(self, digest: str) -> BrowserSession | None:
        return self._kept.get(digest)

    async def remove(self, digest: str) -> None:
        self._kept.pop(digest, None)


_FORGET = "DELETE FROM agentool_sessions WHERE expires_at <= :now"
_PUT = "INSERT INTO agentool_sessions (digest, token_id, expires_at) VALUES (:digest, :token_id, :expires_at)"
_GET = "SELECT digest, token_id, expires_at FROM agentool_sessions WHERE digest = :digest"
_REMOVE = "DELETE FROM agentool_sessions WHERE digest = :digest"


class SqlSessions:
    """Sessions in a `Database`. The first use opens it; its creator closes it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, session: BrowserSession, now: datetime) -> None:
        def put(database: Session) -> None:
            database.run(_FORGET, {"now": micros(now)})
            database.run(_PUT, {**session._asdict(), "expires_at": micros(session.expires_at)})

        await self._database.open()
        await self._database.write(put)

    async def get(self, digest: str) -> BrowserSession | None:
        await self._database.open()
        row = await self._database.read(lambda database: database.row(_GET, {"digest": digest}))
        return BrowserSession(row[0], row[1], instant(row[2])) if row else None

    async def remove(self, digest: str) -> None:
        def remove(database: Session) -> None:
            database.run(_REMOVE, {"digest": digest})

        await self._database.open()
        await self._database.write(remove)
