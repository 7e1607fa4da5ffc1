"""`agentool doctor` names the layer that is broken; `agentool tools` shows what there is."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from agentoolkit.entrypoints.cli.not_allowed import not_allowed_here
from agentoolkit.entrypoints.cli.session import call
from agentoolkit.settings import Settings
from agentoolkit.system.scheduler.answer_schemas import JobList
from agentoolkit.system.scheduler.decisions.unclaimed_reasons import waits_for_any, waits_for_tool
from agentoolkit.system.scheduler.execution_records import Execution, ExecutionStatus
from agentoolkit.system.scheduler.ports import Message
from agentoolkit.wiring import Toolkit

from .conftest import Cli
from .test_serve import earlier

FRIENDLY = ("python", "packages", "settings", "clock", "event loop", "database", "integrity", "disk", "due jobs", "workers")
FRIENDLY += ("outbox", "queue")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the clocks for a moment only."""
    monkeypatch.setattr("agentoolkit.entrypoints.cli.doctor.machine._SPAN_SECONDS", 0.01)
    monkeypatch.setattr("agentoolkit.entrypoints.cli.doctor.machine._LOOP_SECONDS", 10.0)


def states(cli: Cli, code: int = 0) -> dict[str, str]:
    return {finding["layer"]: finding["state"] for finding in json.loads(cli("doctor", "--json", code=code).stdout)}


def test_a_healthy_machine_is_ok(cli: Cli) -> None:
    """Every layer is looked at, and the exit code is 0."""
    found = states(cli)
    assert {layer: found[layer] for layer in FRIENDLY} == dict.fromkeys(FRIENDLY, "ok")


