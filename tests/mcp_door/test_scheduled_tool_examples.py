"""Every example of *Scheduler Service*: as written, with the imports that the page of origins names, in a program of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).parent / "scheduled_tool_examples.txt").read_text(encoding="utf-8")
ORIGINS = (Path(__file__).parents[2] / "docs" / "explanation" / "origins.md").read_text(encoding="utf-8")
IMPORTS = dict(re.findall(r"^\| `(from [^`]+)` \| `(from [^`]+)` \|$", ORIGINS.partition("## Scheduler Service")[2], flags=re.MULTILINE))
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
HEAD = EXAMPLES[0].partition("# For execution order")[0]
"""The imports and the server, which the later examples take for granted."""
NAMES = ("greet", "custom_greeting_task", "greet")
"""What each example calls its AgenTool."""
CALLS = """

import asyncio

from mcp import Client


async def calls() -> None:
    async with Client(mcp) as client:
        (tool,) = (await client.list_tools()).tools
        print(tool.description.partition("\\n")[0])
        print(", ".join(tool.input_schema["properties"]))
        for more in ({}, {"datetime": "tomorrow at 9 AM"}, {"datetime": "2099-12-31T09:00:00"}, {"datetime": "2023-12-31T09:00:00"}):
            answer = await client.call_tool("greet", {"name": "World", **more})
            print(answer.content[0].text.partition("\\n")[0])


asyncio.run(calls())
"""


def printed(example: str) -> str:
    return example


def other_order(example: str) -> str:
    """Return an example with its decorators in the order that the notes of the document ask for."""
    swapped, number = re.subn(r"^(@mcp\.tool\(\))\n(@scheduled_tool.*)$", r"\2\n\1", example, flags=re.MULTILINE)
    assert number == 1
    return swapped


@pytest.mark.parametrize("order", [printed, other_order])
@pytest.mark.parametrize("place", range(len(EXAMPLES)))
def test_an_example_runs(tmp_path: Path, place: int, order) -> None:
    """The tool runs at once, or at the time that it is given in words or as ISO 8601; a past time is refused."""
    example = order(EXAMPLES[place] if place == 0 else HEAD + EXAMPLES[place])
    for theirs, ours in IMPORTS.items():
        example = example.replace(theirs, ours)
    server = tmp_path / "server.py"
    server.write_text(example + CALLS, encoding="utf-8")
    variables = {name: value for name, value in os.environ.items() if not name.startswith("AGENTOOL_")}
    environment = {**variables, "AGENTOOL_HOME": str(tmp_path / "home"), "AGENTOOL_TIMEZONE": "UTC"}
    ran = subprocess.run([sys.executable, str(server)], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    description, fields, at_once, in_words, iso, past = ran.stdout.splitlines()
    assert (description.startswith("Generate a greeting message"), fields) == (True, "name, datetime, schedule")
    assert at_once == "hello World"
    assert (in_words.startswith(f"Scheduled '{NAMES[place]}': once, on "), " at 09:00 (UTC)" in in_words) == (True, True)
    assert "once, on Thursday 2099-12-31 at 09:00 (UTC)" in iso
    assert "in the past" in past
