"""``agentool worker``: carry out what a scheduler elsewhere sends, by Celery or RQ."""

from __future__ import annotations

from typing import Annotated

import typer

from agentoolkit.entrypoints.cli.garbage_while_loading import collect_as_usual
from agentoolkit.entrypoints.cli.options import Allow


def worker(
    queues: Annotated[
        list[str] | None,
        typer.Argument(metavar="QUEUE", help="Queues to take from, as jobs name them; the common one by default.", show_default=False),
    ] = None,
    rq: Annotated[bool, typer.Option("--rq", help="A worker of RQ; without it one of Celery.")] = False,
    app: Annotated[
        str | None,
        typer.Option(
            "--app",
            metavar="MODULE",
            help="Module of Celery tasks, or whose function `register`, or MODULE:FUNCTION, registers AgenTools, as AGENTOOL_PLUGINS does.",
            show_default=False,
        ),
    ] = None,
    pool: Annotated[str, typer.Option("--pool", help="Of Celery: prefork, threads or solo. Of RQ: prefork or solo.")] = "prefork",
    concurrency: Annotated[
        int | None, typer.Option("--concurrency", metavar="N", help="Processes or threads of Celery; as many as cores by default.", min=1)
    ] = None,
    events: Annotated[
        bool, typer.Option("--task-events", "-E", help="Of Celery: send an event of each message, which Flower shows, from the beginning.")
    ] = False,
    allow: Allow = None,
) -> None:
    """Carry out jobs for a scheduler elsewhere, as a worker of Celery or RQ, until Ctrl-C."""
    from agentoolkit.entrypoints.cli.run_workers import WorkerOptions, run_celery_worker, run_rq_worker

    collect_as_usual()
    options = WorkerOptions(tuple(queues or ()), app, pool, concurrency, events)
    (run_rq_worker if rq else run_celery_worker)(options, allow or [])
