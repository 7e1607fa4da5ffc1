"""What `agentool serve` prints on a terminal of 80 columns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from rich.console import Console

from agentoolkit.entrypoints.cli.apply_tasks import Applied, task_lines
from agentoolkit.entrypoints.cli.execution_lines import LiveLog
from agentoolkit.system.scheduler.events import Event
from agentoolkit.testing import toolkit

LATER = datetime.now(UTC).astimezone() + timedelta(days=3)
LONG = "every weekday (Monday to Friday) at 09:00, except 2026-12-24/2026-12-26"


def printed(*tasks: Applied, width: int = 80) -> list[str]:
    """Return the lines of tasks."""
    console = Console(width=width, file=StringIO())
    for line in task_lines(tasks):
        console.print(line, no_wrap=True, overflow="ellipsis")
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["backup", "a-name-that-is-longer-than-the-column"])
def test_the_next_time_can_be_read(name: str) -> None:
    """Whatever does not fit is cut from the words; day and time of the next run are whole."""
    (line,) = printed(Applied(name, "new", "active", LONG, LATER.isoformat()))
    assert f"next {LATER:%a %Y-%m-%d %H:%M}" in line
    assert line.endswith("…")
    assert len(line) <= 80


def test_columns_are_as_wide_as_they_need_to_be() -> None:
    """Short names and states leave their room to the words."""
    done = Applied("first", "kept", "done", "once, on Wednesday 2026-11-25 at 20:33:04", None)
    paused = Applied("second", "changed", "paused", "every 5 minutes", LATER.isoformat())
    assert printed(done, paused) == [
        "  first  kept     done   once, on Wednesday 2026-11-25 at 20:33:04",
        "  second changed  paused every 5 minutes",
    ]


async def test_a_narrow_log_leaves_out_the_tool() -> None:
    """Below 100 columns results have its room as well."""
    (narrow, *told), (wide, *told_wide) = await logged(80), await logged(100)
    assert narrow == "due       job                  status         took  result"
    assert wide == "due       job                  tool         status         took  result"
    assert [line.count("queue ") for line in (*told, *told_wide)] == [0, 1]


async def logged(width: int) -> list[str]:
    """Return what a log prints of one execution."""
    heard: list[Event] = []
    call = {"agentool_name": "queue", "input_data": {"operation": "list_queues"}}
    async with toolkit(LATER.isoformat()) as kit:
        kit.scheduler.subscribe(heard.append)
        await kit.injector.run("scheduler", {"operation": "schedule", "job_id": "job", "schedule": "in 1 second", **call})
        await kit.advance(seconds=1)
    console = Console(width=width, file=StringIO())
    log = LiveLog(console)
    for event in heard:
        log.hear(event)
    log.begin()
    return [line for line in console.file.getvalue().splitlines() if line]  # type: ignore[attr-defined]
