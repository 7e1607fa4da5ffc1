"""Makes the AgenTool ``templates``."""

from __future__ import annotations

from pathlib import Path

from agentool.agentool import AgenTool, create_agentool
from agentool.core.injector import Injector, get_injector
from agentoolkit.settings import TemplateSettings
from agentoolkit.system.templates.library import FolderLibrary, Library, MemoryLibrary
from agentoolkit.system.templates.operations import HANDLERS, Templates, check_template
from agentoolkit.system.templates.rendering import Renderer
from agentoolkit.system.templates.schemas import TemplatesInput

NAME = "templates"

DESCRIPTION = """\
Fills in Jinja2 templates, saved ones or text, inside a sandbox with limits on time, memory and size."""


def create_templates_agent(
    settings: TemplateSettings | Path | str | None = None, *, injector: Injector | None = None
) -> AgenTool[Templates]:
    """Make the AgenTool ``templates`` and register it; where there is one already, return that.

    Args:
        settings: Where templates are kept, one file each, by default in memory; and what one may take. A folder alone is
            where they are kept.
        injector: Where to register, and where references are looked up; the current one by default.
    """
    injector = injector or get_injector()
    if NAME in injector and settings is None:
        return injector.get(NAME)
    if not isinstance(settings, TemplateSettings):
        settings = TemplateSettings(folder=None if settings is None else Path(settings))
    library: Library = MemoryLibrary() if settings.folder is None else FolderLibrary(settings.folder, settings.size)
    return create_agentool(
        NAME,
        TemplatesInput,
        HANDLERS,
        deps=Templates(library, Renderer(settings)),
        description=DESCRIPTION,
        precheck=check_template,
        examples=EXAMPLES,
        injector=injector,
    )


EXAMPLES = (
    {"operation": "render", "template": "Dear {{ name }},", "variables": {"name": "!ref:storage_kv:customer"}},
    {"operation": "save", "template_name": "report", "template": "As of {{ timestamp }}"},
)
