"""Starts and kills processes on one database, and judges what they left by the jobs' definitions alone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from .child import ask

ROOT = Path(__file__).parents[2]
CHILD = Path(__file__).relative_to(ROOT).with_name("child.py")
ASK = """
import asyncio, json, sys
from tests.acceptance.child import ask
print(json.dumps(asyncio.run(ask(sys.argv[1], json.loads(sys.argv[2])))))
"""
ALL_OF_THEM = {"misfire_grace_time": 3600, "coalesce": False, "max_instances": 1000}
"""Policies under which every due time runs, however late."""


def every_second(number: int, first: datetime, seconds: int, **fields: Any) -> list[dict[str, Any]]:
    """Return jobs that are due each second from `first` on, so many seconds long."""
    bounds = {"start_at": first.isoformat(), "end_at": (first + timedelta(seconds=seconds - 0.5)).isoformat()}
    data = {"input_data": {"operation": "run"}, **ALL_OF_THEM, **bounds, **fields}
    return [{"job_id": f"job{index}", "schedule": "1 second", **data} for index in range(number)]


def after_each(number: int) -> list[dict[str, Any]]:
    """Return jobs that each come after one of those that are due each second."""
    fields = {"input_data": {"operation": "run"}, "max_instances": 1000}
    return [{"job_id": f"next{index}", "schedule": f"after job{index}", **fields} for index in range(number)]


def soon(seconds: float = 1.0) -> datetime:
    """Return a whole second that is so far ahead at least."""
    return datetime.fromtimestamp(int(time.time() + seconds) + 1, UTC)


@dataclass
class Verdict:
    """How what is there differs from what the definitions say."""

    expected: int = 0
    no_row: int = 0
    second_row: int = 0
    row_without_due_time: int = 0
    not_successful: int = 0
    cut_short_three_times: int = 0
    """Lost, as the rule for handlers that end their process says: by chance, where kills come fast."""
    extra_starts: int = 0
    in_flight_at_kills: int = 0
    unstarted: int = 0
    messages_lost: int = 0
    messages_doubled: int = 0
    not_followed: int = 0
    followed_wrongly: int = 0

    @property
    def wrong(self) -> int:
        return self.no_row + self.second_row + self.row_without_due_time

    @property
    def clean(self) -> bool:
        wrong = (self.wrong, self.not_successful, self.unstarted, self.messages_lost, self.messages_doubled)
        followed = (self.not_followed, self.followed_wrongly)
        return not any(wrong + followed) and self.extra_starts <= self.in_flight_at_kills

    def __str__(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in asdict(self).items())


class Stage:
    """One database, its processes, and their traces."""

    def __init__(self, folder: Path, database: str) -> None:
        self.folder, self.database = folder, database
        self.children: list[subprocess.Popen[str]] = []
        self.in_flight = 0
        self.release = ROOT
        """The checkout whose code runs in processes that are started, and answers what is asked, from now on."""

    def schedule(self, jobs: Sequence[dict[str, Any]]) -> None:
        """Write jobs down before anything runs them."""
        self.ask(*({"operation": "schedule", "agentool_name": "work", **job} for job in jobs))
        first = min((job["start_at"] for job in jobs if "start_at" in job), default=None)
        late = first is not None and datetime.fromisoformat(first) < datetime.now(UTC)
        assert not late, "scheduling took longer than the time to the first due time: nothing can be judged"

    def ask(self, *requests: dict[str, Any]) -> list[Any]:
        """Ask the scheduler on the database, from this process if its code is wanted, and return the answers' data."""
        if self.release == ROOT:
            return asyncio.run(ask(self.database, requests))
        asked = [sys.executable, "-c", ASK, self.database, json.dumps(requests)]
        printed = subprocess.run(asked, cwd=self.release, env=self._environment(), check=True, capture_output=True, text=True).stdout
        return json.loads(printed)

    def start(self, *, ready: bool = True, within: Sequence[str] = (), **orders: Any) -> subprocess.Popen[str]:
        """Start a process, by a command that it is to run within, and wait until it is open."""
        told = json.dumps({"folder": str(self.folder), "database": self.database, **orders})
        errors = (self.folder / "errors").open("a")
        command = [*within, sys.executable, str(self.release / CHILD), told]
        child = subprocess.Popen(command, env=self._environment(), stdout=subprocess.PIPE, stderr=errors, text=True)
        errors.close()
        self.children.append(child)
        if ready:
            child.stdout.readline()
        return child

    def _environment(self) -> dict[str, str] | None:
        """Return the variables by which a process finds the code of another release; None: it finds this one's."""
        return None if self.release == ROOT else {**os.environ, "PYTHONPATH": f"{self.release / 'src'}{os.pathsep}{self.release}"}

    def kill(self, child: subprocess.Popen[str]) -> None:
        """End a process as kill -9 does; count what it had under way."""
        child.kill()
        self.reap(child)

    def reap(self, child: subprocess.Popen[str], seconds: float = 30) -> int:
        """Wait for a process that ends by itself; count what it had under way."""
        code = child.wait(seconds)
        child.stdout.close()
        if code:
            self.in_flight += self.count("agentool_executions WHERE status = 'running'")
        return code

    def end(self, child: subprocess.Popen[str], seconds: float = 60) -> None:
        """Let a process end as it does on SIGTERM; where it does not, tell what it waits for."""
        child.terminate()
        try:
            self.reap(child, seconds)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGUSR1)
            time.sleep(2)
            raise AssertionError(f"it does not end: {(self.folder / 'errors').read_text()[-20_000:]}") from None

    def finish(self, seconds: float = 30, **orders: Any) -> None:
        """Let a new process do what is left."""
        child = self.start(until_done=seconds, **orders)
        assert self.reap(child, seconds + 15) == 0, (self.folder / "errors").read_text()[-2000:]

    def close(self) -> None:
        for child in self.children:
            if child.poll() is None:
                child.kill()
                child.wait(10)
            with contextlib.suppress(OSError):
                child.stdout.close()

    # What there is, by plain SQL.

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        if self.database.startswith("postgresql"):
            import psycopg

            with psycopg.connect(self.database, autocommit=True) as connection:
                return connection.execute(sql).fetchall()
        with contextlib.closing(sqlite3.connect(self.database, timeout=20)) as connection:
            return connection.execute(sql).fetchall()

    def count(self, of: str) -> int:
        return self.query(f"SELECT COUNT(*) FROM {of}")[0][0]

    def starts(self) -> list[tuple[str, int, int]]:
        """Return execution, attempt and process of every start of the handler."""
        path = self.folder / "starts"
        lines = path.read_text().splitlines() if path.exists() else []
        return [(id_, int(attempt), int(pid)) for id_, attempt, pid in (line.rsplit(" ", 2) for line in lines)]

    def messages(self) -> dict[str, int]:
        """Return the messages in the queue, and how often each was sent."""
        path = self.folder / "queue.db"
        with contextlib.closing(sqlite3.connect(path, timeout=20)) as connection:
            return dict(connection.execute("SELECT id, times FROM messages").fetchall())

    # Judgement

    def verdict(self, jobs: Sequence[dict[str, Any]], prefix: str = "") -> Verdict:
        """Compare rows, handler starts and messages, of the jobs with this prefix, with the due times that the definitions say."""
        due = {(job["job_id"], moment) for job in jobs if "start_at" in job for moment in due_seconds(job)}
        columns = "execution_id, job_id, scheduled_at, status, due_count, attempt"
        rows = self.query(f"SELECT {columns} FROM agentool_executions WHERE cause <> 'after' AND job_id LIKE '{prefix}%'")
        found = Counter((job_id, at) for _, job_id, at, *_ in rows)
        starts = Counter(id_ for id_, _, _ in self.starts() if id_.startswith(prefix))
        verdict = Verdict(expected=len(due), in_flight_at_kills=self.in_flight)
        verdict.no_row = len(due - found.keys())
        verdict.second_row = sum(number - 1 for number in found.values())
        verdict.row_without_due_time = len(found.keys() - due)
        three_times = {id_ for id_, _, _, status, _, attempt in rows if status == "lost" and attempt == 3 and starts[id_] >= 1}
        verdict.cut_short_three_times = len(three_times)
        done = {id_ for id_, _, _, status, count, _ in rows if status == "success" and count == 1}
        verdict.not_successful = len(rows) - len(done) - len(three_times)
        verdict.unstarted = sum(starts[id_] == 0 for id_ in done)
        verdict.extra_starts = sum(number - 1 for number in starts.values())
        if any(job.get("result_queue") for job in jobs):
            sent = {id_: times for id_, times in self.messages().items() if id_.startswith(prefix)}
            verdict.messages_lost = len(done - sent.keys())
            verdict.messages_doubled = len(sent.keys() - done)
        self._judge_downstream(verdict, jobs, done, prefix)
        return verdict

    def _judge_downstream(self, verdict: Verdict, jobs: Sequence[dict[str, Any]], done: set[str], prefix: str) -> None:
        """Every success of a job is followed by exactly one execution of each job that comes after it, and nothing else is."""
        after = {job["job_id"]: job["schedule"].removeprefix("after ") for job in jobs if job["schedule"].startswith("after ")}
        due = {f"{job_id}@after-{id_}" for job_id, before in after.items() for id_ in done if id_.startswith(f"{before}@")}
        sql = f"SELECT execution_id, status, attempt FROM agentool_executions WHERE cause = 'after' AND job_id LIKE '{prefix}%'"
        rows = self.query(sql)
        ended = {id_ for id_, status, attempt in rows if status == "success" or (status, attempt) == ("lost", 3)}
        verdict.not_followed = len(due - ended)
        verdict.followed_wrongly = len({id_ for id_, *_ in rows} - due)


