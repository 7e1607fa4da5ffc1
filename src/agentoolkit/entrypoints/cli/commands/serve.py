"""Commands for processes that run jobs: serve, worker."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agentoolkit.entrypoints.cli.options import Allow
from agentoolkit.entrypoints.cli.quick_start import collect_as_usual


def serve(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            help="Task file in YAML. Without it: the kept jobs, or the bundled example if there are none and no setting names a database.",
            show_default=False,
        ),
    ] = None,
    allow: Allow = None,
    memory: Annotated[bool, typer.Option("--memory", help="Keep nothing; without it jobs and their history outlive the process.")] = False,
    kept: Annotated[bool, typer.Option("--kept", help="Serve the kept jobs, also if there are none yet.")] = False,
    seconds: Annotated[
        float | None, typer.Option("--for", metavar="SECONDS", help="Stop by itself after this time.", min=0.0, show_default=False)
    ] = None,
    http: Annotated[
        str | None,
        typer.Option("--http", metavar="HOST:PORT", help="Serve the REST API there as well, e.g. 127.0.0.1:8000.", show_default=False),
    ] = None,
) -> None:
    """Schedule the tasks of a file, run the due jobs and print each execution, until Ctrl-C."""
    from agentoolkit.entrypoints.cli.serving import serve_file

    serve_file(file, allow or [], seconds, memory=memory, http=http, kept=kept)


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
    name: Annotated[
        str,
        typer.Option("--name", metavar="NAME", help="Of Celery: its name before '@' and the host. Several on one machine need one each."),
    ] = "celery",
    allow: Allow = None,
) -> None:
    """Run jobs for a scheduler elsewhere, as a worker of Celery or RQ, until Ctrl-C."""
    from agentoolkit.entrypoints.cli.run_workers import WorkerOptions, run_celery_worker, run_rq_worker

    collect_as_usual()
    options = WorkerOptions(tuple(queues or ()), app, pool, concurrency, events, name)
    (run_rq_worker if rq else run_celery_worker)(options, allow or [])
