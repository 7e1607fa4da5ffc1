"""The AgenTool ``storage_kv``, on a clock that is moved. What a store owes is in tests/contracts/test_kv_store.py."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentool import Injector, InvalidInput
from agentool.caller import OWN, Caller, acting_as
from agentool.references import resolve_references
from agentoolkit.settings import Settings
from agentoolkit.storage.kv import KeyNotFound, KvService, NotANumber, NotYours, ValueTooLarge, create_storage_kv_agent
from agentoolkit.storage.kv.memory import MemoryKeyValueStore
from agentoolkit.testing import ManualTime, toolkit
from agentoolkit.wiring import Toolkit

json_values = st.recursive(
    st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner | st.none()) | st.dictionaries(st.text(), inner | st.none()),
    max_leaves=10,
)


class Asking:
    def __init__(self) -> None:
        self.clock = ManualTime("2030-01-01T00:00:00+00:00")
        self.injector = Injector()
        create_storage_kv_agent(KvService(MemoryKeyValueStore(), self.clock), injector=self.injector)

    async def __call__(self, operation: str, key: str | None = "k", **fields: Any) -> Any:
        given = {"operation": operation, **fields}
        return await self.injector.run("storage_kv", given if key is None else {**given, "key": key})


@pytest.fixture
def ask() -> Asking:
    return Asking()


@given(json_values)
def test_every_json_value_comes_back(value: Any):
    """Whatever JSON value is set is got, of the same type, by the operation and by a reference."""
    ask = Asking()

    async def there_and_back() -> list[Any]:
        await ask("set", value=value)
        return [(await ask("get")).value, await resolve_references("!ref:storage_kv:k", ask.injector)]

    wanted = json.dumps(value, sort_keys=True)
    assert [json.dumps(found, sort_keys=True) for found in asyncio.run(there_and_back())] == [wanted, wanted]


async def test_a_missing_key_is_a_key_error_that_names_the_nearest(ask: Asking):
    """Without a default, a missing key is an error with what was probably meant."""
    await ask("set", key="current_time", value=1)
    with pytest.raises(KeyNotFound, match="'current_time'") as caught:
        await ask("get", key="curent_time")
    assert isinstance(caught.value, KeyError)


@pytest.mark.parametrize("default", [False, 0, "", [], {}])
async def test_a_default_stands_in(ask: Asking, default: Any):
    """Any default but null stands in for a missing value, and the answer says that it does."""
    answer = await ask("get", default=default)
    assert (answer.value, answer.found) == (default, False)


async def test_set_tells_whether_it_is_new(ask: Asking):
    """The first time there was nothing, the second time there was."""
    assert [(await ask("set", value=n)).created for n in (1, 2)] == [True, False]


async def test_a_value_ends_with_its_time_to_live(ask: Asking):
    """After its seconds a value is not there any more; until then the answer says when that will be."""
    await ask("set", value=1, ttl=10)
    assert (await ask("get")).expires_at == "2030-01-01T00:00:10+00:00"
    await ask.clock.advance(seconds=10)
    assert (await ask("exists")).exists is False


async def test_delete_tells_whether_there_was_something(ask: Asking):
    """The second time there was nothing."""
    await ask("set", value=1)
    assert [(await ask("delete")).deleted for _ in range(2)] == [True, False]


async def test_increment_counts_from_nothing(ask: Asking):
    """A missing key counts as 0; integers stay integers, and fractions and negative numbers are added too."""
    values = [(await ask("increment", **by)).value for by in ({}, {"by": 2}, {"by": -4}, {"by": 0.5})]
    assert values == [1, 3, -1, -0.5]
    assert [type(value) for value in values] == [int, int, int, float]


async def test_increments_at_once_are_all_counted(ask: Asking):
    """A hundred at once are a hundred."""
    answers = await asyncio.gather(*(ask("increment") for _ in range(100)))
    assert sorted(answer.value for answer in answers) == list(range(1, 101))


async def test_increment_keeps_the_time_to_live(ask: Asking):
    """A counter that expires goes on to expire when it did, unless it is given another time."""
    await ask("increment", ttl=10)
    assert (await ask("increment")).expires_at == "2030-01-01T00:00:10+00:00"
    assert (await ask("increment", ttl=20)).expires_at == "2030-01-01T00:00:20+00:00"


@pytest.mark.parametrize("value", ["1", True, [1]])
async def test_only_numbers_are_incremented(ask: Asking, value: Any):
    """Anything else is refused and stays."""
    await ask("set", value=value)
    with pytest.raises(NotANumber):
        await ask("increment")
    assert (await ask("get")).value == value


async def test_compare_and_set_needs_the_expected_value(ask: Asking):
    """Only the one that expects what is there succeeds; the answer has what is there now."""
    await ask("set", value={"a": 1, "b": 2})
    failed = await ask("compare_and_set", expected={"a": 1}, value="new")
    done = await ask("compare_and_set", expected={"b": 2, "a": 1}, value="new")
    assert [(answer.changed, answer.value) for answer in (failed, done)] == [(False, {"a": 1, "b": 2}), (True, "new")]


async def test_compare_and_set_without_expectation_is_the_first_one(ask: Asking):
    """Without `expected`, of ten at once one succeeds."""
    answers = await asyncio.gather(*(ask("compare_and_set", value=n) for n in range(10)))
    assert [answer.changed for answer in answers].count(True) == 1


@pytest.mark.parametrize(("held", "expected"), [(1, 1.0), (1.0, 1), ({"a": [2.0, 0.5]}, {"a": [2, 0.5]}), (1e300, int(1e300)), (0, -0.0)])
async def test_compare_and_set_compares_numbers_by_their_value(ask: Asking, held: Any, expected: Any):
    """1 and 1.0 are one number, as JSON has but one kind, also inside of lists and objects."""
    await ask("set", value=held)
    assert (await ask("compare_and_set", expected=expected, value=2)).changed


async def test_compare_and_set_expects_what_increments_made(ask: Asking):
    """A half and a half are 1, whatever form the sum has."""
    await ask("increment", by=0.5)
    await ask("increment", by=0.5)
    assert (await ask("compare_and_set", expected=1, value=2)).changed


@pytest.mark.parametrize(("held", "expected"), [(1, True), ("1", 1), (2**53 + 1, float(2**53)), ("1.0", "1")])
async def test_compare_and_set_tells_types_apart(ask: Asking, held: Any, expected: Any):
    """1, true and "1" are three values."""
    await ask("set", value=held)
    assert not (await ask("compare_and_set", expected=expected, value=2)).changed


async def test_compare_and_set_leaves_nothing_where_nothing_was(ask: Asking):
    """One that expects a value and finds none makes none."""
    answer = await ask("compare_and_set", expected=1, value=2)
    assert (answer.changed, answer.value, (await ask("exists")).exists) == (False, None, False)


async def test_keys_begin_with_the_prefix(ask: Asking):
    """Keys are listed in order, and the answer says whether there are more."""
    for key in ("b:1", "a:2", "a:1", "a:3"):
        await ask("set", key=key, value=1)
    answer = await ask("keys", key=None, prefix="a:", limit=2)
    assert (answer.keys, answer.count, answer.more) == (["a:1", "a:2"], 2, True)


async def test_namespaces_are_apart(ask: Asking):
    """Every operation stays in its namespace."""
    await ask("set", value=1, namespace="mine")
    assert (await ask("exists")).exists is False
    assert (await ask("keys", key=None, namespace="mine")).keys == ["k"]


async def test_a_large_value_is_refused(ask: Asking):
    """Beyond the limit nothing is kept, and the setting is named."""
    with pytest.raises(ValueTooLarge, match="kv_value_size"):
        await ask("set", value="x" * 1_000_000)
    assert not (await ask("exists")).exists


@pytest.mark.parametrize(
    "fields", [{"key": "a\0b"}, {"key": "a\nb"}, {"key": ""}, {"key": "x" * 501}, {"namespace": "\x1b"}, {"ttl": 0}, {"ttl": -1}]
)
async def test_what_cannot_be_a_key_or_a_time_is_refused(ask: Asking, fields: dict[str, Any]):
    """Control characters, nothing, and too much of something are refused by the field's name."""
    with pytest.raises(InvalidInput, match=next(iter(fields))):
        await ask("set", value=1, **fields)


