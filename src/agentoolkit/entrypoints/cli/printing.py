"""Print tables, facts, times and data: on a terminal in colours and cut to its width, elsewhere plain and whole."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import TYPE_CHECKING, Any, cast, get_args

from rich.cells import cell_len, set_cell_size
from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style
from rich.text import Text

from agentoolkit.entrypoints.cli.terminal import PlainConsole, write_json_text
from agentoolkit.text import counted, in_one_line, printable_json
from agentoolkit.time_source import SystemTime

if TYPE_CHECKING:
    from pydantic import BaseModel

    from agentoolkit.system.scheduler.answer_schemas import Timing

STATUS_COLOURS = {
    "success": "green",
    "failed": "red",
    "lost": "red",
    "missed": "yellow",
    "skipped": "yellow",
    "cancelled": "yellow",
    "scheduled": "green",
    "paused": "yellow",
    "broken": "red",
}
PIPE_WIDTH = 100_000
"""Width of an output that is not a terminal: nothing is cut there."""
NARROW = 100
"""Terminals with fewer columns than this show less."""
_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


def console() -> Console:
    """Return a console for stdout as it is now."""
    return PlainConsole(width=None if sys.stdout.isatty() else PIPE_WIDTH)


def print_json(data: Any) -> None:
    """Print data as JSON."""
    write_json_text(printable_json(data, indent=2) + "\n")


def print_result(result: BaseModel) -> None:
    """Print an operation's result as JSON."""
    print_json(result.model_dump(mode="json"))


def print_data(found: BaseModel | Mapping[str, Any], rows: str, output: str, *, json: bool = False, columns: Sequence[str] = ()) -> None:
    """Print an answer for programs, as CSV or as JSON.

    Args:
        found: The answer.
        rows: Its field with a list, whose items are the rows of the CSV.
        output: ``csv``; anything else is JSON.
        json: JSON, whatever `output` says.
        columns: Header of a CSV without rows, if the answer does not declare its fields.
    """
    data: dict[str, Any] = dict(found) if isinstance(found, Mapping) else found.model_dump(mode="json")
    if json or output != "csv":
        print_json(data)
    else:
        from agentoolkit.csv_text import csv_text

        sys.stdout.write(csv_text(data[rows], list(data[rows][0]) if data[rows] else columns or _columns_of(found, rows)))


def _columns_of(found: BaseModel | Mapping[str, Any], rows: str) -> Sequence[str]:
    """Return the names of the columns of a list that is empty, as far as the answer declares them."""
    kind: Any = None if isinstance(found, Mapping) else type(found).model_fields[rows].annotation
    return list(get_args(kind)[0].model_fields) if kind else ()


def shown(text: str | Text) -> Text:
    """Make a text safe to print: in one line, without markup and control characters."""
    if isinstance(text, str):
        return Text(in_one_line(text))
    return text if text.plain.isprintable() else Text(in_one_line(text.plain), text.style)


def say(line: str | Text) -> None:
    """Print a line."""
    console().print(shown(line), soft_wrap=True)


def say_lines(text: str) -> None:
    """Print a text with its line breaks and tabs."""
    console().print(Text(in_one_line(text, keep="\n\t")), soft_wrap=True)


def print_table(rows: Iterable[Sequence[str | Text]], header: Sequence[str] = (), indent: int = 0) -> None:
    """Print rows in columns of the needed width. Lines are cut at the terminal's edge.

    rich's Table would take ten times as long for ten thousand jobs, and pads the last column.
    """
    head = [[Text(name, "dim") for name in header]] if header else []
    cells = [[_plain_cell(cell) for cell in row] for row in (*head, *rows)]
    if not cells:
        return
    widths = [max(map(_width, column)) for column in zip(*cells, strict=True)]
    shown = console()
    system = ColorSystem.STANDARD if shown.color_system else None  # our colours are among the eight of every terminal
    room = shown.width
    fits = system is None and indent + sum(widths) + 2 * (len(widths) - 1) <= room
    if fits:
        padded = ("  ".join([text + " " * (width - own) for (text, _, own), width in zip(row, widths, strict=True)]) for row in cells)
        lines = [(" " * indent + line).rstrip(" ") for line in padded]
    else:
        lines = [_line(row, widths, indent, room, system) for row in cells]
    sys.stdout.write("\n".join(lines) + "\n")


Cell = tuple[str, str, int]
"""A text in one line, its style, and its width in a terminal's columns."""

_width = itemgetter(2)


def _plain_cell(cell: str | Text) -> Cell:
    text, style = (in_one_line(cell), "") if isinstance(cell, str) else (in_one_line(cell.plain), str(cell.style))
    return text, style, len(text) if text.isascii() else cell_len(text)


