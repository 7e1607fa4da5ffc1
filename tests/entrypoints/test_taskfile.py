"""A task file that cannot be read is refused by the file's name, the line and the way out, whatever is in it."""

from __future__ import annotations

import time
from itertools import product
from pathlib import Path

import pytest
import yaml

from agentoolkit import yaml_text
from agentoolkit.entrypoints.taskfile import TaskFileError, read_tasks

from .conftest import Cli

TASK = "tasks:\n- name: a\n  schedule: every minute\n  function: a.b:c\n"
VALUES = ["1" * 5_000, "!!timestamp 9999-99-99", '!!int "abc"', "!!int ''", "!!float ''", "!!float x", "!!bool maybe", "!!timestamp x"]


@pytest.mark.parametrize("value", VALUES)
def test_a_value_that_cannot_be_read_is_named(value: str) -> None:
    """Numbers too long, times that are none, and whatever does not fit its tag."""
    with pytest.raises(TaskFileError, match=r"tasks\.yaml.* in line 5, column 15\. Put it in quotes, or correct it\."):
        read_tasks(f"{TASK}  kwargs: {{a: {value}}}\n")


def test_an_unreadable_value_is_one_line_on_the_terminal(cli: Cli) -> None:
    """No traceback: it is the file's mistake."""
    Path("tasks.yaml").write_text(f"{TASK}  kwargs: {{a: !!int abc}}\n")
    told = cli("serve", "tasks.yaml", "--for", "0.05", code=2).stderr
    assert (told.startswith("agentool: FILE: tasks.yaml"), told.count("\n")) == (True, 1)


def test_a_key_that_stands_twice_is_refused() -> None:
    """The later one would silently win."""
    with pytest.raises(TaskFileError, match=r"duplicate key 'a'.* in line 5"):
        read_tasks(f"{TASK}  kwargs: {{a: 1, b: 2, a: 3}}\n")


BLOCK = "- name: a\n  function: a.b:c\n  schedule: {}"
BRACES = "- {{name: a, schedule: {}, function: a.b:c}}"
SIGNS = ["*/5 * * * *", "* * * * *", "@daily", "%5", "`now`", "!x 5"]


@pytest.mark.parametrize(("value", "form"), [*product(SIGNS, (BLOCK, BRACES)), ("every day: 9am", BLOCK)])
def test_a_schedule_without_its_quotes_is_named(value: str, form: str) -> None:
    """Not in the parser's words: the line, the key and how to write it."""
    line = form.count("\n") + 2
    with pytest.raises(TaskFileError) as refused:
        read_tasks(f"tasks:\n{form.format(value)}\n")
    assert refused.value.problem == f"tasks.yaml, line {line}: the value of 'schedule' needs quotes. Write schedule: \"{value}\""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"default: {{a: 1}}\n{TASK}", "unknown key 'default' in line 1. Did you mean 'defaults'?"),
        (f"{TASK}defaults: 1\n", "'defaults' in line 5 of tasks.yaml has no fields. Write fields below it, such as 'max_retries: 3'."),
        ("task: []\n", "unknown key 'task' in line 1. Did you mean 'tasks'?"),
        (f"{TASK}{TASK}", "has 'tasks' twice, in lines 1 and 5. Make one list of them."),
        ("tasks: {}", "has no list of tasks"),
        ("", "has no list of tasks"),
    ],
)
def test_what_is_wrong_beside_the_tasks_is_said(text: str, said: str) -> None:
    """A key that is unknown or comes twice is named with its line; a list is missing only where it is."""
    with pytest.raises(TaskFileError) as refused:
        read_tasks(text)
    assert said in str(refused.value)


def test_defaults_that_do_nothing_in_a_task_are_not_its_own() -> None:
    """A back-off is for tasks that are tried again, and a shift for those with days without due times."""
    other = "- {name: b, schedule: 1 hour, agentool_name: storage_kv, input_data: {}, max_retries: 3, exclude: [weekends]}\n"
    first, second = read_tasks(f"{TASK}{other}defaults:\n  retry_backoff: 5\n  shift: next\n")
    assert (first.retry_backoff, first.shift, second.retry_backoff, second.shift) == (None, None, 5, "next")


def test_defaults_are_for_all_tasks() -> None:
    """Fields below 'defaults' are those of each task that says nothing of them; null takes one back."""
    other = "- {name: b, schedule: now, function: 'a:b', max_retries: 0, error_queue: null}\n"
    first, second = read_tasks(f"{TASK}{other}defaults:\n  max_retries: 3\n  error_queue: failures\n")
    assert (first.max_retries, first.error_queue) == (3, "failures")
    assert second.given().keys() & {"max_retries", "error_queue"} == {"max_retries"}
    assert second.max_retries == 0


@pytest.mark.parametrize(("field", "said"), [("schedule", "not for all tasks: 'schedule'"), ("max_retry", "Did you mean 'max_retries'?")])
def test_a_default_that_no_task_can_have_is_named(field: str, said: str) -> None:
    """What makes one task is no default, nor is an unknown field."""
    with pytest.raises(TaskFileError, match=r"in line 5 of tasks\.yaml") as refused:
        read_tasks(f"{TASK}defaults:\n  {field}: 1\n")
    assert said in str(refused.value)


@pytest.mark.parametrize("value", ["-1", "many"])
def test_a_default_that_is_out_of_range_is_told_of_its_tasks(value: str) -> None:
    """It is refused where it would be used."""
    with pytest.raises(TaskFileError, match=r"tasks\.yaml, line 2, task 'a': max_retries"):
        read_tasks(f"{TASK}defaults: {{max_retries: {value}}}\n")


