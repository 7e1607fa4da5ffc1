"""``python -m bench.faults``: the long form of the fault tests, and one figure for each fault. Takes about ten minutes.

The faults are numbered as in the plan of the fault tests; the tests themselves note the figures.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

FAULTS = {
    1: "kill -9 at random, SQLite",
    2: "kill -9 at named points",
    3: "kill -9, four processes on PostgreSQL",
    4: "failover of the leader",
    5: "a leader that sleeps past its lease",
    6: "every database call fails once",
    7: "PostgreSQL away",
    8: "connections cut during a commit",
    9: "a broker that is stopped, or comes back empty",
    10: "workers killed in the middle",
    11: "a message that comes again",
    12: "a handler that kills its process",
    13: "a row that somebody damaged",
    14: "a trigger that raises, or stands still",
    15: "event loop blocked",
    16: "handler slower than its interval",
    17: "wall clock jumps",
    18: "changes of clocks",
    19: "seven days down, interval of one second",
    20: "disk full, then freed",
    21: "a database that cannot be opened",
    22: "SIGTERM under load",
    23: "SIGTERM twice",
    24: "long use",
    25: "10,000 jobs in one second",
    26: "two processes on one SQLite file",
    29: "shell: children that ignore SIGTERM",
    30: "state machine",
    31: "rows of an older version",
    32: "interleavings, enumerated",
    33: "life cycle against its model",
    34: "processes in PID namespaces",
    35: "schedulers and workers, one killed every 20 s",
}
TESTS = [
    "tests/acceptance",
    "tests/contracts/test_workers.py",
    "tests/fleet",
    "tests/interleavings",
    "tests/services",
    "tests/agentoolkit/test_scheduler_faults.py",
    "tests/schedules/test_clock_changes.py",
    "tests/actions/test_shell.py",
]
ROOT = Path(__file__).parents[1]


def main(arguments: list[str]) -> int:
    """Run the tests of `arguments`, by default all, in their long form, and print what they noted."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "figures"
        settings = {"AGENTOOL_FULL": "1", "AGENTOOL_EXAMPLES": os.environ.get("AGENTOOL_EXAMPLES", "300"), "AGENTOOL_FIGURES": str(path)}
        tests = arguments or TESTS
        command = [sys.executable, "-m", "pytest", "-q", *tests]
        code = subprocess.run(command, cwd=ROOT, env={**os.environ, **settings}, check=False).returncode
        noted: defaultdict[int, list[str]] = defaultdict(list)
        for line in path.read_text().splitlines() if path.exists() else ():
            number, figure = json.loads(line)
            noted[number].append(figure)
    for number, figures in sorted(noted.items()):
        print(f"\n{number:>2}  {FAULTS.get(number, '')}")
        for figure in figures:
            print(f"    {figure}")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
