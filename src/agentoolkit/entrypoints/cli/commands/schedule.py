"""``agentool schedule``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from agentoolkit.entrypoints.cli.options import Allow, Json, Timezone, When, optional


def schedule(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The job's unique name.", show_default=False)],
    when: When,
    tool: Annotated[str, typer.Argument(metavar="TOOL", help="The AgenTool to run; `agentool tools` lists them.", show_default=False)],
    fields: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE", help="Its input; a value is JSON, else text.", show_default=False)
    ] = None,
    input_data: Annotated[str | None, optional("--input", "JSON", "Its input as one JSON object.")] = None,
    schedule_type: Annotated[str | None, optional("--type", "cron|interval|once|after", "What WHEN must be.")] = None,
    timezone: Timezone = None,
    start_at: Annotated[str | None, optional("--start-at", "TIME", "Nothing is due before it.")] = None,
    end_at: Annotated[str | None, optional("--end-at", "TIME", "Nothing is due after it.")] = None,
    exclude: Annotated[list[str] | None, optional("--exclude", "DATES", "Date, range or quiet hours; may be repeated.")] = None,
    jitter: Annotated[float | None, optional("--jitter", "SECONDS", "Spread due times by up to so much.")] = None,
    max_runs: Annotated[int | None, optional("--max-runs", "NUMBER", "Runs after which the job is done.")] = None,
    timeout: Annotated[float | None, optional("--timeout", "SECONDS", "A run that takes longer is cancelled.")] = None,
    max_retries: Annotated[int | None, optional("--max-retries", "NUMBER", "Further attempts after an error.")] = None,
    retry_backoff: Annotated[float | None, optional("--retry-backoff", "SECONDS", "Before the first retry; doubled each time.")] = None,
    max_instances: Annotated[int | None, optional("--max-instances", "NUMBER", "Runs at the same time.")] = None,
    misfire_grace_time: Annotated[int | None, optional("--misfire-grace-time", "SECONDS", "How late a run may start.")] = None,
    overlap: Annotated[
        str | None, optional("--overlap", "skip|queue_one|queue_all|cancel_running|allow", "A due time while a run is under way.")
    ] = None,
    catch_up: Annotated[str | None, optional("--catch-up", "latest|all|none", "Which late due times run.")] = None,
    on_interrupt: Annotated[str | None, optional("--on-interrupt", "retry|fail", "A run whose process ended.")] = None,
    priority: Annotated[str | None, optional("--priority", "critical|high|medium|low", "Which waiting run goes first.")] = None,
    result_queue: Annotated[str | None, optional("--result-queue", "QUEUE", "Where results go.")] = None,
    error_queue: Annotated[str | None, optional("--error-queue", "QUEUE", "Where errors go.")] = None,
    description: Annotated[str | None, optional("--description", "TEXT", "What the job is for.")] = None,
    tags: Annotated[list[str] | None, optional("--tag", "TAG", "A label; may be repeated.")] = None,
    paused: Annotated[bool, typer.Option("--paused", help="Schedule it paused.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Change a job of this name instead of refusing.")] = False,
    allow: Allow = None,
    json: Json = False,
) -> None:
    """Schedule an AgenTool: what to run, and when. The answer says how WHEN was understood."""
    _schedule(**locals())


def _schedule(*, name: str, when: str, tool: str, fields: list[str] | None, allow: list[str] | None, json: bool, **options: Any) -> None:
    from agentoolkit.entrypoints.cli.opening import ask
    from agentoolkit.entrypoints.cli.printing import print_json

    input_data = _input(options.pop("input_data"), fields or [])
    given = {option: value for option, value in options.items() if value is not None and value is not False}
    data = ask("schedule", allow=allow or [], job_name=name, schedule=when, agentool_name=tool, input_data=input_data, **given)
    if json:
        print_json(data)
    else:
        _show(data)


def _input(whole: str | None, fields: list[str]) -> dict[str, Any]:
    from agentoolkit.entrypoints.cli.inputs import read_fields, read_object

    return {**(read_object(whole) if whole else {}), **read_fields(fields)}


def _show(data: dict[str, Any]) -> None:
    from agentoolkit.entrypoints.cli.printing import say
    from agentoolkit.entrypoints.cli.timing import print_timing

    done = "Scheduled" if data["created"] else "Changed" if data["changed"] else "Already there:"
    say(f"{done} {data['job_id']}{', paused' if data['state'] == 'paused' else ''}")
    print_timing(data, count=3)