async def test_a_value_outlives_its_process_in_a_database(tmp_path: Path):
    """With a database, values are there when the toolkit is opened again."""
    settings = Settings(database=str(tmp_path / "kit.db"), durability="normal", timezone="UTC")
    get = {"operation": "get", "key": "k"}
    async with Toolkit(settings) as kit:
        await kit.injector.run("storage_kv", {"operation": "set", "key": "k", "value": [1]})
    async with Toolkit(settings) as kit:
        assert (await kit.injector.run("storage_kv", get)).value == [1]


async def test_a_toolkit_that_was_not_entered_keeps_values_in_its_database(tmp_path: Path):
    """The first use of a storage opens its database, as that of a queue does."""
    kit = Toolkit(Settings(database=str(tmp_path / "kit.db"), durability="normal", timezone="UTC"))
    assert kit.database is not None
    assert (await kit.injector.run("storage_kv", {"operation": "get", "key": "k", "default": 1})).value == 1
    assert (await kit.injector.run("storage_kv", {"operation": "increment", "key": "k"})).created
    await kit.database.close()


async def test_a_toolkit_closes_its_database_at_last(tmp_path: Path):
    """A value that is kept while the toolkit closes does not leave its database open."""
    async with Toolkit(Settings(database=str(tmp_path / "kit.db"), durability="normal", timezone="UTC")) as kit:
        assert kit.database is not None
        await kit.scheduler.lifecycle.close()
        await kit.injector.run("storage_kv", {"operation": "set", "key": "k", "value": 1})
    assert not kit.database.is_open


