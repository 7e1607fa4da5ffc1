"""What a reference with a secret's name stood for is in no record of an execution."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from typing import Any, Literal, cast
from urllib.parse import quote

import pytest

from agentool import BaseOperationInput, RunContext, create_agentool
from agentoolkit.endings import EndedEarly, GoesOnLater
from agentoolkit.settings import Settings
from agentoolkit.testing import TestToolkit, toolkit
from agentoolkit.wiring import Toolkit

SECRET = "S3CR3T-VALUE"


def give_back(value: Any) -> dict[str, Any]:
    """Return what is given."""
    return {"got": value}


def complain(value: Any) -> None:
    """Say what is given, in an error."""
    raise ValueError(f"{value} is wrong")


def end_early(value: Any) -> None:
    """Say what is given as the reason why nothing was done."""
    raise EndedEarly("skipped", f"no account {value}")


def go_on(value: Any) -> None:
    """Say what is given as what is waited for."""
    raise GoesOnLater(f"waits for {value}", 60.0)


def go_on_without_a_word(value: Any) -> None:
    """Say nothing of what is waited for."""
    raise GoesOnLater(cast("str", None), 60.0)


def go_on_for_a_thing(value: Any) -> None:
    """Say what is waited for by an object that shows what is given."""
    raise GoesOnLater(cast("str", [value]), 60.0)


class Fading:
    """What can be written twice, and never again: the record writes it once in the error and once in the reason."""

    written = 0

    def __str__(self) -> str:
        self.written += 1
        if self.written > 2:
            raise ValueError("it was written before")
        return "a thing"


def go_on_for_what_fades(value: Any) -> None:
    """Say what is waited for by an object whose text goes."""
    raise GoesOnLater(cast("str", Fading()), 60.0)


def use_as_key(value: Any) -> dict[str, Any]:
    """Return an object that has what is given as a key."""
    return {value: 1, "inside": [{value: {value: 2}}]}


def write_as(value: Any) -> list[str]:
    """Return what is given as programs write it."""
    as_json = json.dumps({"key": value})
    by_line = "".join(f"  | {line}\n" for line in value.splitlines())
    return [repr(value), as_json, json.dumps({"body": as_json}), json.dumps(value, ensure_ascii=False), f"/?key={quote(value)}", by_line]


class GateInput(BaseOperationInput):
    operation: Literal["refuse", "fail"]
    key: str


async def gate_refuse(ctx: RunContext, key: str) -> dict[str, Any]:
    """Answer as a gate that does not pass."""
    return {"passed": False, "reason": f"{key} is used up"}


async def gate_fail(ctx: RunContext, key: str) -> None:
    raise ValueError(f"{key} is wrong")


def say_and_wait(value: Any) -> None:
    """Log what is given, and go on until nobody waits any more."""
    logging.getLogger("work").warning("the key is %s", value)
    time.sleep(0.5)


def call(name: str, value: str) -> tuple[str, dict[str, Any]]:
    return "function", {"operation": "call", "function": f"{__name__}:{name}", "args": [value]}


def command(*words: str) -> tuple[str, dict[str, Any]]:
    return "shell", {"operation": "run", "command": [sys.executable, "-S", "-c", *words]}


async def record_of(kit: TestToolkit, key: str, value: Any, target: tuple[str, dict[str, Any]], **fields: Any) -> dict[str, Any]:
    """Return the record of an execution whose input refers to a value under this key."""
    await kit.injector.run("storage_kv", {"operation": "set", "key": key, "value": value})
    job = {"agentool_name": target[0], "input_data": target[1], **fields}
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


PEM = '-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQ"\\ü\nEFAASCBKcwggSjAgEAAoIBAQC7\n-----END PRIVATE KEY-----\n'


def words_of(value: Any) -> list[str]:
    return [line for line in PEM.splitlines() if line[:20] in json.dumps(value)]


async def test_a_secret_is_hidden_however_it_is_written(settings: Settings):
    """By `repr`, in JSON, in JSON within JSON, in a URL, and with something before each of its lines."""
    async with toolkit(settings=settings) as kit:
        record = await record_of(kit, "private_key", PEM, call("write_as", "!ref:storage_kv:private_key"))
    assert (record["status"], words_of(record), "MII" in json.dumps(record)) == ("success", [], False)


@pytest.mark.parametrize("name", ["end_early", "go_on", "use_as_key"])
async def test_reasons_and_keys_show_no_secret(settings: Settings, name: str):
    """Nor does the reason of a handler that ended early, nor a key of what it returned."""
    async with toolkit(settings=settings) as kit:
        record = await record_of(kit, "api_key", SECRET, call(name, "!ref:storage_kv:api_key"))
    assert (SECRET in json.dumps(record), "[redacted]" in json.dumps(record)) == (False, True)


@pytest.mark.parametrize(("name", "reason"), [("go_on_without_a_word", "None"), ("go_on_for_a_thing", "['[redacted]']")])
async def test_a_reason_that_is_no_text_is_written_as_one(settings: Settings, name: str, reason: str):
    """Whoever goes on later for something that is no text waits as any other, and shows no secret."""
    async with toolkit(settings=settings) as kit:
        record = await record_of(kit, "api_key", SECRET, call(name, "!ref:storage_kv:api_key"))
    assert (record["status"], record["reason"]) == ("retrying", reason)


async def test_what_cannot_be_hidden_is_not_left_running(settings: Settings):
    """A reason's own code may raise where secrets are taken out of it: its execution is not called again, and has failed."""
    async with toolkit(settings=settings) as kit:
        record = await record_of(kit, "api_key", SECRET, call("go_on_for_what_fades", "!ref:storage_kv:api_key"))
    assert (record["status"], record["reason"]) == ("failed", "not called again, though it goes on later: a thing")