@pytest.mark.parametrize("zone", ["Mars", "EST", "+02:00"])
def test_a_zone_that_is_none_is_a_wrong_setting(cli: Cli, zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The doctor and every command name the variable: nobody typed a zone. In a file as in the environment."""
    Path(".env").write_text(f"AGENTOOL_TIMEZONE={zone}")
    assert states(cli, 1)["settings"] == "broken"
    monkeypatch.setenv("AGENTOOL_TIMEZONE", zone)
    Path(".env").unlink()
    for words in (("preview", "every day at 9"), ("list",), ("serve", "--for", "0.01")):
        assert f"AGENTOOL_TIMEZONE: {'there is no' if zone == 'Mars' else repr(zone)}" in cli(*words, code=2).stderr


def test_a_misspelt_variable_is_told_wherever_it_is(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the environment and in the file, with what was meant; and the file is named."""
    Path(".env").write_text("AGENTOOL_TIMEZON=Mars\nOTHER=1")
    monkeypatch.setenv("AGENTOOL_DATABAS", "x")
    output = " ".join(cli("doctor").stdout.split())
    assert "AGENTOOL_TIMEZON in .env is not a setting and is ignored" in output
    assert "AGENTOOL_DATABAS is not a setting and is ignored" in output


def test_a_missing_leader_is_a_warning(cli: Cli) -> None:
    """If nobody serves, the remedy says how to."""
    output = cli("doctor").stdout
    assert "no process serves this database" in output
    assert "→ agentool serve" in output


def test_a_leader_is_named(cli: Cli) -> None:
    """The process that leads is shown with its heartbeat."""

    async def look() -> dict[str, str]:
        async with Toolkit(Settings(database="home/agentool.db")):
            return await asyncio.to_thread(states, cli)

    assert asyncio.run(look())["leader"] == "ok"


def test_a_stopped_scheduler_is_a_warning(cli: Cli) -> None:
    """Operation 'stop' is found."""
    cli("stop")
    assert states(cli)["leader"] == "warning"


def test_a_damaged_database_is_broken(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is no database is named as the broken layer, and the exit code is 1."""
    Path("broken.db").write_text("this is no database at all" * 100)
    monkeypatch.setenv("AGENTOOL_DATABASE", "broken.db")
    assert states(cli, code=1)["database"] == "broken"


LAMPS = """
from typing import Literal
from agentool import BaseOperationInput, RunContext, create_agentool

class LampInput(BaseOperationInput):
    operation: Literal["switch"]

async def lamp_switch(ctx: RunContext) -> str:
    return "on"

def register(injector):
    create_agentool("lamp", LampInput, {"switch": lamp_switch}, injector=injector)
"""


def test_damaged_records_are_named(cli: Cli) -> None:
    """A message and a value that somebody damaged are named with their places; three are, and the others counted."""
    cli("doctor")

    async def fill() -> None:
        async with Toolkit(Settings(database="home/agentool.db"), runs_jobs=False) as kit:
            for number in range(2):
                await kit.injector.run("queue", {"operation": "enqueue", "queue_name": "q", "message": 1, "message_id": f"m{number}"})
                await kit.injector.run("storage_kv", {"operation": "set", "key": f"k{number}", "value": 1})

    asyncio.run(fill())
    with closing(sqlite3.connect("home/agentool.db")) as database:
        database.execute("UPDATE agentool_queue_messages SET body = '{' WHERE message_id = 'm0'")
        database.execute("UPDATE agentool_queue_messages SET state = 'weird' WHERE message_id = 'm1'")
        database.execute("UPDATE agentool_values SET value = 'NaN'")
        database.commit()
    (finding,) = (found for found in json.loads(cli("doctor", "--json").stdout) if found["layer"] == "records")
    assert (finding["state"], finding["told"]) == (
        "warning",
        "damaged: message 'm0' in queue 'q': its payload is not JSON; message 'm1' in queue 'q': 'weird' is not a valid State; "
        "value 'k0' in 'default': it is not JSON and 1 more",
    )


def test_late_jobs_are_a_warning(cli: Cli) -> None:
    """A due time that nobody took care of is counted, and its age is told."""

    async def add(kit: Toolkit) -> None:
        call = {"operation": "call", "function": "chores:greet"}
        job = {"operation": "schedule", "job_name": "late", "schedule": "1 minute", "agentool_name": "function", "input_data": call}
        await kit.injector.run("scheduler", job)

    earlier(add, hours=3)
    output = cli("doctor").stdout
    assert "1 of 1 job late, the oldest is late, due 3 hours ago" in output


def test_jobs_that_nobody_would_start_are_a_warning(cli: Cli) -> None:
    """Without a process that serves, a job is late from its due time on, and one that is not due yet is told too."""
    cli.greeting("soon", "1 hour")
    assert "1 job, none is due yet, and no process would start it" in cli("doctor").stdout

    async def add(kit: Toolkit) -> None:
        await kit.injector.run("scheduler", {"operation": "update", "job_id": "soon", "schedule": "1 minute"})

    earlier(add, seconds=70)
    assert re.search("1 of 1 job late, the oldest is soon, due [1-9][0-9] seconds ago", cli("doctor").stdout)


def test_what_no_worker_takes_is_a_warning(cli: Cli) -> None:
    """Executions that wait for a worker are counted by what they wait for, with what to start; a healthy fleet is ok."""
    assert states(cli)["workers"] == "ok"

    async def add(kit: Toolkit) -> None:
        now = kit.scheduler.now()
        reasons = [waits_for_any("celery", "gpu"), waits_for_any("celery", "gpu"), waits_for_tool("render"), ""]
        waiting = [Execution(f"job@{number}", "job", "render", now, reason=reason) for number, reason in enumerate(reasons)]
        await kit.scheduler.store.insert(waiting)

    earlier(add, seconds=60)
    assert states(cli)["workers"] == "warning"
    told = " ".join(cli("doctor").stdout.split())
    assert "waits for a worker: none has taken it from queue 'gpu' of celery yet (2)" in told
    assert "waits for a worker that has AgenTool 'render': name its plugin there by AGENTOOL_PLUGINS (1)" in told
    assert "→ Start workers" in told


def test_jobs_whose_tool_is_missing_are_a_warning(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job of a plugin that is not named any more is told by doctor, and by serve."""
    Path("lamps.py").write_text(LAMPS)
    monkeypatch.setenv("AGENTOOL_PLUGINS", '["lamps:register"]')
    cli("schedule", "evening", "every day at 18:00", "lamp", "operation=switch")
    monkeypatch.delenv("AGENTOOL_PLUGINS")
    assert "not here: evening needs 'lamp'" in cli("doctor").stdout
    assert "Job evening cannot run: no AgenTool is named 'lamp' here." in cli("serve", "--for", "0.1").stdout


def test_jobs_of_workers_are_no_warning(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that workers run needs no AgenTool here: neither doctor nor serve tells of it."""
    Path("lamps.py").write_text(LAMPS)
    monkeypatch.setenv("AGENTOOL_PLUGINS", '["lamps:register"]')
    cli("schedule", "evening", "every day at 18:00", "lamp", "operation=switch")
    monkeypatch.delenv("AGENTOOL_PLUGINS")
    monkeypatch.setenv("AGENTOOL_EXECUTOR", "celery")
    assert (states(cli)["tools"], "cannot run" in cli("serve", "--for", "0.1").stdout) == ("ok", False)


def test_jobs_that_are_not_allowed_here_are_a_warning(cli: Cli) -> None:
    """A job that another process allowed fails here at every run: doctor and serve tell it before, with what would allow it."""
    cli.greeting()
    told = " ".join(cli("doctor").stdout.split())
    assert "not allowed here: greeting: 'chores:greet' is not allowed" in told
    assert "→ export AGENTOOL_FUNCTIONS='[\"chores\"]'" in told
    assert ".;" not in told
    said = cli("serve", "--for", "0.1").stdout
    assert "Job greeting would fail here: 'chores:greet' is not allowed" in said
    assert "To allow it: export AGENTOOL_FUNCTIONS='[\"chores\"]'" in said


def test_jobs_that_are_allowed_here_are_ok(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is said of a job that would run."""
    cli.greeting()
    monkeypatch.setenv("AGENTOOL_FUNCTIONS", "chores")
    assert states(cli)["allowed"] == "ok"
    assert "would fail here" not in cli("serve", "--for", "0.1").stdout


@pytest.mark.parametrize("how", ["pause", "celery"])
def test_jobs_that_do_not_run_here_need_not_be_allowed(cli: Cli, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """A paused job fires nowhere, and a job of workers elsewhere."""
    cli.greeting()
    if how == "pause":
        cli("pause", "greeting")
    else:
        monkeypatch.setenv("AGENTOOL_EXECUTOR", "celery")
    assert states(cli)["allowed"] == "ok"


LOST = {"cancelled": "DELETE FROM agentool_jobs", "damaged": "UPDATE agentool_jobs SET definition = '{'"}


@pytest.mark.parametrize("statement", LOST.values(), ids=LOST)
async def test_a_job_that_goes_away_while_jobs_are_looked_at_is_passed_over(tmp_path: Path, statement: str) -> None:
    """Another process has cancelled it since it was listed: neither `serve` nor the doctor ends by that."""
    database = tmp_path / "jobs.db"
    async with Toolkit(Settings.from_values({"database": str(database)}), runs_jobs=False) as kit:
        job = {"job_name": "a", "schedule": "every hour", "agentool_name": "metrics", "input_data": {"operation": "list"}}
        await kit.injector.run("scheduler", {"operation": "schedule", **job})
        listed = await call(kit, JobList, "list")
        with closing(sqlite3.connect(database)) as other, other:
            other.execute(statement)
        assert await not_allowed_here(kit, listed.jobs) == ([], [])


def test_an_impossible_setting_is_broken(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting that cannot be read is the broken layer."""
    monkeypatch.setenv("AGENTOOL_TIMEOUT", "-1")
    assert states(cli, code=1)["settings"] == "broken"


def test_a_misspelt_variable_is_a_warning(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that nothing reads is pointed out, with the one that was meant."""
    monkeypatch.setenv("AGENTOOL_DATABSE", "x.db")
    assert "Did you mean 'AGENTOOL_DATABASE'?" in cli("doctor").stdout


def test_secrets_are_not_shown(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the password of a database or a broker nor the path of a ping address is printed."""
    monkeypatch.setenv("CELERY_BROKER_URL", "amqp://me:hush@127.0.0.1:1/nothing")
    monkeypatch.setenv("AGENTOOL_DATABASE", "postgresql://me:hush@127.0.0.1:1/nothing")
    monkeypatch.setenv("AGENTOOL_PING_URL", "https://pings.example/very-secret")
    output = cli("doctor", code=1).stdout
    assert "https://pings.example/…" in output
    assert "amqp://127.0.0.1/…" in output
    assert "hush" not in output
    assert "very-secret" not in output


def test_a_clock_that_is_set_is_a_warning() -> None:
    """A clock that runs away from the steady one is pointed out."""
    from agentoolkit.entrypoints.cli.doctor.machine import judge_clock

    assert judge_clock(timedelta(seconds=1).total_seconds()).state == "warning"


def test_tools_lists_every_agentool(cli: Cli) -> None:
    """The catalogue names each AgenTool, its operations and an example."""
    output = cli("tools").stdout
    assert all(name in output for name in ("function", "queue", "scheduler", "backfill", "hourly_metrics"))


def test_a_tool_in_detail(cli: Cli) -> None:
    """One AgenTool is shown with each field and what it is for."""
    lines = cli("tools", "function").stdout.splitlines()
    assert any(line.split()[:3] == ["function", "required", "string"] for line in lines)


def test_tools_as_json(cli: Cli) -> None:
    """--json says the same as data."""
    (function,) = cli.data("tools", "function")
    assert function["operations"][0]["required"] == ["function"]


def test_an_unknown_tool_is_the_users_mistake(cli: Cli) -> None:
    """A name that does not exist is refused with the nearest one."""
    assert "Did you mean 'queue'?" in cli("tools", "qeue", code=2).stderr


@pytest.mark.parametrize(("place", "remedy"), [("home/agentool.db", "chmod 700"), ("project/jobs.db", "a folder of its own")])
def test_a_folder_that_others_can_look_into_is_told(
    cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch, place: str, remedy: str
) -> None:
    """It is left as it is, and the way out is one that harms no other program."""
    database = folder / place
    database.parent.mkdir()
    database.parent.chmod(0o755)
    monkeypatch.setenv("AGENTOOL_DATABASE", str(database))
    (found,) = [finding for finding in json.loads(cli("doctor", "--json").stdout) if finding["layer"] == "folder"]
    assert (found["state"], remedy in found["remedy"], str(database.parent) in found["told"]) == ("warning", True, True)
    assert database.parent.stat().st_mode & 0o777 == 0o755


def test_a_folder_of_ones_own_is_not_told(cli: Cli) -> None:
    """One that was made for the database is its owner's alone."""
    cli.greeting()
    assert "folder" not in states(cli)


DAMAGES = {
    "definition = '{'": "it cannot be read",
    "state = 'broken', reason = 'its due times cannot be computed: x'": "its due times cannot be computed: x",
    "definition = replace(definition, 'UTC', 'Mars/Base')": "Mars/Base",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_broken_job_is_a_warning(cli: Cli, damage: str) -> None:
    """A job that cannot be read or computed never fires: it is named with the reason, whatever is wrong with it."""
    cli.greeting("well")
    cli.greeting("greeting", "every day at 9")
    assert states(cli)["jobs"] == "ok"
    with closing(sqlite3.connect("home/agentool.db")) as database:
        database.execute(f"UPDATE agentool_jobs SET {damage} WHERE job_id = 'greeting'")
        database.commit()
    (finding,) = (found for found in json.loads(cli("doctor", "--json").stdout) if found["layer"] == "jobs")
    assert (finding["state"], finding["told"].startswith("1 of 2 jobs broken: greeting: ")) == ("warning", True)
    assert DAMAGES[damage] in finding["told"]


def test_a_plugin_that_is_missing_is_no_broken_database(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the settings name and is not there belongs to the settings."""
    monkeypatch.setenv("AGENTOOL_PLUGINS", "nowhere:register")
    found = [
        (finding["layer"], finding["told"])
        for finding in json.loads(cli("doctor", "--json", code=1).stdout)
        if finding["state"] == "broken"
    ]
    assert [layer for layer, _ in found] == ["settings"]
    assert "nowhere:register" in found[0][1]


@pytest.mark.parametrize(("part", "layer"), [("QUEUE", "queue"), ("EVENTS", "events")])
def test_a_redis_server_that_is_away_breaks_what_it_keeps(cli: Cli, monkeypatch: pytest.MonkeyPatch, part: str, layer: str) -> None:
    """The database is well, and all other layers are looked at too."""
    monkeypatch.setenv(f"AGENTOOL_{part}_BACKEND", "redis")
    monkeypatch.setenv("AGENTOOL_REDIS_URL", "redis://127.0.0.1:1/0")
    found = states(cli, code=1)
    assert {name for name, state in found.items() if state == "broken"} == {layer}
    assert {"database", "records", "outbox", "queue", "events"} <= found.keys()


@pytest.mark.parametrize(("attempts", "state"), [(0, "ok"), (2, "warning")])
def test_outcomes_that_their_queue_refuses_are_a_warning(cli: Cli, attempts: int, state: str) -> None:
    """One that waits for its first attempt is none; one that was refused before is told with its queue."""

    async def add(kit: Toolkit) -> None:
        ended = Execution("job@1", "job", "render", kit.scheduler.now(), status=ExecutionStatus.SUCCESS, finished_at=kit.scheduler.now())
        message = Message("job@1", "results", {"result": 1})
        await kit.scheduler.store.insert([ended], [message])
        for _ in range(attempts):
            await kit.scheduler.store.undelivered(message, give_up=False)

    earlier(add, seconds=60)
    (finding,) = (found for found in json.loads(cli("doctor", "--json").stdout) if found["layer"] == "outbox")
    assert (finding["state"], "1 outcomes wait for their queue" in finding["told"]) == (state, True)
    assert ("refused so far: job@1 by 'results'" in finding["told"]) == bool(attempts)
