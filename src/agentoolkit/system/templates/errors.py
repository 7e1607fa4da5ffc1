"""The errors of templates.

TemplateError (RuntimeError)
├── TemplateNotFound   (KeyError) no template has this name
├── InvalidTemplate    (ValueError) the text is not a template: `line` says where
├── RenderingFailed    a variable is missing, or an expression went wrong: `line` says where
└── RenderingRefused   it wants more time, memory or text than allowed, or what the sandbox forbids
"""

from __future__ import annotations

from collections.abc import Iterable

from agentool.errors import AgenToolError, did_you_mean, excerpt


class TemplateError(AgenToolError, RuntimeError):
    """A template could not be used."""

    line: int | None = None
    """The line of the template concerned, from 1; None where it is not known."""


class TemplateNotFound(TemplateError, KeyError):
    """No template has this name."""

    @classmethod
    def among(cls, name: str, known: Iterable[str]) -> TemplateNotFound:
        """Name the nearest of the templates there are."""
        remedy = did_you_mean(name, known) or "There are none yet: 'save' one, or set `template_folder`."
        return cls(f"No template is named {excerpt(name)}.", field="template_name", value=name, remedy=remedy)


class InvalidTemplate(TemplateError, ValueError):
    """The text is not a template."""


class RenderingFailed(TemplateError):
    """A variable is missing, or an expression went wrong."""


class RenderingRefused(TemplateError):
    """The template wants more time, memory or text than allowed, or something that the sandbox forbids."""
