"""The clock of a process that only visits a store: there when something is to ring, and not before."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta

from agentoolkit.system.scheduler.engine.clock_interface import VisitorsAlarms
from agentoolkit.testing import ManualTime

START = datetime(2030, 1, 1, tzinfo=UTC)


async def test_a_visitors_retry_rings():
    """As the first alarm that it has, at its time, and no more once it has ended."""
    time, rung = ManualTime(START), list[str]()
    alarms = VisitorsAlarms(time)
    alarms.on_due = rung.extend
    alarms.start()
    alarms.set_alarm("job", None)
    alarms.set_alarm("job@1", START + timedelta(seconds=5))
    await time.advance(seconds=4)
    assert rung == []
    await time.advance(seconds=2)
    assert rung == ["job@1"]
    alarms.set_alarm("job@2", START + timedelta(seconds=10))
    alarms.shutdown(wait=False)
    await time.advance(seconds=20)
    assert (rung, alarms.running) == (["job@1"], False)


def test_a_command_that_lists_jobs_loads_no_apscheduler(tmp_path):
    """Neither APScheduler nor the process pools that it brings: they would be a sixth of the command's time."""
    code = """
import sys
from agentoolkit.entrypoints.cli.session import ask
from agentoolkit.system.scheduler.answer_schemas import JobList
ask(JobList, "list")
print(*{"apscheduler", "multiprocessing", "fastapi", "mcp"}.intersection(name.partition(".")[0] for name in sys.modules))
"""
    environment = {"AGENTOOL_DATABASE": str(tmp_path / "a.db"), "PATH": "/usr/bin"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
