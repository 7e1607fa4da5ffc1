"""Makes the AgenTool ``templates``."""

from __future__ import annotations

from pathlib import Path

from agentool.agentool import AgenTool, create_agentool
from agentool.core.injector import Injector, get_injector
from agentoolkit.system.templates.library import FolderLibrary, Library, MemoryLibrary
from agentoolkit.system.templates.operations import HANDLERS, Templates, check_template
from agentoolkit.system.templates.rendering import Limits, Renderer
from agentoolkit.system.templates.schemas import TemplatesInput

NAME = "templates"

DESCRIPTION = """\
Fills in Jinja2 templates, saved ones or text, inside a sandbox with limits on time, memory and size."""


def create_templates_agent(
    folder: Path | str | None = None, limits: Limits | None = None, *, injector: Injector | None = None
) -> AgenTool[Templates]:
    """Make the AgenTool ``templates`` and register it; where there is one already, return that.

    Args:
        folder: Where templates are kept, one file each; by default they live in memory.
        limits: What a template may take.
        injector: Where to register, and where references are looked up; the current one by default.
    """
    injector = injector or get_injector()
    if NAME in injector and folder is None and limits is None:
        return injector.get(NAME)
    renderer = Renderer(limits)
    library: Library = MemoryLibrary() if folder is None else FolderLibrary(Path(folder), renderer.limits.source)
    return create_agentool(
        NAME,
        TemplatesInput,
        HANDLERS,
        deps=Templates(library, renderer),
        description=DESCRIPTION,
        precheck=check_template,
        examples=EXAMPLES,
        injector=injector,
    )


EXAMPLES = (
    {"operation": "render", "template": "Dear {{ name }},", "variables": {"name": "!ref:storage_kv:customer"}},
    {"operation": "save", "template_name": "report", "template": "As of {{ timestamp }}"},
)