def _line(row: Sequence[Cell], widths: Sequence[int], indent: int, room: int, system: ColorSystem | None) -> str:
    """Return the text of a row, cut at the terminal's edge."""
    parts: list[str] = []
    gap = " " * indent
    for cell, width in zip(row, widths, strict=True):
        text, style, own = cell
        room -= len(gap)
        if not text:
            gap, room = gap + " " * (width + 2), room + len(gap)
            continue
        if own > room:
            text = "" if room < 1 else f"{set_cell_size(text, room - 1)}…"
        parts += [gap, Style.parse(style).render(text, color_system=system) if style and system else text]
        room -= own
        if room <= 0:
            break
        gap = " " * (width - own + 2)
    return "".join(parts)


def print_pairs(facts: Mapping[str, object], indent: int = 0) -> None:
    """Print names and values in two columns. None and empty values are left out."""
    pairs = {name: value for name, value in facts.items() if value not in (None, "", [], ())}
    width = max(map(len, pairs), default=0)
    for name, value in pairs.items():
        say(Text.assemble((f"{'':{indent}}{name:<{width}}  ", "dim"), shown(value if isinstance(value, Text) else str(value))))


def print_timing(timing: Timing, count: int | None = None, instead: str = "") -> None:
    """Print how a schedule was understood, up to `count` of its due times or the text `instead`, and the remarks."""
    now = present()
    reads = "" if timing.schedule_type == "once" and not instead else f"{timing.schedule} ({timing.schedule_type})"  # the due time says it
    print_pairs({"means": timing.words, "reads": reads, "zone": timing.timezone, "next": instead}, indent=2)
    runs = [] if instead else [datetime.fromisoformat(run) for run in timing.next_runs[:count]]
    first = ["next", *[""] * len(runs)][: len(runs)]
    rows = [(Text(f"{word:<5}", "dim"), long_time(run), relative(run, now)) for word, run in zip(first, runs, strict=True)]
    print_table(rows, indent=2)
    for remark in timing.remarks:
        say(Text.assemble(("  note   ", "dim"), remark))


def coloured(status: str) -> Text:
    """Return a status in its colour."""
    return Text(status, STATUS_COLOURS.get(status, ""))


def cut(text: str, width: int) -> str:
    """Shorten text to a width."""
    return text if len(text) <= width else f"{text[: width - 1]}…"


def cut_name(name: str, width: int, columns: int) -> str:
    """Shorten a name to a width on a terminal. In other outputs it stays whole, so that a program can use it."""
    return name if columns >= PIPE_WIDTH else cut(name, width)


def moment_of(iso: str | None) -> datetime | None:
    """Read an ISO 8601 time; None if there is none."""
    return datetime.fromisoformat(iso) if iso else None


def long_time(moment: datetime, *, seconds: bool = False) -> str:
    """Write ``Mon 2026-11-23 09:00 +01:00``, with seconds if they are not zero or `seconds` is set."""
    clock = moment.strftime("%H:%M:%S" if moment.second or seconds else "%H:%M")
    return f"{moment:%a} {moment.date().isoformat()} {clock} {moment.isoformat()[-6:]}"


def short_time(moment: datetime, now: datetime) -> str:
    """Write the time of day in this machine's zone, with the date if it is not today."""
    local = moment.astimezone()
    if local.date() == now.astimezone().date():
        return f"{local:%H:%M:%S}"
    return f"{local:%a %Y-%m-%d %H:%M}"


def relative(moment: datetime, now: datetime) -> str:
    """Write ``in 3 days``, ``in 90 minutes`` or ``2 hours ago``: rounded, in the largest unit of which there are at least two."""
    seconds = (moment - now) / timedelta(seconds=1)
    name, size = next((unit for unit in _UNITS if abs(seconds) >= 1.95 * unit[1]), _UNITS[-1])
    number = round(abs(seconds) / size)
    if number == 0:
        return "now"
    amount = counted(number, name)
    return f"in {amount}" if seconds > 0 else f"{amount} ago"


def present() -> datetime:
    """Return the present time in UTC."""
    return SystemTime().now().astimezone(UTC)


def took(seconds: float | None) -> str:
    """Write a duration; empty if there is none."""
    if seconds is None:
        return ""
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:,.1f} s"


def result_text(result: Any) -> str:
    """Return a result in one line; of an AgenTool's answer only its inner result, or its message."""
    held = cast("dict[str, Any]", result) if isinstance(result, dict) else {}
    inner = held.get("result", held.get("message", result) if "operation" in held else result)
    text = inner if isinstance(inner, str) else printable_json(inner)
    return in_one_line(" ".join(text.split()))
