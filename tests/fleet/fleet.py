"""A fleet on one PostgreSQL database and one broker, and an oracle that knows the jobs' definitions alone."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import psycopg

from agentoolkit.settings import Settings
from agentoolkit.wiring import Toolkit

from . import fleet_work

PATIENCE = 60.0
POLICIES = {"misfire_grace_time": 3600, "coalesce": False, "max_instances": 1_000, "timeout": 29}
"""Every due time runs, however late, and ids travel together."""

SCHEDULER = ["agentool", "serve", "--kept"]
WORKER = ["celery", "-A", "agentoolkit.entrypoints.celery_app", "worker", "-n", "NUMBER@fleet", "-l", "INFO", "-c", "2"]
WORKER += ["--without-mingle", "--without-gossip", "--pool"]
OUR_WORKER = ["agentool", "worker", "--concurrency", "2"]
"""It begins anew where Celery's own command ends and leaves that to a supervisor."""
READY = ("Ctrl-C ends it", "stands by", " ready.")


class Due(NamedTuple):
    """A job that is due so many times, so many seconds apart."""

    job_id: str
    first: datetime
    every: float
    times: int

    @property
    def moments(self) -> list[datetime]:
        return [self.first + timedelta(seconds=self.every * number) for number in range(self.times)]


@dataclass
class Verdict:
    """How rows and handlers differ from what the definitions say."""

    expected: int
    lost: int
    """Due times without a row, or whose row says anything but success."""
    doubled: int
    """Due times with a second row, and rows without a due time."""
    run_again: int
    """Starts of a handler after the first of its execution: those that a kill cut short, before their outcome was written down."""
    ended_again: int
    """Of these, handlers that had come to their end before."""

    @property
    def wrong(self) -> int:
        return self.lost + self.doubled

    def __str__(self) -> str:
        return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in asdict(self).items())


