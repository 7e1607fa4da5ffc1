"""The errors of saved views. Nothing is changed where one of them is raised."""

from __future__ import annotations

from agentool.errors import AgenToolError


class NoSuchView(AgenToolError, KeyError):
    """The caller has no view of this name for this page."""


class TooManyViews(AgenToolError, ValueError):
    """The caller keeps as many views as it may."""
