"""``/act``: whatever changes something is asked for on a page of its own, and done when it was confirmed."""

from __future__ import annotations

from agentoolkit.entrypoints.dashboard.page import page_router

router = page_router("actions")
