"""The operations of the AgenTool ``templates``."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from agentool.context import RunContext
from agentool.errors import InvalidInput
from agentool.operations import Handler
from agentool.references import has_references, resolve_references
from agentoolkit.system.templates.errors import InvalidTemplate, TemplateNotFound
from agentoolkit.system.templates.library import Library, found
from agentoolkit.system.templates.rendering import Renderer
from agentoolkit.system.templates.schemas import (
    DeletedTemplate,
    RenderedTemplate,
    SavedTemplate,
    TemplateList,
    TemplatesInput,
    TemplateSource,
    ValidatedTemplate,
)


@dataclass(frozen=True, slots=True)
class Templates:
    """What the operations work with."""

    library: Library
    renderer: Renderer

    async def source(self, template_name: str | None, template: str | None) -> str:
        """Return the text that was given, or that has the name. Raises `TemplateNotFound`, `InvalidInput`."""
        _refuse_both_or_none(template_name, template)
        return template or await asyncio.to_thread(found, self.library, template_name or "")

    async def close(self) -> None:
        """End the processes that render. The next use starts them again."""
        await self.renderer.close()


Context = RunContext[Templates]


async def templates_render(
    ctx: Context, template_name: str | None = None, template: str | None = None, variables: dict[str, Any] | None = None
) -> RenderedTemplate:
    """Fill in a template, by its name or given as text. A variable that it needs and does not get is an error.

    Raises:
        TemplateNotFound: No template has this name.
        InvalidTemplate, RenderingFailed, RenderingRefused: See their descriptions.
    """
    source = await ctx.deps.source(template_name, template)
    values = await resolve_references(variables or {}, ctx.injector)
    text = await ctx.deps.renderer.render(template_name, source, values, ctx.deps.library.find)
    return RenderedTemplate(template_name=template_name, text=text)


async def templates_save(ctx: Context, template_name: str, template: str) -> SavedTemplate:
    """Keep a template under a name, in place of one that has it.

    Raises:
        InvalidTemplate: The text is not a template; nothing is saved.
        InvalidInput: No template can have this name.
    """
    variables = await ctx.deps.renderer.validate(template_name, template)
    created = await asyncio.to_thread(ctx.deps.library.save, template_name, template)
    return SavedTemplate(template_name=template_name, created=created, variables=variables)


async def templates_get(ctx: Context, template_name: str) -> TemplateSource:
    """Show the text of a template.

    Raises:
        TemplateNotFound: No template has this name.
    """
    return TemplateSource(template_name=template_name, template=await ctx.deps.source(template_name, None))


async def templates_list(ctx: Context) -> TemplateList:
    """List the names of all templates."""
    names = list(await asyncio.to_thread(ctx.deps.library.names))
    return TemplateList(templates=names, count=len(names))


async def templates_delete(ctx: Context, template_name: str) -> DeletedTemplate:
    """Remove a template; one that is not there changes nothing."""
    deleted = await asyncio.to_thread(ctx.deps.library.delete, template_name)
    return DeletedTemplate(template_name=template_name, deleted=deleted)


async def templates_validate(ctx: Context, template_name: str | None = None, template: str | None = None) -> ValidatedTemplate:
    """Tell whether a text is a template, and which variables it takes, without rendering it.

    Raises:
        TemplateNotFound: No template has this name.
    """
    source = await ctx.deps.source(template_name, template)
    try:
        variables = await ctx.deps.renderer.validate(template_name, source)
    except InvalidTemplate as error:
        return ValidatedTemplate(valid=False, variables=[], problem=error.problem, line=error.line)
    return ValidatedTemplate(valid=True, variables=variables)


def check_template(templates: Templates, call: TemplatesInput) -> None:
    """Refuse to render a template that does not exist, before anything is rendered."""
    if call.operation in ("render", "validate"):
        _refuse_both_or_none(call.template_name, call.template)
    name = call.template_name
    if call.operation == "render" and name is not None and not (has_references(name) or templates.library.has(name)):
        raise TemplateNotFound.among(name, templates.library.names())


def _refuse_both_or_none(template_name: str | None, template: str | None) -> None:
    if (template_name is None) == (not template):
        remedy = "Give either template_name, for one that is saved, or template, its text."
        raise InvalidInput("One template is needed.", field="template_name", value=template_name, remedy=remedy)


HANDLERS: dict[str, Handler] = {
    "render": templates_render,
    "save": templates_save,
    "get": templates_get,
    "list": templates_list,
    "delete": templates_delete,
    "validate": templates_validate,
}
