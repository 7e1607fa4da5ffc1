"""Paths in a task file are relative to the file, from wherever it is applied."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agentoolkit.entrypoints.taskfile import load_tasks

SHELL = "tasks:\n- {name: a, schedule: 1 hour, agentool_name: shell, input_data: {operation: run, %s}}\n"


def call(folder: Path, text: str) -> dict[str, Any]:
    """Return the input of the only task of a file in a folder."""
    folder.mkdir(exist_ok=True)
    (folder / "tasks.yaml").write_text(text)
    return load_tasks(folder / "tasks.yaml")[0].scheduler_input()


@pytest.mark.parametrize(
    ("written", "field", "read"),
    [
        ("command: [./b.sh, x]", "command", ["{}/b.sh", "x"]),
        ("command: \"scripts/b.sh 'x y'\"", "command", "{}/scripts/b.sh 'x y'"),
        ("command: ['../b.sh']", "command", ["{}/../b.sh"]),
        ("command: [./b.sh], cwd: work", "command", ["./b.sh"]),
        ("command: [./b.sh], cwd: work", "cwd", "{}/work"),
        ("command: [b.sh, ./x]", "command", ["b.sh", "./x"]),
        ("command: [/bin/b.sh]", "command", ["/bin/b.sh"]),
        ("command: ['~/b.sh']", "command", ["~/b.sh"]),
        ("command: ls, cwd: /tmp", "cwd", "/tmp"),
        ("command: ['bin/my prog.sh', x]", "command", ["{}/bin/my prog.sh", "x"]),
        ("command: ['my bin/b.sh']", "command", ["{}/my bin/b.sh"]),
        ('command: ["./it\'s.sh"]', "command", ["{}/it's.sh"]),
        ("command: ['b.sh x/y']", "command", ["{}/b.sh x/y"]),
    ],
)
def test_a_relative_program_or_folder_begins_at_the_file(tmp_path: Path, written: str, field: str, read: Any) -> None:
    """Of a file elsewhere, a program's path and a working folder are made absolute; names, arguments and absolute paths stay."""
    folder = tmp_path / "jobs"
    beside = str(folder)

    def placed(text: str) -> str:
        return text.format(beside).replace("/jobs/..", "")

    expected = [placed(word) for word in read] if isinstance(read, list) else placed(read)
    assert call(folder, SHELL % written)["input_data"][field] == expected


def test_commands_within_other_tasks_begin_at_the_file(tmp_path: Path) -> None:
    """Steps of a sequence, by AgenTool and by type, and a gate."""
    task = """
tasks:
- name: a
  schedule: 1 hour
  agentool_name: sequence
  input_data: {operation: run, steps: [{agentool_name: shell, input_data: {operation: run, command: [./a]}}],
    task_definitions: [{type: shell_command, args: {command: ./b}}]}
  gate: {agentool_name: shell, input_data: {operation: run, command: [./c]}}
"""
    found = call(tmp_path / "jobs", task)
    beside = f"{tmp_path}/jobs"
    assert found["input_data"]["steps"][0]["input_data"]["command"] == [f"{beside}/a"]
    assert found["input_data"]["task_definitions"][0]["args"]["command"] == f"{beside}/b"
    assert found["gate"]["input_data"]["command"] == [f"{beside}/c"]


def test_a_file_of_the_working_folder_stays_as_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is relative to the file is relative to the working folder there."""
    (tmp_path / "jobs").mkdir()
    monkeypatch.chdir(tmp_path / "jobs")
    assert call(Path(), SHELL % "command: [./b.sh]")["input_data"]["command"] == ["./b.sh"]


HOLIDAYS = """BEGIN:VCALENDAR
VERSION:2.0
BEGIN:VEVENT
DTSTART;VALUE=DATE:20300102
SUMMARY:closed
END:VEVENT
END:VCALENDAR
"""


@pytest.mark.parametrize("place", ["closed.ics", "./days/closed.ics", "{}/closed.ics"])
def test_a_calendars_file_begins_at_the_file(tmp_path: Path, place: str) -> None:
    """Of a file elsewhere, a relative path of an iCalendar file too; an absolute one stays."""
    folder = tmp_path / "jobs"
    written = place.format(folder)
    (folder / written).parent.mkdir(parents=True)
    (folder / written).write_text(HOLIDAYS)
    text = (
        f"calendars: {{closed: ['ics:{written}']}}\n" + SHELL.replace("agentool_name", "exclude: [closed], agentool_name") % "command: ls"
    )
    assert call(folder, text)["exclude"] == ["2030-01-02"]
