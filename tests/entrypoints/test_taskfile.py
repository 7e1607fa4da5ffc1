"""A task file that cannot be read is refused by the file's name, the line and the way out, whatever is in it."""

from __future__ import annotations

import time
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
    assert (told.startswith("agentool: file: tasks.yaml"), told.count("\n")) == (True, 1)


def test_a_key_that_stands_twice_is_refused() -> None:
    """The later one would silently win."""
    with pytest.raises(TaskFileError, match=r"the key 'a' stands twice.* in line 5"):
        read_tasks(f"{TASK}  kwargs: {{a: 1, b: 2, a: 3}}\n")


def test_a_name_that_stands_twice_is_refused() -> None:
    """Two tasks of one name would be one job."""
    with pytest.raises(TaskFileError, match="two tasks named 'a'"):
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