async def test_the_toolkits_clock_counts():
    """The toolkit's storage goes by the toolkit's clock."""
    async with toolkit() as kit:
        await kit.injector.run("storage_kv", {"operation": "set", "key": "k", "value": 1, "ttl": 60})
        await kit.advance(minutes=1)
        assert not (await kit.injector.run("storage_kv", {"operation": "exists", "key": "k"})).exists


@pytest.mark.parametrize(("field", "text"), [("key", "\ud800"), ("key", "😀" * 499), ("namespace", "😀" * 499), ("key", "a\0")])
async def test_a_name_that_no_database_holds_is_refused(ask: Asking, field: str, text: str):
    """The same answer on every store: an error that names the field."""
    with pytest.raises(InvalidInput, match=field):
        await ask("set", value=1, namespace=text) if field == "namespace" else await ask("set", key=text, value=1)


@pytest.mark.parametrize(("held", "by"), [(10**400, 0.5), (1.5, 10**400), (-(10**400), -0.5)])
async def test_a_sum_that_no_number_holds_changes_nothing(ask: Asking, held: Any, by: Any):
    """An integer beyond every fraction and a fraction have no sum: an error, and the value stays."""
    await ask("set", value=held)
    with pytest.raises((NotANumber, InvalidInput)):
        await ask("increment", by=by)
    assert (await ask("get")).value == held


@pytest.mark.parametrize("namespace", ["agentool.saved_views", "agent-answers", "agent-changes", "task_files"])
@pytest.mark.parametrize("operation", ["get", "set", "delete", "exists", "increment"])
async def test_what_the_toolkit_keeps_for_itself_is_not_everybodys(ask: Asking, operation: str, namespace: str):
    """A caller without the scope ``admin`` neither reads nor changes it, nor sees its keys; an administrator does."""
    fields = {"set": {"value": 1}, "get": {"default": 0}}.get(operation, {})
    with acting_as(Caller("maria", "mcp", OWN)):
        with pytest.raises(NotYours, match="own"):
            await ask(operation, namespace=namespace, **fields)
        with pytest.raises(NotYours):
            await ask("keys", key=None, namespace=namespace)
        await ask(operation, namespace="maria's", **fields)
    await ask(operation, namespace=namespace, **fields)