@pytest.mark.parametrize("operation", ["refuse", "fail"])
async def test_a_gate_shows_no_secret(settings: Settings, operation: str):
    """Whether it does not pass or fails: what its input refers to is in no record."""
    async with toolkit(settings=settings) as kit:
        create_agentool("keeper", GateInput, {"refuse": gate_refuse, "fail": gate_fail}, injector=kit.injector)
        gate = {"agentool_name": "keeper", "input_data": {"operation": operation, "key": "!ref:storage_kv:api_key"}}
        record = await record_of(kit, "api_key", SECRET, call("give_back", "done"), gate=gate)
    assert (SECRET in json.dumps(record), "[redacted]" in json.dumps(record)) == (False, True)


REFERENCE = "!ref:storage_kv:prod/db"


@pytest.mark.parametrize("given", [{"password": REFERENCE}, {"credentials": {"keys": [REFERENCE]}}, ["--token", REFERENCE]])
async def test_what_is_secret_by_its_field_is_hidden(settings: Settings, given: Any):
    """The name of the field that a reference is in counts as its own does, and so does the option of a command before it."""
    async with toolkit(settings=settings) as kit:
        record = await record_of(kit, "prod/db", SECRET, ("function", {**call("give_back", "")[1], "args": [given]}))
    assert (record["status"], SECRET in json.dumps(record)) == ("success", False)


async def test_within_a_secret_object_what_has_a_secrets_name_is_hidden(settings: Settings):
    """Its other values are words like 'admin', which results hold for other reasons."""
    async with toolkit(settings=settings) as kit:
        value = {"user": "admin", "stage": "test", "password": SECRET}
        record = await record_of(kit, "credentials", value, call("give_back", "!ref:storage_kv:credentials"))
    assert record["result"]["result"] == {"got": {"user": "admin", "stage": "test", "password": "[redacted]"}}


def parts_in(record: dict[str, Any]) -> list[str]:
    """Return what is in a record of the secret, four characters at a time."""
    text = json.dumps(record)
    return [part for start in range(len(SECRET) - 3) if (part := SECRET[start : start + 4]) in text]


def complain_at_length(value: Any) -> None:
    """Say what is given in an error that is too long for a record, where its middle is left out."""
    raise ValueError("." * (5_000 - 6) + value + "." * 6_000)


CUT = {
    "error's end": command(f"import sys; sys.exit('.' * 50 + sys.argv[1] + '.' * {2_000 - 6})", "!ref:storage_kv:api_key"),
    "output": command(f"import sys; print('.' * {1_000_000 - 6} + sys.argv[1])", "!ref:storage_kv:api_key"),
    "middle": call("complain_at_length", "!ref:storage_kv:api_key"),
    "template": (
        "templates",
        {"operation": "render", "template": "{{ {}['.' * 1962 + k] }}", "variables": {"k": "!ref:storage_kv:api_key"}},
    ),
}
"""Calls that write a secret where a limit goes through it."""


