"""The tasks of a file as lines: what became of each, when it runs next, and what its schedule means."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from agentoolkit.entrypoints.cli.apply_tasks import Applied
from agentoolkit.entrypoints.cli.execution_lines import NAME_WIDTH
from agentoolkit.entrypoints.cli.printing import cut, moment_of, present, short_time

_STYLES = {"new": "green", "changed": "yellow"}


def task_lines(tasks: Sequence[Applied]) -> list[Text]:
    """Write a line for each task; its words come last, because they can be cut, with its zone where the clock shows another time."""
    rows: list[tuple[Applied, str, str, str]] = []
    now = present()
    for task in tasks:
        moment = moment_of(task.next_run)
        is_elsewhere = moment is not None and moment.utcoffset() != moment.astimezone().utcoffset()
        told = task.state if task.state != "active" or moment is None else f"next {short_time(moment, now)}"
        words = f"{task.words}, {task.timezone}" if is_elsewhere and task.timezone else task.words
        rows.append((task, cut(task.job_id, NAME_WIDTH), told, words))
    wide, most = max((len(name) for _, name, _, _ in rows), default=0), max((len(told) for _, _, told, _ in rows), default=0)
    return [
        Text.assemble(
            (f"  {name:<{wide}} ", "bold"),
            (f"{task.mark:<8} ", _STYLES.get(task.mark, "dim")),
            (f"{told:<{most}} ", "dim" if task.state == "active" else "yellow"),
            words,
        )
        for task, name, told, words in rows
    ]
