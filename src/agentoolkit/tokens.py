"""Bearer tokens of the doors over HTTP: their callers and scopes. Only a digest of each token is stored."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from agentool.caller import MAX_NAME, Caller, Door, Scope
from agentool.errors import AgenToolError, InvalidInput, excerpt
from agentoolkit.database.database import Database, Session
from agentoolkit.database.session import Row
from agentoolkit.database.times import instant, micros, moment
from agentoolkit.time_source import TimeSource

PREFIX = "agt"
SCOPES: tuple[Scope, ...] = ("read", "write", "approve", "admin")
MAX_LISTED = 1_000
MAX_LIFETIME = timedelta(days=36_500)
"""Longest lifetime of a token that expires. Much more is beyond the last date that Python has."""
_READ: frozenset[Scope] = frozenset({"read"})
_USED_EVERY = timedelta(minutes=1)
"""Shortest time between two writes of a token's last use."""


class TokenNotFound(AgenToolError, KeyError):
    """No token has this id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A stored token, without its secret."""

    token_id: str
    name: str
    """The caller's name."""
    scopes: frozenset[Scope]
    digest: str
    created_at: datetime
    expires_at: datetime | None = None
    used_at: datetime | None = None
    revoked_at: datetime | None = None

    def is_valid(self, now: datetime) -> bool:
        """Tell whether it is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class TokenStore(Protocol):
    """Stores tokens."""

    async def put(self, token: Token) -> None:
        """Add a token; of one that is there, write its last use and its end. A revoked one stays revoked."""
        ...

    async def get(self, token_id: str) -> Token | None:
        """Return a token; None if it does not exist."""
        ...

    async def all(self) -> Sequence[Token]:
        """Return the tokens, newest first."""
        ...


class Tokens:
    """Creates, checks and revokes tokens.

    Args:
        store: Stores the tokens.
        time: The time source.
    """

    def __init__(self, store: TokenStore, time: TimeSource) -> None:
        self._store = store
        self._time = time

    async def create(self, name: str, scopes: Iterable[Scope] = ("read",), lifetime: timedelta | None = None) -> tuple[Token, str]:
        """Create a token and return it with its text, which cannot be read again.

        Raises:
            InvalidInput: A scope is unknown, the name is not allowed, or the lifetime is none or more than `MAX_LIFETIME`.
        """
        given: frozenset[Scope] = frozenset(scopes)
        if not given or not given <= set(SCOPES):
            unknown = next(iter(sorted(given - set(SCOPES))), None)
            problem = "A token has at least one scope." if unknown is None else f"{excerpt(unknown)} is no scope."
            remedy = "Choose one or more of read, write, approve and admin."
            raise InvalidInput(problem, field="scope", value=unknown, remedy=remedy)
        if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
            raise InvalidInput(f"A name has 1 to {MAX_NAME} printable characters.", field="name", value=name)
        if lifetime is not None:
            _check_lifetime(lifetime)
        secret = secrets.token_urlsafe(32)
        now = self._time.now()
        token = Token(
            token_id=secrets.token_hex(6),
            name=name,
            scopes=given.union(_READ),
            digest=digest_of(secret),
            created_at=now,
            expires_at=now + lifetime if lifetime is not None else None,
        )
        await self._store.put(token)
        return token, f"{PREFIX}_{token.token_id}_{secret}"

    async def check(self, text: str, door: Door = "rest") -> Caller | None:
        """Return the caller of a token; None if the token is unknown, expired or revoked."""
        token = await self.find(text)
        return await self._speak_for(token, door) if token else None

    async def caller_of(self, token_id: str, door: Door = "rest") -> Caller | None:
        """Return the caller of a token by its id, if the token is still valid."""
        token = await self._store.get(token_id)
        return await self._speak_for(token, door) if token and token.is_valid(self._time.now()) else None

    async def find(self, text: str) -> Token | None:
        """Return the stored token of a token's text; None if it is unknown, expired or revoked."""
        prefix, _, rest = text.partition("_")
        token_id, _, secret = rest.partition("_")
        token = await self._store.get(token_id) if prefix == PREFIX and token_id.isalnum() else None
        is_right = hmac.compare_digest(digest_of(secret), token.digest if token else digest_of(""))
        return token if token and is_right and token.is_valid(self._time.now()) else None

    async def _speak_for(self, token: Token, door: Door) -> Caller:
        """Record the use of a token, and return its caller."""
        now = self._time.now()
        if token.used_at is None or now - token.used_at >= _USED_EVERY:
            await self._store.put(replace(token, used_at=now))
        return Caller(token.name, door, token.scopes)

    async def list(self) -> Sequence[Token]:
        """Return the tokens, newest first."""
        return await self._store.all()

    async def revoke(self, token_id: str) -> Token:
        """Revoke a token.

        Raises:
            TokenNotFound: No token has this id.
        """
        token = await self._store.get(token_id)
        if token is None:
            remedy = "`agentool token list` shows the ids."
            raise TokenNotFound(f"No token has the id {excerpt(token_id)}.", field="token_id", value=token_id, remedy=remedy)
        revoked = replace(token, revoked_at=token.revoked_at or self._time.now())
        await self._store.put(revoked)
        return revoked


