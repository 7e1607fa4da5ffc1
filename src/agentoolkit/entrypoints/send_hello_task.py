"""``python -m agentoolkit.entrypoints.send_hello_task --name NAME``: test whether a worker answers.

Source: *Scheduler Service*, "Running Tasks".
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence

from agentool.errors import AgenToolError
from agentoolkit.redaction import redacted_text
from agentoolkit.setting_groups import CELERY_HELLO
from agentoolkit.settings import Settings
from agentoolkit.wiring import Toolkit

PATIENCE = 10.0
"""Seconds to wait for an answer."""


async def send_hello(name: str) -> str:
    """Send the task to the workers, and return a sentence with the answer, or that the task was sent.

    Raises:
        AgenToolError: The task cannot be sent, or has failed.
        TimeoutError: No worker answered in time.
    """
    kit = Toolkit(_settings(), runs_jobs=False)
    client = kit.injector.get("celery_task").deps
    client.check(CELERY_HELLO)
    await asyncio.to_thread(client.check_broker)
    async with asyncio.timeout(PATIENCE):
        sent = await kit.injector.run("celery_task", {"operation": "send", "task": CELERY_HELLO, "kwargs": {"name": name}})
    if sent.state == "SENT":
        return f"Task {CELERY_HELLO} was sent as {sent.task_id}. Set CELERY_RESULT_BACKEND to be told what it answers."
    return f"Task {CELERY_HELLO} answered: {sent.result}"


def _settings() -> Settings:
    """Return settings that allow this task, whatever other tasks may be sent: who starts this program may greet."""
    settings = Settings().or_local_redis()
    return settings.model_copy(update={"celery": settings.celery.model_copy(update={"tasks": (CELERY_HELLO,)})})


def main(arguments: Sequence[str] | None = None) -> int:
    """Send the task, and print the result."""
    parser = argparse.ArgumentParser(prog="send_hello_task", description="Send a task to Celery's workers, to see whether one answers.")
    parser.add_argument("--name", default="World", help="whom to greet")
    try:
        sys.stdout.write(asyncio.run(send_hello(parser.parse_args(arguments).name)) + "\n")
    except TimeoutError:
        broker = _settings().celery.broker
        where = redacted_text(broker.get_secret_value()) if broker else ""
        sys.stderr.write(f"No worker has answered within {PATIENCE:g} s at {where}. Start one: agentool worker\n")
        return 1
    except AgenToolError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
