"""Answers that a language model can hand on: the reading in words, the zone, the time it is, and what to tell the user."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from agentoolkit.text import in_one_line, printable_json

MAX_CHANGE = 800
"""Characters of the answer to a change, about 200 tokens."""
MAX_LIST = 7_900
"""Characters of a list with its cursor, about 2,000 tokens."""
NEXT_RUNS = 3
_EXCERPT = 300


def day_and_time(moment: str | datetime, zone: str) -> str:
    """Write a moment as people in a zone would: ``Mon 2026-11-30 09:00``."""
    told = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return told.astimezone(ZoneInfo(zone)).strftime("%a %Y-%m-%d %H:%M")


def told_creation(done: dict[str, Any], twin: str | None) -> str:
    """Return the first words about a job that was asked for, and remark on another job that does the same."""
    if done["created"] and twin:
        done["remarks"].append(f"{twin!r} runs the same at the same time: is one of them too many?")
    return "Scheduled" if done["created"] else "Already there:"


def told_change(done: str, data: Mapping[str, Any], now: datetime) -> str:
    """Say what a job is now: its reading, its zone, the time, its next runs or why it has none, remarks, and one sentence for the user."""
    zone, words, name, reason = (str(data[field]) for field in ("timezone", "words", "job_name", "reason"))
    lines = [f"{done} {name!r}: {words} ({zone}).", f"now: {day_and_time(now, zone)}"]
    if data["state"] == "paused":
        lines.append(f"It does not run: paused ({one_line(reason)}).")
        user = f"Tell the user: {name!r}, {words}, is paused and does not run: {one_line(reason)}."
    else:
        runs = [day_and_time(run, zone) for run in data["next_runs"][:NEXT_RUNS]]
        lines += [f"next: {'; '.join(runs)}"] if runs else []
        first = f", next on {runs[0]}" if runs and data["state"] == "active" else ""
        in_zone = f", {zone} time" if runs else ""
        user = f"Tell the user: {done.lower()} {name!r}, {words}{first}{in_zone}."
    return within(lines, [f"note: {remark}" for remark in data["remarks"] if not reason or reason not in remark], user)


def told_state(done: str, zone: str, now: datetime, next_run: str | None = None, remarks: Sequence[str] = ()) -> str:
    """Say how a job stands after it was paused, resumed, run or cancelled."""
    lines = [f"{done}.", f"now: {day_and_time(now, zone)} ({zone})"]
    if next_run:
        lines.append(f"next: {day_and_time(next_run, zone)}")
    return within(lines, [f"note: {remark}" for remark in remarks], f"Tell the user: {done[:1].lower()}{done[1:]}.")


def told_job(details: Mapping[str, Any], now: datetime) -> str:
    """Describe one job: what it does, when, how it stands, and how its last run ended."""
    info, zone = details["info"], str(details["info"]["timezone"])
    runs = f", next {day_and_time(details['next_run'], zone)}" if details["next_run"] else ""
    over = f", ended {day_and_time(info['ended_at'], zone)}" if info["ended_at"] else ""
    until = f" until {day_and_time(info['paused_until'], zone)}" if info["paused_until"] else ""
    lines = [
        f"{details['job_name']!r}: {info['state']}{until}{_why(info)}, {info['schedule_type']} '{info['schedule']}' ({zone}){runs}{over}.",
        f"now: {day_and_time(now, zone)}",
        f"runs {info['agentool_name']}: {json_excerpt(info['input_data'])}",
    ]
    told: list[str] = []
    for run in details["recent_history"][:NEXT_RUNS]:
        ended = day_and_time(run["finished_at"] or run["scheduled_at"], zone)
        error = f": {one_line(str(run['error']['message']), 120)}" if run["error"] else ""
        told.append(f"last: {told_end(run)} {ended}{error}")
    return within(lines, told, "")


def told_jobs(jobs: Iterable[Mapping[str, Any]], *, detailed: bool) -> list[str]:
    """Describe jobs, each in one line."""
    return [_line(job, detailed=detailed) for job in jobs]


def told_page(
    head: str, lines: Sequence[str], cursors: Sequence[str], left: str | None, *, none: str, narrow: str
) -> tuple[str, int, str | None]:
    """Tell one page of a list: as many lines as fit with the cursor of what is left, `MAX_LIST` characters in all.

    Args:
        head: The first line.
        lines: One for each record.
        cursors: For each record, the cursor with which a list goes on after it.
        left: The cursor after the page; None: it is the last one.
        none: What is said where there is no record.
        narrow: By which argument fewer are found.

    Returns:
        The text, how many records it tells, and the cursor of what is left.
    """

    def more(cursor: str) -> str:
        return f"more: repeat with cursor {cursor!r}, or narrow by {narrow}"

    told, size = 0, len(head)
    for line, cursor in zip(lines, [*cursors[:-1], left or cursors[-1]] if lines else (), strict=True):
        size += len(line) + 1
        if told and size + 1 + len(more(cursor)) > MAX_LIST:
            left = cursors[told - 1]
            break
        told += 1
    said = [head, *lines[:told]]
    if not lines:
        said.append(none if left is None else f"{none} so far")
    return "\n".join(said if left is None else [*said, more(left)]), told, left


def within(lines: Iterable[str], extra: Iterable[str], last: str, most: int = MAX_CHANGE) -> str:
    """Join lines, leaving out of the extra ones what would make it too long."""
    kept = [*lines]
    left = most - sum(len(line) + 1 for line in kept) - len(last) - 1
    for line in extra:
        if len(line) + 1 <= left:
            kept.append(line)
            left -= len(line) + 1
    text = "\n".join([*kept, last] if last else kept)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def one_line(text: str, most: int = _EXCERPT) -> str:
    """Show a text in one line, cut to a readable length: what others wrote must not look like a line of ours."""
    shown = in_one_line(text[:most])
    return shown if len(text) <= most else f"{shown}…"


def json_excerpt(value: object) -> str:
    """Show an input or a result as JSON, which a model can repeat, up to a readable length."""
    return one_line(printable_json(value))


def _line(job: Mapping[str, Any], *, detailed: bool) -> str:
    zone = str(job["timezone"])
    due = f", next {day_and_time(job['next_run'], zone)}" if job["next_run"] else ""
    more = f", runs {job['agentool_name']}, {job['schedule_type']}, id {job['job_id']}" if detailed else ""
    return f"- {job['job_name']!r}: {job['state']}{_why(job)}, '{one_line(str(job['schedule']), 60)}' ({zone}){due}{more}"


def _why(job: Mapping[str, Any]) -> str:
    return f" ({one_line(str(job['reason']), 100)})" if job.get("reason") else ""


def told_end(run: Mapping[str, Any], most: int = 120) -> str:
    """Say how a run ended, why, and that nobody got what it came to, where that is so."""
    reason = f" ({one_line(str(run['reason']), most)})" if run["reason"] else ""
    undelivered = ", but could not be delivered" if run["delivery"] == "failed" else ""
    return f"{run['status']}{undelivered}{reason}"
