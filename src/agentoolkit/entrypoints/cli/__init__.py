"""The command ``agentool``. Each command is a file in `commands`; what is heavy is imported when a command runs."""

from __future__ import annotations

from agentoolkit.entrypoints.cli.app import app, main

__all__ = ["app", "main"]
