"""What a reference with a secret's name stood for is in no record of an execution."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from agentoolkit.settings import Settings
from agentoolkit.testing import TestToolkit, toolkit

SECRET = "S3CR3T-VALUE"


def give_back(value: Any) -> dict[str, Any]:
    """Return what is given."""
    return {"got": value}


def complain(value: Any) -> None:
    """Say what is given, in an error."""
    raise ValueError(f"{value} is wrong")


def call(name: str, value: str) -> tuple[str, dict[str, Any]]:
    return "function", {"operation": "call", "function": f"{__name__}:{name}", "args": [value]}


def command(*words: str) -> tuple[str, dict[str, Any]]:
    return "shell", {"operation": "run", "command": [sys.executable, "-S", "-c", *words]}


async def record_of(kit: TestToolkit, key: str, value: Any, target: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the record of an execution whose input refers to a value under this key."""
    await kit.injector.run("storage_kv", {"operation": "set", "key": key, "value": value})
    job = {"agentool_name": target[0], "input_data": target[1]}
    await kit.injector.run("scheduler", {"operation": "schedule", "job_id": "job", "schedule": "in 1 minute", **job})
    await kit.advance(minutes=1)
    (record,) = (await kit.injector.run("scheduler", {"operation": "get_history", "job_id": "job"})).data["history"]
    return record


@pytest.fixture
def settings() -> Settings:
    return Settings(timezone="UTC", functions=(__name__,), programs=(sys.executable,))


@pytest.mark.parametrize("key", ["api_key", "smtp_password", "TOKEN"])
@pytest.mark.parametrize(
    "made",
    [
        lambda reference: call("give_back", reference),
        lambda reference: call("complain", reference),
        lambda reference: command("import sys; print(sys.argv[1])", reference),
        lambda reference: command("import sys; sys.exit(sys.argv[1])", reference),
        lambda reference: ("templates", {"operation": "render", "template": "key {{ k }}", "variables": {"k": reference}}),
    ],
    ids=["result", "error", "output", "exit", "template"],
)
async def test_what_is_secret_by_its_name_is_hidden(settings: Settings, made: Any, key: str):
    """In results, outputs, messages and tracebacks, at any depth."""
    async with toolkit(settings=settings) as kit:
        record = await record_of(kit, key, SECRET, made(f"!ref:storage_kv:{key}"))
    assert record["status"] in ("success", "failed")
    assert (SECRET in json.dumps(record), "[redacted]" in json.dumps(record)) == (False, True)


async def test_parts_of_a_secret_object_are_hidden(settings: Settings):
    """Each text in it is one."""
    async with toolkit(settings=settings) as kit:
        value = {"user": "maria", "words": [SECRET, "abc"]}
        record = await record_of(kit, "credentials", value, call("give_back", "!ref:storage_kv:credentials"))
    assert record["result"]["result"] == {"got": {"user": "[redacted]", "words": ["[redacted]", "abc"]}}


async def test_a_value_under_another_name_is_shown(settings: Settings):
    """What is no secret is a result like any other; a command does not repeat its arguments all the same."""
    async with toolkit(settings=settings) as kit:
        record = await record_of(kit, "city", "Hamburg", command("import sys; print(sys.argv[1])", "!ref:storage_kv:city"))
    assert record["result"]["stdout"] == "Hamburg\n"
    assert record["result"]["command"] == [sys.executable, "(not shown, as the input held references)"]