@pytest.mark.parametrize("target", CUT.values(), ids=CUT)
async def test_no_part_of_a_secret_stays_where_a_limit_cuts_it(settings: Settings, target: tuple[str, dict[str, Any]]):
    """Whatever cuts: neither the part before it nor the part behind it is in the record."""
    async with toolkit(settings=settings) as kit:
        record = await record_of(kit, "api_key", SECRET, target)
    assert (parts_in(record), "[redacted]" in json.dumps(record)) == ([], True)


async def test_no_part_of_a_secret_is_forwarded(settings: Settings):
    """Nor is it in the message of the error queue."""
    async with toolkit(settings=settings) as kit:
        await record_of(kit, "api_key", SECRET, CUT["error's end"], error_queue="wrong")
        taken = await kit.injector.run("queue", {"operation": "dequeue", "queue_name": "wrong"})
    assert ("[redacted]" in json.dumps(taken.data), parts_in(taken.data)) == (True, [])


@pytest.mark.parametrize(
    "text", ["Bearer !ref:storage_kv:api_key", "https://host/?token=!ref:storage_kv:prod", "--password=!ref:storage_kv:prod"]
)
async def test_a_secret_within_a_text_is_hidden(settings: Settings, text: str):
    """By the reference's name or by what the text calls it; the rest of the text stays."""
    async with toolkit(settings=settings) as kit:
        record = await record_of(kit, text.rpartition(":")[2], SECRET, call("give_back", text))
    assert record["result"]["result"] == {"got": text[: text.index("!ref")] + "[redacted]"}


async def test_a_secret_within_a_text_is_hidden_by_its_field(settings: Settings):
    """As in a header, which is also what the program prints by itself."""
    given = {"Authorization": "Bearer !ref:storage_kv:prod"}
    async with toolkit(settings=settings) as kit:
        record = await record_of(kit, "prod", SECRET, ("function", {**call("give_back", "")[1], "args": [given]}))
    assert record["result"]["result"] == {"got": {"Authorization": "Bearer [redacted]"}}


WRITES = "import sys, time; k = sys.argv[1]; print(k[:5], end='', flush=True); print(k[5:], 'written', flush=True); time.sleep(60)"


@pytest.mark.parametrize(
    ("target", "words"),
    [(command(WRITES, "!ref:storage_kv:api_key"), "written"), (call("say_and_wait", "!ref:storage_kv:api_key"), "the key is")],
    ids=["program", "log"],
)
async def test_output_shows_no_secret_while_it_is_written(settings: Settings, target: tuple[str, dict[str, Any]], words: str):
    """Neither what a program writes nor what a function logs."""
    async with Toolkit(settings) as kit:
        await kit.injector.run("storage_kv", {"operation": "set", "key": "api_key", "value": SECRET})
        job = {"agentool_name": target[0], "input_data": target[1]}
        await kit.injector.run("scheduler", {"operation": "schedule", "job_id": "job", "schedule": "every day at 9:00", **job})
        run = (await kit.injector.run("scheduler", {"operation": "start_run", "job_id": "job", "run_key": "one"})).data["execution_id"]
        output = ""
        async with asyncio.timeout(10):
            while words not in output:
                await asyncio.sleep(0.01)
                output = (await kit.injector.run("scheduler", {"operation": "get_execution", "execution_id": run})).data["output"] or ""
        await kit.injector.run("scheduler", {"operation": "cancel_execution", "execution_id": run})
    assert ("[redacted]" in output, SECRET in output) == (True, False)


async def test_parts_of_a_secret_object_are_hidden(settings: Settings):
    """Each text in it is one, where none of them has a secret's name."""
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


LOGGED = {
    "notification": {"operation": "send", "message": "The key is !ref:storage_kv:api_key", "title": "!ref:storage_kv:api_key"},
    "logging": {
        "operation": "log",
        "level": "INFO",
        "message": "The key is !ref:storage_kv:api_key",
        "data": {"seen": ["!ref:storage_kv:api_key"]},
    },
}


@pytest.mark.parametrize("tool", LOGGED)
async def test_the_log_shows_no_secret(tool: str, caplog: pytest.LogCaptureFixture):
    """Whoever may schedule reads it; neither our log nor the application's has what a reference stood for."""
    async with toolkit() as kit:
        await kit.injector.run("storage_kv", {"operation": "set", "key": "api_key", "value": SECRET})
        await kit.injector.run("scheduler", {"operation": "run_now", "agentool_name": tool, "input_data": LOGGED[tool]})
        log = (await kit.injector.run("logging", {"operation": "read"})).model_dump_json()
    assert "The key is [redacted]" in log
    assert SECRET not in log + caplog.text
