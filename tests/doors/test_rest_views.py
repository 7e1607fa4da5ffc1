"""``/views``: searches under names."""

from __future__ import annotations

from .conftest import Api


async def test_views_of_the_api(api: Api) -> None:
    """They are saved, listed and deleted; tasks are what the scheduler calls jobs."""
    await api("PUT", "/views/tasks/nightly", json={"query": "tag:nightly", "is_default": True})
    saved = await api("PUT", "/views/executions/failed%20today", json={"query": "status:failed since:24h"})
    assert [(view["page"], view["name"]) for view in saved["views"]] == [("executions", "failed today"), ("tasks", "nightly")]
    assert [view["query"] for view in (await api("GET", "/views?page=tasks"))["views"]] == ["tag:nightly"]
    assert len((await api("DELETE", "/views/tasks/nightly"))["views"]) == 1
    assert (await api("DELETE", "/views/tasks/nightly", status=404))["field"] == "name"


async def test_a_view_that_cannot_be_read_is_refused(api: Api) -> None:
    """With the field concerned."""
    assert (await api("PUT", "/views/tasks/slow", status=422, json={"query": "took:>5m"}))["field"] == "query"