def test_all_wrong_tasks_are_named_at_once(cli: Cli) -> None:
    """Each is a line of its own, with the line in which it begins."""
    Path("tasks.yaml").write_text("tasks:\n- {name: a}\n- {name: b, schedule: now, function: 'a:b', colour: red}\n")
    assert [line.partition(": ")[2][:27] for line in cli("serve", "tasks.yaml", code=2).stderr.splitlines()] == [
        "tasks.yaml, line 2, task 'a",
        "tasks.yaml, line 3, task 'b",
    ]


@pytest.mark.parametrize("letter", ["ü", "é", "ß"])
def test_a_letter_of_latin_1_is_named(cli: Cli, letter: str) -> None:
    """It is not replaced: the line and the byte are told."""
    Path("tasks.yaml").write_bytes(f"{TASK}  description: M{letter}ll\n".encode("latin-1"))
    said = f"tasks.yaml is not UTF-8: line 5, byte 17 is 0x{ord(letter):02X}."
    assert said in cli("serve", "tasks.yaml", code=2).stderr


def test_a_byte_order_mark_is_taken_off(cli: Cli) -> None:
    """A file as some editors write it is read."""
    Path("tasks.yaml").write_bytes(b"\xef\xbb\xbf" + TASK.replace("a.b:c", "chores:greet").encode())
    assert "1 task of tasks.yaml" in cli("serve", "tasks.yaml", "--allow", "chores", "--for", "0").stdout


@pytest.mark.parametrize(("field", "line"), [("description: ", 5), ("tags: [", 5), ("kwargs: {a: ", 2)])
def test_half_a_character_is_refused(field: str, line: int) -> None:
    """It could not be written out again. The line of its field is named, or that of its task."""
    end = {"[": "]", "{": "}"}.get(field.strip("a: ")[-1], "")
    with pytest.raises(TaskFileError, match=rf"tasks\.yaml, line {line}, task 'a'.*ud83d"):
        read_tasks(f'{TASK}  {field}"\\ud83d"{end}\n')


def test_a_name_that_stands_twice_is_refused() -> None:
    """Two tasks of one name would be one job."""
    with pytest.raises(TaskFileError, match="two tasks named 'a', in lines 2 and 5"):
        read_tasks(TASK + TASK.removeprefix("tasks:\n"))


def test_four_times_the_keys_are_no_more_than_four_times_the_work() -> None:
    """Looking for keys that stand twice takes time in proportion to their number."""
    once, fourfold = min(map(_seconds, [2_000] * 3)), min(map(_seconds, [8_000] * 3))
    assert fourfold < 8 * once


def _seconds(keys: int) -> float:
    """Return the time of this thread alone in which a mapping of so many keys is read."""
    mark = yaml.Mark("", 0, 0, 0, None, None)
    entries = [tuple(yaml.ScalarNode("tag:yaml.org,2002:str", text, mark, mark) for text in (f"k{n}", "v")) for n in range(keys)]
    node = yaml.MappingNode("tag:yaml.org,2002:map", entries, mark, mark)
    before = time.thread_time()
    assert len(yaml_text.construct(node)) == keys
    return time.thread_time() - before


def test_the_line_of_the_field_is_told() -> None:
    """Of a field that is wrong, not that in which its task begins."""
    with pytest.raises(TaskFileError, match=r"tasks\.yaml, line 5, task 'a': max_retries: .*got -1"):
        read_tasks(f"{TASK}  max_retries: -1\n")


def test_notes_hold_what_tasks_refer_to() -> None:
    """A key that begins with x- is the file's own, for anchors, aliases and merge keys."""
    text = (
        "x-careful: &careful {max_retries: 3, tags: &tags [nightly]}\n"
        + TASK
        + "  <<: *careful\n- {name: b, schedule: now, function: 'a:b', tags: *tags}\n"
    )
    first, second = read_tasks(text)
    assert (first.max_retries, first.tags, second.max_retries, second.tags) == (3, ["nightly"], None, ["nightly"])


def test_a_variable_is_read_with_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """`!env` is a variable's value, or what stands behind the colon where it is not set."""
    monkeypatch.setenv("REPORT_ZONE", "Europe/Berlin")
    (task,) = read_tasks(f"{TASK}  timezone: !env REPORT_ZONE\n  max_retries: !env REPORT_RETRIES:2\n  kwargs: {{to: !env 'REPORT_TO:'}}\n")
    assert (task.timezone, task.max_retries, task.kwargs) == ("Europe/Berlin", 2, {"to": ""})


def test_a_variable_that_is_not_set_is_named() -> None:
    """With its line, and the two ways out."""
    with pytest.raises(TaskFileError) as refused:
        read_tasks(f"{TASK}  timezone: !env REPORT_ZONE\n")
    said = "tasks.yaml, line 5: the variable 'REPORT_ZONE' is not set. Set it, or write a default: !env REPORT_ZONE:value."
    assert refused.value.problem == said


def test_a_reference_needs_no_quotes() -> None:
    """It is the text that it is in quotes, and is looked up when the task runs."""
    (task,) = read_tasks(f"{TASK}  kwargs:\n    a: !ref:storage_kv:key\n    b: '!ref:storage_kv:key'\n")
    assert task.kwargs == {"a": "!ref:storage_kv:key", "b": "!ref:storage_kv:key"}


@pytest.mark.parametrize("kind", ["notification", "shell_command", "daily", "function"])
def test_a_kind_of_task_is_told_how_it_is_written(kind: str) -> None:
    """`type` is the schedule's: who writes a task's there is told what to write in its place, and nothing else."""
    with pytest.raises(TaskFileError, match=f"line 3, task 'a': type: '{kind}' is not a kind of schedule: .*'agentool_name'") as refused:
        read_tasks(f"tasks:\n- name: a\n  type: {kind}\n  schedule: 5 minutes\n  message: hi\n")
    assert "message" not in str(refused.value)
