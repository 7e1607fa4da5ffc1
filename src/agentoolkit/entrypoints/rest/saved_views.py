"""``/views``: a caller's saved searches, by page and name."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, Field

from agentoolkit.entrypoints.rest.models import Body
from agentoolkit.entrypoints.rest.request_tools import RequestTools
from agentoolkit.entrypoints.rest.routing import guarded_router

router = guarded_router("views")

Page = Literal["tasks", "executions"]
_PAGES = {"tasks": "jobs", "executions": "executions"}
_NAMES: dict[str, Page] = {"jobs": "tasks", "executions": "executions"}
_ViewName = Annotated[str, Path(min_length=1, max_length=100)]


class ViewQuery(BaseModel):
    """Selects views."""

    model_config = ConfigDict(extra="forbid")

    page: Page | None = None


class ViewBody(Body):
    """The search to save under a name."""

    query: str = Field(max_length=500, description="The search", examples=["status:failed since:24h"])
    is_default: bool = Field(default=False, description="Whether the dashboard's page opens with it")


class TaskView(BaseModel):
    """A saved search."""

    page: Page
    name: str
    query: str
    is_default: bool


class TaskViews(BaseModel):
    """Saved searches, by name."""

    views: list[TaskView]


@router.get("/views")
async def list_views(asked: Annotated[ViewQuery, Query()], tools: RequestTools) -> TaskViews:
    """List your views, of one page or of all."""
    return _task_views(await tools.run("saved_views", "list", page=_PAGES[asked.page] if asked.page else None))


@router.put("/views/{page}/{name}")
async def save_view(page: Page, name: _ViewName, view: ViewBody, tools: RequestTools) -> TaskViews:
    """Save a search under a name, replacing an older one of that name. The answer has all of your views."""
    return _task_views(await tools.run("saved_views", "save", page=_PAGES[page], name=name, query=view.query, is_default=view.is_default))


@router.delete("/views/{page}/{name}")
async def delete_view(page: Page, name: _ViewName, tools: RequestTools) -> TaskViews:
    """Delete a view. The answer has the remaining views."""
    return _task_views(await tools.run("saved_views", "delete", page=_PAGES[page], name=name))


def _task_views(answer: Any) -> TaskViews:
    views = [{**view.model_dump(), "page": _NAMES[view.page]} for view in answer.views]
    return TaskViews.model_validate({"views": views})
