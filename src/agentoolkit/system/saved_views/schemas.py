"""What goes into the AgenTool ``saved_views`` and what comes out."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field

from agentool.base import BaseOperationInput
from agentoolkit.system.scheduler.search import Subject
from agentoolkit.text import storable

MAX_NAME = 100
"""Characters of a view's name."""

Text = Annotated[str, BeforeValidator(lambda value: storable(value) if isinstance(value, str) else value)]


class SavedView(BaseModel):
    """A search under a name."""

    name: str
    page: Subject
    query: str
    is_default: bool = Field(default=False, description="The page begins with it")


class SavedViewsInput(BaseOperationInput):
    """Input of the AgenTool ``saved_views``. Which fields an operation takes, and needs, is said by its handler."""

    operation: Literal["save", "list", "delete"]
    page: Subject | None = Field(None, description="The list that it is for", examples=["executions"])
    name: Text | None = Field(None, min_length=1, max_length=MAX_NAME, description="What it is called", examples=["Failed today"])
    query: Text | None = Field(None, max_length=500, description="The search, as lists take it", examples=["status:failed since:24h"])
    is_default: bool | None = Field(None, description="Whether the page begins with it; only one of a page does")


class SavedViewsOutput(BaseModel):
    """Answer to every operation."""

    operation: str
    views: list[SavedView] = Field(description="All of the caller's views, or those of one page, by their names")
