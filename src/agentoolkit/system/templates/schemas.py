"""What goes into the AgenTool ``templates`` and what comes out."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from agentool.base import BaseOperationInput


class TemplatesInput(BaseOperationInput):
    """Input of the AgenTool ``templates``. Which fields an operation takes, and needs, is said by its handler."""

    operation: Literal["render", "save", "get", "list", "delete", "validate"]
    template_name: str | None = Field(
        None, min_length=1, description="Letters, digits, '_', '-', '.' and '/'; text of '.html' and '.xml' templates is escaped"
    )
    template: str | None = Field(None, description="The text of a template, in the language of Jinja2")
    variables: dict[str, Any] | None = Field(None, description="What the template's variables stand for; '!ref:…' values are looked up")


class RenderedTemplate(BaseModel):
    """Answer to ``render``."""

    template_name: str | None = Field(description="None for a template that was given as text")
    text: str


class SavedTemplate(BaseModel):
    """Answer to ``save``."""

    template_name: str
    created: bool = Field(description="False where it replaced one")
    variables: list[str] = Field(description="Variables that it takes itself; those of what it includes are not among them")


class TemplateSource(BaseModel):
    """Answer to ``get``."""

    template_name: str
    template: str


class TemplateList(BaseModel):
    """Answer to ``list``."""

    templates: list[str]
    count: int


class DeletedTemplate(BaseModel):
    """Answer to ``delete``."""

    template_name: str
    deleted: bool = Field(description="False if there was none")


class ValidatedTemplate(BaseModel):
    """Answer to ``validate``."""

    valid: bool
    variables: list[str] = Field(description="Variables that it takes itself; empty where it is not valid")
    problem: str | None = Field(default=None, description="None where it is valid")
    line: int | None = Field(default=None, description="Where the problem is, from 1")
