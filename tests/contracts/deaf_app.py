"""A module of tasks whose worker hears nothing any more once it has started, unless it has been so before."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from celery import signals

from agentoolkit.entrypoints import deaf_workers

deaf_workers.LOOK_SECONDS = 0.3


@signals.worker_ready.connect
def deafen(sender: Any, **_: object) -> None:
    mark = Path(os.environ["DEAF_MARK"])
    if not mark.exists():
        mark.touch()
        sender.task_consumer.cancel()  # behind Celery's back, as a connection does that brings nothing