class Fleet:
    """Processes on one database, and what they have done."""

    def __init__(self, folder: Path, database: str, broker: str, lease: float = 0.0) -> None:
        self.folder, self.database, self.broker = folder, database, broker
        self.processes: list[subprocess.Popen[bytes]] = []
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AGENTOOL_", "CELERY_", "REDIS_"))}
        self.environment = {
            **kept,
            "AGENTOOL_DATABASE": database,
            "AGENTOOL_HOME": str(folder),
            "AGENTOOL_TIMEZONE": "UTC",
            "AGENTOOL_EXECUTOR": "celery",
            "AGENTOOL_PLUGINS": "fleet_work:register",
            "CELERY_BROKER_URL": broker,
            "FLEET_FOLDER": str(folder),
            "FLEET_LEASE": str(lease),
            "PYTHONPATH": str(Path(__file__).parent),
        }

    # Processes

    def start_scheduler(self) -> subprocess.Popen[bytes]:
        return self.start(SCHEDULER)[0]

    def start_worker(self, pool: str = "prefork") -> subprocess.Popen[bytes]:
        return self.start([*WORKER, pool])[0]

    def start(self, *commands: Sequence[str]) -> list[subprocess.Popen[bytes]]:
        """Start programs together, and wait until each is ready."""
        begun = [self._begin(command) for command in commands]
        for process, output in begun:
            self.until(lambda: process.poll() is not None or any(word in output.read_text() for word in READY), output.read_text)  # noqa: B023
            assert process.poll() is None, output.read_text()
        return [process for process, _ in begun]

    def _begin(self, asked: Sequence[str]) -> tuple[subprocess.Popen[bytes], Path]:
        number = len(self.processes)
        output = self.folder / f"output{number}"
        command = [sys.executable, "-m", *(word.replace("NUMBER", str(number)) for word in asked)]
        with output.open("wb") as file:
            process = subprocess.Popen(command, env=self.environment, stdout=file, stderr=file, cwd=self.folder, start_new_session=True)
        self.processes.append(process)
        return process, output

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """End a process with all that it forked, as a machine that fails does."""
        with suppress(psutil.NoSuchProcess):
            family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
            for member in family:
                with suppress(psutil.NoSuchProcess):
                    member.kill()
        process.wait()

    def close(self) -> None:
        for process in self.processes:
            process.send_signal(signal.SIGCONT)
            self.kill(process)

    # Work

    def schedule(self, jobs: Sequence[Due], naps: float = 0.0, **fields: Any) -> None:
        """Write jobs down before any is due."""
        asyncio.run(self._schedule(jobs, {**POLICIES, **fields}, naps))
        assert min(job.first for job in jobs) > datetime.now(UTC), "scheduling took longer than the time to the first due time"

    async def _schedule(self, jobs: Sequence[Due], policies: dict[str, Any], naps: float) -> None:
        settings = Settings.from_values(
            {"database": self.database, "timezone": "UTC", "executor": "celery", "celery_broker": self.broker, "log_console": False}
        )
        kit = Toolkit(settings, runs_jobs=False)
        os.environ["FLEET_FOLDER"] = str(self.folder)
        fleet_work.register(kit.injector)
        async with kit:
            for place in range(0, len(jobs), 500):
                await asyncio.gather(*(self._add(kit, job, policies, naps) for job in jobs[place : place + 500]))

    async def _add(self, kit: Toolkit, job: Due, policies: dict[str, Any], naps: float) -> None:
        last = job.first + timedelta(seconds=job.every * (job.times - 0.5))
        when = {"schedule": f"{job.every:g} seconds", "start_at": job.first.isoformat(), "end_at": last.isoformat()}
        call = {"agentool_name": "work", "input_data": {"operation": "run", "naps": naps}}
        await kit.injector.run("scheduler", {"operation": "schedule", "job_id": job.job_id, **when, **call, **policies})

    # What there is, by plain SQL

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database, autocommit=True) as connection:
            return connection.execute(sql.encode()).fetchall()

    def notes(self, name: str, prefix: str = "") -> Counter[str]:
        """Count the starts or the ends of each execution, of the jobs with this prefix."""
        path = self.folder / name
        lines = path.read_text().splitlines() if path.exists() else []
        return Counter(line.split()[0] for line in lines if line.startswith(prefix))

    def until(self, holds: Callable[[], bool], why: Callable[[], object] = str, seconds: float = PATIENCE) -> float:
        """Wait until something holds, and return the seconds that it took."""
        began = time.monotonic()
        while not holds():
            assert time.monotonic() - began < seconds, why()
            time.sleep(0.05)
        return time.monotonic() - began

    def until_over(self, jobs: Sequence[Due], seconds: float = PATIENCE) -> Verdict:
        """Wait until every due time has come to its end, and judge."""
        number, like = sum(job.times for job in jobs), _prefix(jobs)
        sql = f"SELECT COUNT(*), COUNT(finished_at) FROM agentool_executions WHERE job_id LIKE '{like}%'"
        self.until(lambda: self.query(sql)[0] == (number, number), lambda: self._what_is_missing(jobs), seconds)
        time.sleep(0.5)  # what is doubled would come now
        return self.verdict(jobs)

    def _what_is_missing(self, jobs: Sequence[Due]) -> str:
        like = _prefix(jobs)
        states = self.query(
            f"SELECT status, due_count, reason, COUNT(*) FROM agentool_executions WHERE job_id LIKE '{like}%' GROUP BY 1, 2, 3"
        )
        rows = set(self.query(f"SELECT job_id, scheduled_at FROM agentool_executions WHERE job_id LIKE '{like}%'"))
        missing = sorted((round(moment.timestamp() * 1e6), job.job_id) for job in jobs for moment in job.moments)
        missing = [(at - missing[0][0], job_id) for at, job_id in missing if (job_id, at) not in rows]
        jobs_now = self.query(f"SELECT job_id, state, next_run_at FROM agentool_jobs WHERE job_id LIKE '{like}%' LIMIT 3")
        return f"{self.verdict(jobs)}; missing {len(missing)}: {missing[:3]}; {states}; {jobs_now}"

    def verdict(self, jobs: Sequence[Due]) -> Verdict:
        like = _prefix(jobs)
        due = {(job.job_id, round(moment.timestamp() * 1e6)) for job in jobs for moment in job.moments}
        rows = self.query(f"SELECT job_id, scheduled_at, status FROM agentool_executions WHERE job_id LIKE '{like}%'")
        found = Counter((job_id, at) for job_id, at, _ in rows)
        done = {(job_id, at) for job_id, at, status in rows if status == "success"}
        starts, ends = self.notes("starts", like), self.notes("ends", like)
        return Verdict(
            expected=len(due),
            lost=len(due - done),
            doubled=sum(number - 1 for number in found.values()) + len(found.keys() - due),
            run_again=sum(number - 1 for number in starts.values()),
            ended_again=sum(number - 1 for number in ends.values()),
        )


def every_second(prefix: str, number: int, times: int, ahead: float = 4.0) -> list[Due]:
    """Return jobs that are due each second, from soon on."""
    first = datetime.fromtimestamp(int(time.time() + ahead) + 1, UTC)
    return [Due(f"{prefix}{index}", first, 1, times) for index in range(number)]


def _prefix(jobs: Sequence[Due]) -> str:
    """Return the letters that the names of these jobs begin with."""
    return jobs[0].job_id.rstrip("0123456789")
