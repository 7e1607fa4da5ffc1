"""The operations of the AgenTool ``saved_views``: what a caller keeps is its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agentool.caller import get_caller
from agentool.context import RunContext
from agentool.errors import did_you_mean, excerpt
from agentool.operations import Handler
from agentoolkit.own_namespaces import SAVED_VIEWS
from agentoolkit.storage.kv.ports import KeyValueStore, StoredValue
from agentoolkit.system.saved_views.errors import NoSuchView, TooManyViews
from agentoolkit.system.saved_views.schemas import SavedView, SavedViewsOutput
from agentoolkit.system.scheduler.search import Subject, read_search
from agentoolkit.time_source import TimeSource

MAX_VIEWS = 100
"""Views of one owner."""


@dataclass(frozen=True, slots=True)
class SavedViews:
    """Where views are kept."""

    values: KeyValueStore
    time: TimeSource


Context = RunContext[SavedViews]


async def saved_views_save(ctx: Context, page: Subject, name: str, query: str, is_default: bool = False) -> SavedViewsOutput:
    """Save a search under a name; replace the page's view with this name.

    Raises:
        InvalidInput: The query cannot be read.
        TooManyViews: A hundred are kept.
    """
    read_search(query, page, me=get_caller().name, now=ctx.deps.time.now())
    saved = SavedView(name=name, page=page, query=query, is_default=is_default)

    def change(views: Sequence[SavedView]) -> list[SavedView]:
        others = [view for view in views if (view.page, view.name) != (page, name)]
        if len(others) >= MAX_VIEWS:
            raise TooManyViews(f"You keep {MAX_VIEWS} views.", field="name", value=name, remedy="Delete one of them first.")
        if is_default:
            others = [view.model_copy(update={"is_default": False}) if view.page == page else view for view in others]
        return sorted([*others, saved], key=lambda view: (view.page, view.name))

    return await _changed(ctx, "save", change)


async def saved_views_list(ctx: Context, page: Subject | None = None) -> SavedViewsOutput:
    """List the caller's views, of one page or of all."""
    views = _views(await ctx.deps.values.get(SAVED_VIEWS, get_caller().name, ctx.deps.time.now()))
    return SavedViewsOutput(operation="list", views=[view for view in views if page in (None, view.page)])


async def saved_views_delete(ctx: Context, page: Subject, name: str) -> SavedViewsOutput:
    """Delete a view.

    Raises:
        NoSuchView: No view has this name.
    """

    def change(views: Sequence[SavedView]) -> list[SavedView]:
        left = [view for view in views if (view.page, view.name) != (page, name)]
        if len(left) == len(views):
            elsewhere = next((view.page for view in views if view.name == name), None)
            same_page = [view.name for view in views if view.page == page]
            remedy = f"It is one of {elsewhere}." if elsewhere else did_you_mean(name, same_page)
            raise NoSuchView(f"You have no view of {page} named {excerpt(name)}.", field="name", value=name, remedy=remedy)
        return left

    return await _changed(ctx, "delete", change)


async def _changed(ctx: Context, operation: str, change: Callable[[Sequence[SavedView]], list[SavedView]]) -> SavedViewsOutput:
    """Change the caller's views in one step, whoever else does so, and return them."""

    def changed(before: StoredValue | None) -> StoredValue | None:
        views = change(_views(before))
        return StoredValue(json.dumps([view.model_dump() for view in views])) if views else None

    _, after = await ctx.deps.values.change(SAVED_VIEWS, get_caller().name, changed, ctx.deps.time.now())
    return SavedViewsOutput(operation=operation, views=_views(after))


def _views(stored: StoredValue | None) -> list[SavedView]:
    return [SavedView.model_validate(view) for view in json.loads(stored.text)] if stored else []


HANDLERS: dict[str, Handler] = {"save": saved_views_save, "list": saved_views_list, "delete": saved_views_delete}
