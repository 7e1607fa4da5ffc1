"""What every door must refuse, in one table. A door joins by an adapter in `test_refusals.DOORS`.

Calls are written in the words of the five tools for scheduling. Before each there are: 'daily summary' and 'weekly summary', which
are maria's, who calls; and 'secret plan', which is paul's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NEW: Mapping[str, Any] = {"name": "stand up", "when": "every day at 9:00", "tool": "notification", "input": {"message": "Up"}}


@dataclass(frozen=True)
class Refusal:
    """One call that is refused, and what the refusal must say."""

    name: str
    tool: str
    arguments: Mapping[str, Any]
    says: tuple[str, ...]
    """Texts in the refusal: what was given, and the way out."""


REFUSALS = (
    Refusal("unknown argument", "schedule", {**NEW, "timezon": "UTC"}, ("timezon", "Did you mean 'timezone'?")),
    Refusal("an owner", "schedule", {**NEW, "owner": "paul"}, ("owner", "is not an argument")),
    Refusal("a budget", "schedule", {**NEW, "max_cost": 100}, ("max_cost", "is not an argument")),
    Refusal("a model", "schedule", {**NEW, "model": "huge"}, ("model", "is not an argument")),
    Refusal("an approval", "cancel_job", {"name": "daily summary", "approved": True}, ("approved", "is not an argument")),
    Refusal("bare duration", "schedule", {**NEW, "when": "30m"}, ("'30m'", "'in 30 minutes'", "'every 30 minutes'")),
    Refusal("past time", "schedule", {**NEW, "when": "2020-01-01 09:00"}, ("2020-01-01",)),
    Refusal("epoch time", "schedule", {**NEW, "when": "1764410400"}, ("1764410400",)),
    Refusal("wrong cron", "schedule", {**NEW, "when": "0 25 * * *"}, ("25",)),
    Refusal("never due", "schedule", {**NEW, "when": "0 0 30 2 *"}, ("30 2",)),
    Refusal("wrong zone", "schedule", {**NEW, "timezone": "Berlin"}, ("Berlin", "Europe/Berlin")),
    Refusal("unreadable words", "schedule", {**NEW, "when": "whenever"}, ("whenever", "every")),
    Refusal("too frequent", "schedule", {**NEW, "when": "every 10 seconds"}, ("10 s", "every 5 minutes")),
    Refusal("unknown target", "schedule", {**NEW, "tool": "notificaton"}, ("notificaton", "Did you mean 'notification'?")),
    Refusal("wrong input of the target", "schedule", {**NEW, "input": {"mesage": "Up"}}, ("mesage", "Did you mean 'message'?")),
    Refusal("an input that is no object", "schedule", {**NEW, "input": "!ref:config:x"}, ("input", "'!ref:config:x'")),
    Refusal("nothing to run", "schedule", {"name": "x", "when": "every day at 9:00"}, ("prompt", "tool")),
    Refusal("foreign owner, cancelled", "cancel_job", {"name": "secret plan"}, ("'secret plan'", "No job of yours")),
    Refusal("foreign owner, changed", "change_job", {"name": "secret plan", "action": "pause"}, ("No job of yours",)),
    Refusal("foreign owner, looked at", "get_job", {"name": "secret plan"}, ("No job of yours",)),
    Refusal("foreign name, taken", "schedule", {**NEW, "name": "secret plan"}, ("is taken", "Choose another")),
    Refusal("after a foreign job", "schedule", {**NEW, "when": "after secret plan"}, ("name 'secret plan'",)),
    Refusal("ambiguous name", "cancel_job", {"name": "summary"}, ("fits 2 jobs", "'daily summary'", "'weekly summary'")),
    Refusal("unknown name", "cancel_job", {"name": "daly summary"}, ("'daly summary'", "Nearest: 'daily summary'")),
    Refusal("field of another operation", "get_job", {"name": "daily summary", "when": "now"}, ("when", "is not an argument")),
    Refusal("field of another action", "change_job", {"name": "daily summary", "action": "pause", "when": "now"}, ("when", "'edit'")),
    Refusal("another operation", "get_job", {"name": "daily summary", "operation": "cancel_job"}, ("operation", "is not an argument")),
    Refusal("a list without an end", "list_jobs", {"limit": 100_000}, ("limit", "100")),
    Refusal("a list that ended elsewhere", "list_jobs", {"cursor": "nowhere"}, ("cursor", "begin anew")),
)
