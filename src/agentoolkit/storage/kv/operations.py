"""The operations of the key-value storage: input → service → output."""

from __future__ import annotations

from pydantic import JsonValue
from typing_extensions import Unpack

from agentool.context import RunContext
from agentool.operations import Handler
from agentoolkit.storage.kv.ports import StoredValue
from agentoolkit.storage.kv.schemas import (
    NAMESPACE,
    PAGE,
    KvCompared,
    KvDeleted,
    KvExists,
    KvKeys,
    KvValue,
    KvWritten,
    Lifetime,
)
from agentoolkit.storage.kv.service import KvService, Place, decoded

Context = RunContext[KvService]


async def kv_get(ctx: Context, key: str, namespace: str = NAMESPACE, default: JsonValue | None = None) -> KvValue:
    """Look up a value.

    Raises:
        KeyNotFound: There is none, and no default was given.
    """
    place = Place(namespace, key)
    entry = await ctx.deps.find(place)
    if entry is not None:
        return KvValue(key=key, namespace=namespace, value=decoded(entry), found=True, expires_at=_expiry(entry))
    if default is None:
        raise await ctx.deps.missing(place)
    return KvValue(key=key, namespace=namespace, value=default, found=False, expires_at=None)


async def kv_set(ctx: Context, key: str, value: JsonValue, **lifetime: Unpack[Lifetime]) -> KvWritten:
    """Keep a value under a key, in place of what was there.

    Raises:
        ValueTooLarge: It is not kept.
    """
    place = Place(lifetime.get("namespace", NAMESPACE), key)
    before, after = await ctx.deps.set(place, value, lifetime.get("ttl"))
    return _written(place, before, after)


async def kv_delete(ctx: Context, key: str, namespace: str = NAMESPACE) -> KvDeleted:
    """Remove a value; one that is not there changes nothing."""
    before, _ = await ctx.deps.delete(Place(namespace, key))
    return KvDeleted(key=key, namespace=namespace, deleted=before is not None)


async def kv_exists(ctx: Context, key: str, namespace: str = NAMESPACE) -> KvExists:
    """Tell whether there is a value under a key."""
    return KvExists(key=key, namespace=namespace, exists=await ctx.deps.find(Place(namespace, key)) is not None)


async def kv_keys(ctx: Context, prefix: str = "", namespace: str = NAMESPACE, limit: int = PAGE) -> KvKeys:
    """List keys in order."""
    found = list(await ctx.deps.keys(namespace, prefix, limit + 1))
    shown = found[:limit]
    return KvKeys(namespace=namespace, prefix=prefix, keys=shown, count=len(shown), more=len(found) > limit)


async def kv_increment(ctx: Context, key: str, by: float = 1, **lifetime: Unpack[Lifetime]) -> KvWritten:
    """Add to a number in one step, however many do so at once; a key that is not there counts as 0.

    Raises:
        NotANumber: Something else is there.
    """
    place = Place(lifetime.get("namespace", NAMESPACE), key)
    before, after = await ctx.deps.increment(place, by, lifetime.get("ttl"))
    return _written(place, before, after)


async def kv_compare_and_set(
    ctx: Context, key: str, value: JsonValue, expected: JsonValue | None = None, **lifetime: Unpack[Lifetime]
) -> KvCompared:
    """Keep a value if the one that is there is the expected one; without `expected`, if there is none.

    Raises:
        ValueTooLarge: It is not kept.
    """
    place = Place(lifetime.get("namespace", NAMESPACE), key)
    before, after = await ctx.deps.compare_and_set(place, expected, value, lifetime.get("ttl"))
    held = None if after is None else decoded(after)
    return KvCompared(key=key, namespace=place.namespace, changed=after is not before, value=held)


HANDLERS: dict[str, Handler] = {
    "get": kv_get,
    "set": kv_set,
    "delete": kv_delete,
    "exists": kv_exists,
    "keys": kv_keys,
    "increment": kv_increment,
    "compare_and_set": kv_compare_and_set,
}


def _written(place: Place, before: StoredValue | None, after: StoredValue | None) -> KvWritten:
    held = None if after is None else decoded(after)
    return KvWritten(key=place.key, namespace=place.namespace, value=held, created=before is None, expires_at=_expiry(after))


def _expiry(entry: StoredValue | None) -> str | None:
    return entry.expires_at.isoformat() if entry and entry.expires_at else None
