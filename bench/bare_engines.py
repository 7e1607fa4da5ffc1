"""What bare Celery runs beside us: nothing, counted in Redis; or nothing, with one row of history committed on PostgreSQL."""

from __future__ import annotations

import os

from celery import Celery

from bench import bare_rq

app = Celery("bare", broker=os.environ.get("BENCH_BROKER"))
app.conf.update(
    task_default_queue="bare",
    task_serializer="json",
    accept_content=["json"],
    task_acks_late=True,
    worker_prefetch_multiplier=50,
    task_ignore_result=True,
)
if os.environ.get("BENCH_QUEUE_TYPE") == "quorum":
    app.conf.update(task_default_queue_type="quorum", worker_detect_quorum_queues=True)


@app.task(name="bare.counted")
def counted(number: int) -> None:
    """See `bare_rq.counted`."""
    bare_rq.counted(number)


@app.task(name="bare.noted")
def noted(number: int) -> None:
    """See `bare_rq.noted`."""
    bare_rq.noted(number)
