"""``agentool tasks``: plan and apply a task file, and print its schema for editors."""

from __future__ import annotations

from typing import Annotated

import typer

from agentoolkit.entrypoints.cli.errors import DIFFERENCE, ReportingCommand, ReportingGroup
from agentoolkit.entrypoints.cli.examples import example_of
from agentoolkit.entrypoints.cli.options import Allow, Json, TaskFile

tasks_app = typer.Typer(cls=ReportingGroup, name="tasks", help="Task files: plan, apply, schema.", no_args_is_help=True)

Prune = Annotated[bool, typer.Option("--prune", help="Cancel jobs that this file has created and does not name any more.")]


@tasks_app.command(cls=ReportingCommand, epilog=example_of("plan"))
def plan(file: TaskFile, prune: Prune = False, allow: Allow = None, json: Json = False) -> None:
    """Show the changes that `apply` would make. The exit code is 2 if there are any."""
    from agentoolkit.entrypoints.cli.plan_tasks import PlannedChange, jobs_left, plan_tasks, print_plan
    from agentoolkit.entrypoints.cli.printing import print_json
    from agentoolkit.entrypoints.cli.session import Toolkit, visit
    from agentoolkit.entrypoints.taskfile import load_tasks

    tasks = load_tasks(file)

    async def planned(kit: Toolkit) -> list[PlannedChange]:
        steps = await plan_tasks(kit.injector, tasks, (), prune=False)
        left = await jobs_left(kit.injector, file, [step.job_id for step in steps]) if prune else []
        return [*steps, *await plan_tasks(kit.injector, (), left, prune=prune)]

    steps = visit(planned, allow or [])
    if json:
        print_json([step._asdict() for step in steps])
    else:
        print_plan(steps)
    raise typer.Exit(DIFFERENCE if any(step.action != "keep" for step in steps) else 0)


@tasks_app.command(cls=ReportingCommand, epilog=example_of("apply"))
def apply(file: TaskFile, prune: Prune = False, allow: Allow = None) -> None:
    """Create or update the jobs of a task file, for a process that serves the database. A second call changes nothing."""
    from agentoolkit.entrypoints.cli.apply_tasks import Applied, apply_tasks, task_lines
    from agentoolkit.entrypoints.cli.plan_tasks import cancel_jobs, jobs_left, remember_jobs
    from agentoolkit.entrypoints.cli.printing import say
    from agentoolkit.entrypoints.cli.progress import progress
    from agentoolkit.entrypoints.cli.session import Toolkit, visit
    from agentoolkit.entrypoints.taskfile import load_tasks

    tasks = load_tasks(file)

    async def put(kit: Toolkit) -> tuple[list[Applied], list[str]]:
        with progress("applied", len(tasks)) as advance:
            applied = list(await apply_tasks(kit.injector, tasks, advance))
        own = [task.job_id for task in applied]
        left = await jobs_left(kit.injector, file, own)
        if prune:
            await cancel_jobs(kit.injector, left)
        await remember_jobs(kit.injector, file, own if prune else [*own, *left])
        return applied, left

    applied, left = visit(put, allow or [])
    for line in task_lines(applied):
        say(line)
    for job_id in left:
        say(f"  {job_id} {'cancelled' if prune else 'kept'}: not in {file.name} any more{'' if prune else '; --prune cancels it'}")


@tasks_app.command(cls=ReportingCommand, epilog=example_of("schema"))
def schema() -> None:
    """Print the JSON Schema of task files, for editors that complete and check them."""
    from agentoolkit.entrypoints.cli.printing import print_json
    from agentoolkit.entrypoints.taskfile_schema import task_file_schema

    print_json(task_file_schema())
