"""Commands that import jobs from elsewhere, and export and import the whole database."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentoolkit.entrypoints.cli.errors import ReportingCommand
from agentoolkit.entrypoints.cli.examples import example_of
from agentoolkit.entrypoints.cli.options import optional

if TYPE_CHECKING:
    from agentoolkit.transfer import Translation

import_app = typer.Typer(name="import", help="Take over jobs from elsewhere.", no_args_is_help=True)

STAYS_BEHIND = (
    "jobs that were cancelled, the audit and tokens, events, and conversations, approvals and spending of agents are not among it: "
    "they stay in this database"
)

Source = Annotated[Path, typer.Argument(metavar="FILE", help="The file, or - for stdin.", show_default=False)]


def export(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write there instead of to stdout.", show_default=False)
    ] = None,
) -> None:
    """Write what goes on elsewhere as JSON lines: jobs, executions, undelivered outcomes, queues and values.

    Cancelled jobs, the audit and tokens stay behind. So do events, and conversations, approvals and spending of agents.
    """
    from contextlib import nullcontext

    from agentool.errors import InvalidInput
    from agentoolkit.entrypoints.cli.errors import tell
    from agentoolkit.entrypoints.cli.printing import say
    from agentoolkit.entrypoints.cli.session import Toolkit, visit
    from agentoolkit.entrypoints.cli.terminal import write_json_text
    from agentoolkit.text import counted
    from agentoolkit.text_files import replace_text
    from agentoolkit.transfer import Everything, export_lines

    async def write(kit: Toolkit) -> int:
        written = 0
        with replace_text(output) if output else nullcontext() as file:
            held = Everything(kit.scheduler.store, kit.queue.backend, kit.values)
            write = file.write if file else write_json_text
            async for line in export_lines(held, kit.scheduler.now()):
                write(line + "\n")
                written += 1
        return written

    if output and not output.absolute().parent.is_dir():
        raise InvalidInput(f"There is no folder {output.absolute().parent}.", field="output", value=str(output))
    written = visit(write)
    tell(STAYS_BEHIND)
    if output:
        say(f"Wrote {counted(written, 'line')} to {output}.")


@import_app.command(cls=ReportingCommand, epilog=example_of("crontab"))
def crontab(
    file: Source,
    shell: Annotated[bool, typer.Option("--shell", help="Run commands that need a shell with `sh -c`; sh must be allowed.")] = False,
    log: Annotated[bool, typer.Option("--log", help="Write output into the log where it went to a file.")] = False,
    notify: Annotated[
        str | None, optional("--notify", "TARGET", "Where to notify of failures, if MAILTO is set: 'log' or a service.")
    ] = None,
    user_column: Annotated[
        bool | None,
        typer.Option(
            "--user-column/--no-user-column",
            help="Is there a column of users? Guessed by default.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Print a crontab as a task file. Lines that could not be translated are named on stderr."""
    from agentoolkit.entrypoints.cli.printing import present
    from agentoolkit.transfer import CrontabOptions, read_crontab

    if user_column is None and str(file.absolute()).startswith(("/etc/crontab", "/etc/cron.d/")):
        user_column = True
    options = CrontabOptions(shell, log, notify, user_column)
    _print_translation(read_crontab(_content(file), now=present(), options=options))


@import_app.command("scheduler-tasks", cls=ReportingCommand, epilog=example_of("scheduler-tasks"))
def scheduler_tasks(file: Source) -> None:
    """Print a scheduler_tasks.json as a task file. Tasks that could not be translated are named on stderr."""
    from agentoolkit.entrypoints.cli.printing import present
    from agentoolkit.transfer import read_scheduler_tasks

    _print_translation(read_scheduler_tasks(_content(file), now=present()))


@import_app.command(cls=ReportingCommand, epilog=example_of("jsonl"))
def jsonl(file: Source) -> None:
    """Add the records of an `agentool export` to the database. A second time adds nothing. The exit code is 1 if a job was left out."""
    from agentoolkit.entrypoints.cli.errors import FAILURE, tell
    from agentoolkit.entrypoints.cli.printing import say
    from agentoolkit.entrypoints.cli.session import Toolkit, visit
    from agentoolkit.text import counted
    from agentoolkit.text_files import decode_text
    from agentoolkit.transfer import Arrived, Everything, import_lines

    lines = decode_text(_content(file), str(file)).split("\n")  # texts may contain other line breaks

    async def read(kit: Toolkit) -> Arrived:
        return await import_lines(Everything(kit.scheduler.store, kit.queue.backend, kit.values), lines, kit.scheduler.now())

    added = visit(read)
    say(
        f"Added {counted(added.jobs, 'job')}, {counted(added.executions, 'execution')}, "
        f"{counted(added.outcomes, 'outcome')} to be delivered, {counted(added.queues, 'queue')}, "
        f"{counted(added.messages, 'message')} and {counted(added.values, 'value')}."
    )
    for job_id in added.left_out:
        tell(f"job {job_id} was left out, with its executions: another one has its id or name, or it would come after itself")
    raise typer.Exit(FAILURE if added.left_out else 0)


def _content(file: Path) -> bytes:
    import sys

    from agentool.errors import InvalidInput

    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror}.", field="file", value=str(file)) from error


def _print_translation(translation: Translation) -> None:
    """Print the task file, and the notes on stderr. The exit code is 1 if an entry was left out."""
    import sys

    from agentoolkit.entrypoints.cli.errors import FAILURE, tell
    from agentoolkit.entrypoints.cli.terminal import writes_utf8
    from agentoolkit.transfer import as_task_file

    text = as_task_file(translation)
    sys.stdout.write(text if writes_utf8() else as_task_file(translation, ascii_only=True))
    for note in translation.notes:
        tell(f"{note.where}{': not translated' if note.refused else ''}: {note.told}")
    for setting in _settings_to_serve(text):
        tell(f"before you serve it: {setting}")
    raise typer.Exit(0 if translation.is_complete else FAILURE)


def _settings_to_serve(text: str) -> list[str]:
    """Return the ``export`` lines that a task file needs, so that `agentool serve` refuses none of its tasks."""
    import asyncio

    from agentoolkit.entrypoints.cli.apply_tasks import check_tasks
    from agentoolkit.entrypoints.cli.missing_settings import missing_settings
    from agentoolkit.entrypoints.cli.session import Toolkit, settings_for
    from agentoolkit.entrypoints.taskfile import read_tasks

    async def check() -> list[str]:
        async with Toolkit(settings_for(memory=True), runs_jobs=False) as kit:
            return missing_settings(error for _, error in await check_tasks(kit.injector, read_tasks(text)))

    return asyncio.run(check())
