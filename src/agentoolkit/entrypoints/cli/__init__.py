"""The command ``agentool``. Its commands are in `commands`; heavy modules are imported only when a command runs."""

from __future__ import annotations

from agentoolkit.entrypoints.cli.app import app, main

__all__ = ["app", "main"]
