"""How a schedule is shown to a person: its meaning, its next due times, and what may surprise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.text import Text

from agentoolkit.entrypoints.cli.printing import long_time, moment_of, present, print_pairs, print_table, relative, say


def print_timing(data: Mapping[str, Any], count: int | None = None) -> None:
    """Print what the operations ``preview`` and ``schedule`` answer, with so many due times."""
    now = present()
    reads = data["schedule"] if data["schedule_type"] != "once" else ""  # the due time says it
    facts = {"means": data["words"], "reads": reads and f"{reads} ({data['schedule_type']})", "zone": data["timezone"]}
    print_pairs(facts, indent=2)
    runs = [moment for text in data["next_runs"][:count] if (moment := moment_of(text))]
    first = ["next", *[""] * len(runs)][: len(runs)]
    rows = [(Text(f"{word:<5}", "dim"), long_time(run), relative(run, now)) for word, run in zip(first, runs, strict=True)]
    print_table(rows, indent=2)
    for remark in data["remarks"]:
        say(Text.assemble(("  note   ", "dim"), remark))
