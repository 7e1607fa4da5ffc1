"""``agentool start``."""

from __future__ import annotations


def start() -> None:
    """Let the scheduler go on after `agentool stop`. The process itself is started by `agentool serve`."""
    from agentoolkit.entrypoints.cli.commands.status import show
    from agentoolkit.entrypoints.cli.opening import ask

    show(ask("start"))
