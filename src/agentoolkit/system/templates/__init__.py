"""Templates in the language of Jinja2, rendered in a sandbox with limits."""

from agentoolkit.system.templates.agentool import create_templates_agent
from agentoolkit.system.templates.errors import InvalidTemplate, RenderingFailed, RenderingRefused, TemplateError, TemplateNotFound
from agentoolkit.system.templates.schemas import TemplatesInput

__all__ = [
    "InvalidTemplate",
    "RenderingFailed",
    "RenderingRefused",
    "TemplateError",
    "TemplateNotFound",
    "TemplatesInput",
    "create_templates_agent",
]
