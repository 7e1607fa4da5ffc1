"""A plain script with a scheduler in the background: two runs happen while it does something else."""

from __future__ import annotations

import time

from agentoolkit import background
from agentoolkit.settings import Settings


def main() -> None:
    """Schedule, do something else, and look."""
    with background(Settings.from_values({"timezone": "UTC", "log_console": False})) as kit:
        data = {"operation": "send", "message": "tick"}
        job = {"job_name": "tick", "schedule": "every second", "max_runs": 2, "agentool_name": "notification", "input_data": data}
        print(kit.run("scheduler", {"operation": "schedule", **job}).message.partition(",")[0])
        time.sleep(2.5)
        history = kit.run("scheduler", {"operation": "get_history", "job_id": "tick"}).data["history"]
        print([run["status"] for run in history])


if __name__ == "__main__":
    main()
