"""The AgenTool ``saved_views``: searches under names, each caller its own."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from agentool.caller import OWN, Caller, acting_as
from agentool.errors import InvalidInput
from agentoolkit.system.saved_views import NoSuchView, TooManyViews
from agentoolkit.testing import TestToolkit, toolkit


@pytest.fixture
async def kit() -> AsyncGenerator[TestToolkit]:
    async with toolkit() as opened:
        yield opened


async def ask(kit: TestToolkit, operation: str, **fields: Any) -> list[tuple[str, str, bool]]:
    answer = await kit.injector.run("saved_views", {"operation": operation, **fields})
    return [(view.page, view.name, view.is_default) for view in answer.views]


async def test_a_view_is_kept_under_its_name(kit: TestToolkit) -> None:
    """Saved again it is replaced; each page has its own names; they come in order."""
    await ask(kit, "save", page="jobs", name="b", query="tag:x")
    await ask(kit, "save", page="jobs", name="a", query="tag:x")
    await ask(kit, "save", page="executions", name="b", query="took:>5m")
    await ask(kit, "save", page="jobs", name="b", query="tag:y")
    assert await ask(kit, "list") == [("executions", "b", False), ("jobs", "a", False), ("jobs", "b", False)]
    views = (await kit.injector.run("saved_views", {"operation": "list", "page": "jobs"})).views
    assert [view.query for view in views] == ["tag:x", "tag:y"]


async def test_one_view_of_a_page_is_the_default(kit: TestToolkit) -> None:
    """The one that became so last."""
    for name in ("a", "b"):
        await ask(kit, "save", page="jobs", name=name, query="", is_default=True)
    await ask(kit, "save", page="executions", name="c", query="", is_default=True)
    assert await ask(kit, "list") == [("executions", "c", True), ("jobs", "a", False), ("jobs", "b", True)]


async def test_a_view_is_deleted(kit: TestToolkit) -> None:
    """One that is not there is refused, with the nearest name."""
    await ask(kit, "save", page="jobs", name="mine", query="owner:me")
    with pytest.raises(NoSuchView, match="Did you mean 'mine'"):
        await ask(kit, "delete", page="jobs", name="mien")
    assert await ask(kit, "delete", page="jobs", name="mine") == []


async def test_views_are_their_owners(kit: TestToolkit) -> None:
    """Nobody sees those of others, an administrator neither."""
    with acting_as(Caller("maria", "rest", OWN)):
        await ask(kit, "save", page="jobs", name="mine", query="owner:me")
    assert await ask(kit, "list") == []


@pytest.mark.parametrize(("page", "query"), [("jobs", "took:>5m"), ("executions", "status:scheduled"), ("jobs", "nothing:x")])
async def test_a_query_that_cannot_be_read_is_not_kept(kit: TestToolkit, page: str, query: str) -> None:
    """It is refused when it is saved, not when it is used."""
    with pytest.raises(InvalidInput):
        await ask(kit, "save", page=page, name="x", query=query)
    assert await ask(kit, "list") == []


async def test_views_are_bounded(kit: TestToolkit) -> None:
    """A hundred of each owner; one that is there can be replaced."""
    for number in range(100):
        await ask(kit, "save", page="jobs", name=f"{number}", query="")
    with pytest.raises(TooManyViews):
        await ask(kit, "save", page="jobs", name="more", query="")
    assert len(await ask(kit, "save", page="jobs", name="7", query="tag:x")) == 100
