"""``agentool restart``."""

from __future__ import annotations

NOTICED_SECONDS = 1.0
"""Within which every process that shares a database has noticed that it was stopped."""


def restart() -> None:
    """Stop and start in one: the process that serves reads every job anew."""
    from time import sleep

    from agentoolkit.entrypoints.cli.commands.status import show
    from agentoolkit.entrypoints.cli.opening import ask

    ask("stop")
    sleep(NOTICED_SECONDS)
    show(ask("start"))
