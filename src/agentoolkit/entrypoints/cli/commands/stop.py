"""``agentool stop``."""

from __future__ import annotations


def stop() -> None:
    """Let nothing fire in any process on this database, until `agentool start`. Jobs are kept, and what runs may end."""
    from agentoolkit.entrypoints.cli.commands.status import show
    from agentoolkit.entrypoints.cli.opening import ask

    show(ask("stop"))
