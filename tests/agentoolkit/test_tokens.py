"""What every store of tokens owes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agentool import InvalidInput
from agentoolkit.database.database import Database
from agentoolkit.database.dialects import dialect_for
from agentoolkit.database.migrations import MIGRATIONS
from agentoolkit.testing import ManualTime
from agentoolkit.tokens import MAX_LIFETIME, MemoryTokens, SqlTokens, Tokens, TokenStore

START = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[TokenStore]:
    if request.param == "memory":
        yield MemoryTokens()
        return
    database = Database(dialect_for(str(tmp_path / "a.db"), "normal"), MIGRATIONS)
    yield SqlTokens(database)
    await database.close()


async def test_a_revoked_token_stays_revoked(store: TokenStore):
    """Though its use is written by somebody who read it before."""
    tokens = Tokens(store, ManualTime(START))
    token, text = await tokens.create("maria")
    await tokens.revoke(token.token_id)
    await store.put(replace(token, used_at=START))
    assert await tokens.check(text) is None


async def test_the_rights_of_a_token_are_those_it_was_made_with(store: TokenStore):
    """Writing its use changes neither its owner nor its scopes."""
    tokens = Tokens(store, ManualTime(START))
    token, _ = await tokens.create("maria")
    await store.put(replace(token, name="other", scopes=frozenset({"admin"}), used_at=START))
    kept = await store.get(token.token_id)
    assert kept == replace(token, used_at=START)


@pytest.mark.parametrize("lifetime", [timedelta.max, MAX_LIFETIME + timedelta(microseconds=1), timedelta(0), timedelta.min])
async def test_a_lifetime_without_a_date_for_its_end_is_refused(store: TokenStore, lifetime: timedelta):
    """With its days and the way out, and nothing is stored."""
    with pytest.raises(InvalidInput, match=r"days: (A token lasts at most 36,500 days. Leave it out|It would have expired)") as refused:
        await Tokens(store, ManualTime(START)).create("maria", lifetime=lifetime)
    assert refused.value.value == lifetime / timedelta(days=1)
    assert await store.all() == []


async def test_a_token_may_last_a_century(store: TokenStore):
    """The longest lifetime is stored and read again."""
    token, text = await Tokens(store, ManualTime(START)).create("maria", lifetime=MAX_LIFETIME)
    kept = await store.get(token.token_id)
    assert kept is not None
    assert kept.expires_at == START + MAX_LIFETIME
    assert await Tokens(store, ManualTime(START)).check(text)
