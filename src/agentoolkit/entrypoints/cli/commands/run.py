"""``agentool run``."""

from __future__ import annotations

from typing import Annotated

from agentoolkit.entrypoints.cli.options import Allow, Job, Json, optional


def run(
    job: Job,
    input_data: Annotated[str | None, optional("--input", "JSON", "Another input for this once, as a JSON object.")] = None,
    timeout: Annotated[float | None, optional("--timeout", "SECONDS", "A run that takes longer is cancelled.")] = None,
    allow: Allow = None,
    json: Json = False,
) -> None:
    """Run a job now, in this process, and print its result."""
    from agentoolkit.entrypoints.cli.inputs import read_object
    from agentoolkit.entrypoints.cli.opening import ask
    from agentoolkit.entrypoints.cli.printing import print_json, say_lines

    known = ask("get_job", job_id=job)["job_id"]  # operation run_now takes an unknown id for a new one
    given = read_object(input_data) if input_data else None
    data = ask("run_now", allow=allow or [], job_id=known, input_data=given, timeout=timeout)
    if json:
        print_json(data)
    elif isinstance(data["result"], str):
        say_lines(data["result"])
    else:
        print_json(data["result"])
