"""Who asks, from door to handler."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import pytest

from agentool import BaseOperationInput, ConfigurationError, Injector, RunContext, create_agentool
from agentool.caller import ADMIN, OWN, Caller, acting_as, get_caller

MARIA = Caller("maria", "agent", OWN)


class WhoInput(BaseOperationInput):
    operation: Literal["ask"]


async def who_ask(ctx: RunContext[None]) -> str:
    """Tell who asks."""
    return get_caller().name


def test_without_a_door_the_application_asks() -> None:
    """Code that sets no caller may do everything."""
    assert (get_caller().name, get_caller().door, get_caller().is_admin) == ("code", "code", True)


def test_a_door_sets_the_caller_for_a_block() -> None:
    """After the block the caller before it asks again."""
    with acting_as(MARIA):
        assert get_caller() is MARIA
    assert get_caller().name == "code"


async def test_a_handler_reads_the_caller(injector: Injector) -> None:
    """The caller reaches handlers through the injector, with no argument for it."""
    create_agentool("who", WhoInput, {"ask": who_ask})
    with acting_as(MARIA):
        assert await injector.run("who", {"operation": "ask"}) == "maria"


def test_a_synchronous_call_keeps_the_caller(injector: Injector) -> None:
    """``run_sync`` works in another thread, for the same caller."""
    create_agentool("who", WhoInput, {"ask": who_ask})
    with acting_as(MARIA), ThreadPoolExecutor(1) as pool:
        assert pool.submit(lambda: get_caller().name).result() == "code"
        assert injector.run_sync("who", {"operation": "ask"}) == "maria"


async def test_callers_of_two_tasks_do_not_meet() -> None:
    """Each task has the caller it set itself."""

    async def ask(name: str) -> str:
        with acting_as(Caller(name)):
            await asyncio.sleep(0)
            return get_caller().name

    assert await asyncio.gather(ask("a"), ask("b")) == ["a", "b"]


def test_admin_may_everything() -> None:
    """The scope admin stands for each of the others."""
    admin = Caller("root", scopes=ADMIN)
    assert all(admin.may(scope) for scope in ("read", "write", "approve", "admin"))


def test_a_model_may_not_approve() -> None:
    """The scopes that a language model gets include no decision on approvals."""
    assert not MARIA.may("approve")


def test_a_caller_owns_its_own_things_only() -> None:
    """Without admin, only what bears the caller's own name is its to touch."""
    assert (MARIA.owns("maria"), MARIA.owns("paul"), Caller().owns("paul")) == (True, False, True)


def test_inside_a_scheduled_run_a_caller_is_deeper() -> None:
    """A scheduled run acts for the same owner, with the same scopes, and its execution joins the lineage."""
    inner = MARIA.inside("a@1").inside("b@2")
    assert (inner.name, inner.door, inner.scopes) == ("maria", "schedule", OWN)
    assert (inner.depth, inner.lineage) == (2, ("a@1", "b@2"))


def test_a_lineage_is_bounded() -> None:
    """However deep, only the innermost executions are named, and the depth still counts all."""
    caller = MARIA
    for level in range(30):
        caller = caller.inside(str(level))
    assert (caller.depth, len(caller.lineage), caller.lineage[-1]) == (30, 20, "29")


def test_another_door_cannot_add_scopes() -> None:
    """Coming in by another door, a caller keeps at most the scopes it had."""
    assert MARIA.at("mcp", {"read", "approve"}).scopes == frozenset({"read"})
    assert Caller().at("agent", OWN).scopes == OWN


def test_a_caller_survives_json() -> None:
    """What a job keeps of its caller is read back as it was."""
    caller = MARIA.inside("a@1")
    assert Caller.from_json(caller.to_json()) == caller


@pytest.mark.parametrize("name", ["", "  ", "x" * 201])
def test_a_caller_has_a_name(name: str) -> None:
    """Nobody asks namelessly, or by a name too long to keep."""
    with pytest.raises(ConfigurationError, match="1 to 200 characters"):
        Caller(name)


def test_whoever_gives_a_set_is_a_caller_as_any_other() -> None:
    """Scopes and a lineage that no type checker would take are kept as those are that it takes."""
    caller = Caller("maria", scopes={"read"}, lineage=["job@1"])  # type: ignore[arg-type]
    assert (caller, hash(caller)) == (Caller("maria", scopes=frozenset({"read"}), lineage=("job@1",)), hash(caller))
