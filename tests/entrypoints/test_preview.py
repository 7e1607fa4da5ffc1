"""`agentool preview` and `agentool simulate`: schedules on paper."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from agentoolkit import simulation
from agentoolkit.entrypoints.cli.printing import relative
from agentoolkit.system.scheduler import InvalidSchedule
from agentoolkit.system.scheduler.schedules import firings
from agentoolkit.testing import Firing, simulate

from .conftest import Cli

NOW = datetime(2026, 3, 28, tzinfo=UTC)
CALL = {"agentool_name": "function", "input_data": {}}
TASKS = """
tasks:
  - {name: backup, schedule: "30 2 * * *", function: "chores:greet"}
  - {name: standup, schedule: every weekday at 9am, timezone: Asia/Kolkata, function: "chores:greet"}
  - {name: off, enabled: false, schedule: 1 hour, function: "chores:greet"}
  - {name: over, schedule: "2026-01-01T09:00:00", function: "chores:greet"}
"""


def test_preview_takes_the_bounds_of_a_schedule(cli: Cli) -> None:
    """Days that are left out, and where their runs go."""
    bounds = ("--exclude", "weekends", "--shift", "previous", "--start-at", "2030-02-01", "--end-at", "2030-03-31", "--json")
    read = json.loads(cli("preview", "0 9 10 * *", "--timezone", "UTC", *bounds).stdout)
    assert read["next_runs"] == ["2030-02-08T09:00:00+00:00", "2030-03-08T09:00:00+00:00"]


def test_preview_is_readable(cli: Cli) -> None:
    """Words, normal form, zone and next due times with weekday and offset."""
    output = cli("preview", "every weekday at 9am", "--timezone", "Europe/Berlin").stdout
    assert "every weekday (Monday to Friday) at 09:00" in output
    assert "0 9 * * 1-5 (cron)" in output
    assert output.count(" 09:00 +0") == 5
    assert "in " in output


def test_preview_notes_a_change_of_clocks(cli: Cli) -> None:
    """A due time that a change of clocks swallows or doubles is pointed out."""
    assert "does not exist in Europe/Berlin" in cli("preview", "30 2 * * *", "--timezone", "Europe/Berlin").stdout


def test_a_single_time_that_comes_twice_is_noted_once(cli: Cli) -> None:
    """What the reading and the preview both have to say is said once."""
    assert cli("preview", "2027-10-31T02:30:00", "--timezone", "Europe/Berlin").stdout.count("comes twice") == 1


def test_preview_shows_as_many_as_asked(cli: Cli) -> None:
    """--count sets how many due times are shown."""
    assert len(cli.data("preview", "1 hour", "--count", "7")["next_runs"]) == 7


def test_a_schedule_that_cannot_be_read_is_refused(cli: Cli) -> None:
    """The refusal names the way out, and the exit code is 2."""
    assert cli("preview", "evry day", code=2).stderr == "agentool: WHEN: 'evry' is not understood. Did you mean 'every'?\n"


@pytest.mark.parametrize(
    "words", [("preview", "-5 seconds"), ("schedule", "a", "-5 minutes", "queue", "operation=list_queues"), ("preview", "-5")]
)
def test_a_length_with_a_sign_is_no_unknown_option(cli: Cli, words: tuple[str, ...]) -> None:
    """What begins with a minus and a number is meant as a length of time, and refused as one."""
    given = next(word for word in words if word.startswith("-"))
    assert cli(*words, code=2).stderr == (
        f"agentool: WHEN: {given!r} carries a sign, and a length of time has none. Write e.g. '5 minutes' or 'in 5 minutes'.\n"
    )


def test_an_option_that_there_is_not_is_an_unknown_option(cli: Cli) -> None:
    """Whatever else begins with a minus is an option."""
    assert "No such option" in cli("preview", "1 hour", "-x", code=2).stderr


def test_preview_opens_no_database(cli: Cli, folder: Path) -> None:
    """Looking at a schedule leaves nothing behind."""
    cli("preview", "1 hour")
    assert not (folder / "home").exists()


@pytest.mark.parametrize(
    ("later", "said"),
    [(0.2, "now"), (1, "in 1 second"), (90, "in 90 seconds"), (600, "in 10 minutes"), (3 * 86_400, "in 3 days"), (-7_200, "2 hours ago")],
)
def test_distances_are_rounded(later: float, said: str) -> None:
    """A distance is told in the greatest unit of which there are two."""
    assert relative(NOW + timedelta(seconds=later), NOW) == said


def test_simulate_groups_by_day(cli: Cli) -> None:
    """Every firing is listed under its day; --to includes the whole of its day."""
    Path("tasks.yaml").write_text(TASKS)
    output = cli("simulate", "tasks.yaml", "--from", "2026-03-28", "--to", "2026-03-30", "--timezone", "Europe/Berlin").stdout
    assert output.splitlines() == [
        "Saturday 2026-03-28",
        "  02:30 +01:00  backup  function",
        "Sunday 2026-03-29",
        "  clocks go forward: 02:00 to 03:00 are skipped",
        "  03:00 +02:00  backup  function",
        "Monday 2026-03-30",
        "  02:30 +02:00  backup   function",
        "  05:30 +02:00  standup  function  Mon 09:00 in Asia/Kolkata",
        "4 firings from 2026-03-28 00:00+01:00 to 2026-03-31 00:00+02:00 in Europe/Berlin. Nothing was run.",
    ]


def test_a_day_of_change_is_noted_without_firings(cli: Cli) -> None:
    """A day on which clocks change is shown even if nothing fires."""
    Path("tasks.yaml").write_text(TASKS.replace("30 2 * * *", "0 0 1 1 *"))
    output = cli("simulate", "tasks.yaml", "--from", "2026-10-24", "--to", "2026-10-25", "--timezone", "Europe/Berlin").stdout
    assert "  clocks go back: 02:00 to 03:00 come twice" in output


def test_changes_of_the_tasks_zones_are_noted(cli: Cli) -> None:
    """Without --timezone, too, the day on which the clocks of a task's zone change says so, though the task does not fire that day."""
    Path("tasks.yaml").write_text(TASKS.replace('"30 2 * * *"', '"15 */2 31 3 *", timezone: Europe/Berlin'))
    lines = cli("simulate", "tasks.yaml", "--from", "2026-03-28", "--to", "2026-03-29").stdout.splitlines()
    assert lines[lines.index("Sunday 2026-03-29") + 1] == ("  clocks go forward in Europe/Berlin on 2026-03-29: 02:00 to 03:00 are skipped")


