"""When garbage is collected: seldom while a command is loaded, as usual where a process serves."""

from __future__ import annotations

import gc

LOADING = 500_000
"""New objects after which garbage is collected: a command makes very many as it is loaded and for ten thousand jobs, and they all stay."""

_usual = gc.get_threshold()


def collect_seldom() -> None:
    """Spend no time on looking for garbage among what was just loaded."""
    gc.set_threshold(LOADING)


def collect_as_usual() -> None:
    """Undo `collect_seldom`: a process that goes on for days makes garbage, and should pause for little of it at a time."""
    gc.set_threshold(*_usual)