def due_seconds(job: dict[str, Any]) -> Iterator[int]:
    """Yield a job's due times, in microseconds, by counting seconds: nothing here knows the product's schedules."""
    at = int(datetime.fromisoformat(job["start_at"]).timestamp())
    last = datetime.fromisoformat(job["end_at"]).timestamp()
    while at <= last:
        yield at * 1_000_000
        at += 1


def wait_until(condition: Callable[[], object], seconds: float = 20) -> float:
    """Look again and again, for so long at most; return the seconds it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "it did not come true in time"
        time.sleep(0.02)
    return time.monotonic() - began


def kill_at_random(stage: Stage, jobs: Sequence[dict[str, Any]], kills: int, randomness: random.Random, **orders: Any) -> Verdict:
    """Kill one process after the other at a random moment, then let the last one finish."""
    ends = datetime.fromisoformat(jobs[0]["end_at"]).timestamp()
    stage.schedule(jobs)
    stage.start(**orders)
    for _ in range(kills):
        time.sleep(randomness.uniform(0.1, 0.6))
        stage.kill(stage.children[-1])
        stage.start(**orders)
    os.kill(stage.children[-1].pid, signal.SIGKILL)
    stage.reap(stage.children[-1])
    stage.finish(max(ends - time.time(), 0) + 60, **orders)
    return stage.verdict(jobs)