def test_now_is_due_now(cli: Cli) -> None:
    """The one due time of 'now' is shown."""
    assert len(cli.data("preview", "now")["next_runs"]) == 1


def test_a_month_of_the_example_is_cut(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """After ten thousand firings it is said that there are more, and hardly one is computed that is not shown."""
    computed = 0

    def counted(*args: Any) -> Iterator[datetime]:
        nonlocal computed
        for due in firings(*args):
            computed += 1
            yield due

    monkeypatch.setattr(simulation, "firings", counted)
    example = files("agentoolkit.example") / "tasks.yaml"
    output = cli("simulate", str(example), "--from", "2026-03-01", "--to", "2026-03-31").stdout
    assert "Cut after 10,000 firings" in output
    assert 10_000 < computed < 10_100


def test_a_cut_is_said_beside_json_too(cli: Cli) -> None:
    """The list is whole JSON; that it is cut is said on stderr."""
    example = files("agentoolkit.example") / "tasks.yaml"
    result = cli("simulate", str(example), "--from", "2026-03-01", "--to", "2026-03-31", "--json")
    assert result.stderr == "agentool: cut after 10,000 firings; there are more.\n"
    assert len(json.loads(result.stdout)) == 10_000


def test_simulate_as_json(cli: Cli) -> None:
    """--json lists firings with aware times."""
    Path("tasks.yaml").write_text(TASKS)
    firings = cli.data("simulate", "tasks.yaml", "--from", "2026-03-28", "--to", "2026-03-28", "--timezone", "UTC")
    assert firings == [{"due": "2026-03-28T02:30:00+00:00", "name": "backup", "tool": "function"}]


def test_simulate_names_tasks_and_lines(cli: Cli) -> None:
    """All schedules that cannot be read are told at once."""
    Path("tasks.yaml").write_text(TASKS.replace("30 2 * * *", "99 * * * *").replace("weekday at 9am", "wekday at 9am"))
    first, second = cli("simulate", "tasks.yaml", code=2).stderr.splitlines()
    assert first.startswith("agentool: tasks.yaml, line 3, task 'backup': schedule: ")
    assert second.startswith("agentool: tasks.yaml, line 4, task 'standup': schedule: ")


@pytest.mark.parametrize("words", [("--from", "9999-12-31"), ("--to", "9999-12-31"), ("--from", "0001-01-01T00:00:00+14:00")])
def test_a_range_beyond_the_calendar_is_one_line(cli: Cli, words: tuple[str, ...]) -> None:
    """No traceback."""
    Path("tasks.yaml").write_text(TASKS)
    assert "is beyond the calendar. Name an earlier time." in cli("simulate", "tasks.yaml", *words, code=2).stderr


@pytest.mark.parametrize("date", ["2030-01-02", "20300102", "2030-W01-3"])
def test_every_form_of_a_date_includes_its_day(cli: Cli, date: str) -> None:
    """--to means the end of a day however ISO 8601 writes it."""
    Path("tasks.yaml").write_text(TASKS)
    found = cli.data("simulate", "tasks.yaml", "--from", "2030-01-01", "--to", date, "--timezone", "UTC")
    assert [firing["due"][:10] for firing in found if firing["name"] == "backup"] == ["2030-01-01", "2030-01-02"]


@pytest.mark.parametrize("words", [("--from", "soon"), ("--from", "2026-03-02", "--to", "2026-02-01"), ("--timezone", "Mars/Base")])
def test_a_range_that_cannot_be_is_refused(cli: Cli, words: tuple[str, ...]) -> None:
    """Times, their order and the zone are checked."""
    Path("tasks.yaml").write_text(TASKS)
    cli("simulate", "tasks.yaml", *words, code=2)


def test_the_function_returns_firings_in_their_zone() -> None:
    """A firing's due time is in its task's zone."""
    task = {"job_name": "a", "schedule": "0 9 * * *", "timezone": "Asia/Kolkata", **CALL}
    (firing,) = simulate([task], NOW, NOW + timedelta(days=1))
    assert isinstance(firing, Firing)
    assert firing.due.isoformat() == "2026-03-28T09:00:00+05:30"


def test_max_runs_bounds_a_simulation() -> None:
    """A task with max_runs fires no more often."""
    assert len(simulate([{"schedule": "1 hour", "max_runs": 3, **CALL}], NOW, NOW + timedelta(days=1))) == 3


def test_a_paused_task_does_not_fire() -> None:
    """What is scheduled paused has no firings."""
    assert simulate([{"schedule": "1 hour", "paused": True, **CALL}], NOW, NOW + timedelta(days=1)) == []


def test_firings_of_several_tasks_are_in_order() -> None:
    """Firings are merged by time."""
    tasks = [{"job_name": name, "schedule": schedule, **CALL} for name, schedule in (("a", "2 hours"), ("b", "3 hours"))]
    assert [firing.name for firing in simulate(tasks, NOW, NOW + timedelta(hours=6), limit=4)] == ["a", "b", "a"]


def test_a_simulation_refuses_what_cannot_be_read() -> None:
    """Text that is no schedule is an error, unlike one that is over."""
    with pytest.raises(InvalidSchedule):
        simulate([{"schedule": "evry day", **CALL}], NOW, NOW + timedelta(days=1))


def test_simulate_reads_what_serve_reads(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Day parts, languages and calendars of the settings count, as for `agentool serve`."""
    monkeypatch.setenv("AGENTOOL_DAY_PARTS", '{"morning": "06:30"}')
    monkeypatch.setenv("AGENTOOL_CALENDARS", '{"closed": ["2026-03-28"]}')
    monkeypatch.setenv("AGENTOOL_LANGUAGES", '["de"]')
    Path("tasks.yaml").write_text("""
tasks:
  - {name: early, schedule: every morning, function: "chores:greet"}
  - {name: german, schedule: jeden Tag um 8 Uhr, function: "chores:greet"}
  - {name: shut, schedule: "0 9 * * *", exclude: [closed], function: "chores:greet"}
""")
    found = cli.data("simulate", "tasks.yaml", "--from", "2026-03-28", "--to", "2026-03-29", "--timezone", "UTC")
    assert [(firing["due"][8:16], firing["name"]) for firing in found] == [
        ("28T06:30", "early"),
        ("28T08:00", "german"),
        ("29T06:30", "early"),
        ("29T08:00", "german"),
        ("29T09:00", "shut"),
    ]