class MemoryTokens:
    """Tokens that last as long as the process."""

    def __init__(self) -> None:
        self._kept: dict[str, Token] = {}

    async def put(self, token: Token) -> None:
        if kept := self._kept.get(token.token_id):
            token = replace(kept, used_at=token.used_at, revoked_at=kept.revoked_at or token.revoked_at)
        self._kept[token.token_id] = token

    async def get(self, token_id: str) -> Token | None:
        return self._kept.get(token_id)

    async def all(self) -> Sequence[Token]:
        return list(reversed(self._kept.values()))[:MAX_LISTED]


_COLUMNS = "token_id, name, scopes, digest, created_at, expires_at, used_at, revoked_at"
_PUT = f"""
    INSERT INTO agentool_tokens ({_COLUMNS})
    VALUES (:token_id, :name, :scopes, :digest, :created_at, :expires_at, :used_at, :revoked_at)
    ON CONFLICT (token_id) DO UPDATE SET used_at = excluded.used_at,
        revoked_at = COALESCE(agentool_tokens.revoked_at, excluded.revoked_at)
"""  # noqa: S608  names of ours
_GET = f"SELECT {_COLUMNS} FROM agentool_tokens WHERE token_id = :token_id"  # noqa: S608  names of ours
_ALL = f"SELECT {_COLUMNS} FROM agentool_tokens ORDER BY created_at DESC, token_id LIMIT :limit"  # noqa: S608  names of ours


class SqlTokens:
    """Tokens in a `Database`. The first use opens it; its creator closes it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, token: Token) -> None:
        row = {
            "token_id": token.token_id,
            "name": token.name,
            "scopes": " ".join(sorted(token.scopes)),
            "digest": token.digest,
            "created_at": micros(token.created_at),
            "expires_at": micros(token.expires_at),
            "used_at": micros(token.used_at),
            "revoked_at": micros(token.revoked_at),
        }

        def put(session: Session) -> None:
            session.run(_PUT, row)

        await self._database.open()
        await self._database.write(put)

    async def get(self, token_id: str) -> Token | None:
        await self._database.open()
        row = await self._database.read(lambda session: session.row(_GET, {"token_id": token_id}))
        return _token(row) if row else None

    async def all(self) -> Sequence[Token]:
        await self._database.open()
        rows = await self._database.read(lambda session: session.rows(_ALL, {"limit": MAX_LISTED}))
        return [_token(row) for row in rows]


def _check_lifetime(lifetime: timedelta) -> None:
    days = lifetime / timedelta(days=1)
    if days <= 0:
        raise InvalidInput("It would have expired already.", field="days", value=days, remedy="Give more.")
    if lifetime > MAX_LIFETIME:
        remedy = "Leave it out for a token that never expires."
        raise InvalidInput(f"A token lasts at most {MAX_LIFETIME.days:,} days.", field="days", value=days, remedy=remedy)


def _token(row: Row) -> Token:
    token_id, name, scopes, digest, created_at, expires_at, used_at, revoked_at = row
    return Token(
        token_id=token_id,
        name=name,
        scopes=frozenset(scopes.split()),
        digest=digest,
        created_at=instant(created_at),
        expires_at=moment(expires_at),
        used_at=moment(used_at),
        revoked_at=moment(revoked_at),
    )


def digest_of(secret: str) -> str:
    """Return the digest of a secret. The secret has 256 random bits, so a slow hash would add nothing."""
    return hashlib.sha256(secret.encode()).hexdigest()
