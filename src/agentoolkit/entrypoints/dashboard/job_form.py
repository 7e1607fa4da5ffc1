"""``/new`` and ``/jobs/…/edit``: the form of a job, which is previewed before it is saved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from agentool.errors import AgenToolError
from agentoolkit.entrypoints.dashboard.marks import job_address
from agentoolkit.entrypoints.dashboard.page import View, Viewing, go_to, page_router
from agentoolkit.entrypoints.dashboard.rendering import editable, read_object
from agentoolkit.redaction import restored

_EMPTY = {
    "job_name": "",
    "schedule": "",
    "timezone": "",
    "agentool_name": "",
    "input": "{}",
    "description": "",
    "tags": "",
    "paused": "",
    "like": "",
}

router = page_router("forms")


@router.get("/new")
async def get_new(view: Viewing, like: str = "") -> Response:
    """Show the form of a new job; with `like` a paused copy of another job."""
    given = {**_EMPTY, **await _form_of_job(view, like), "paused": "on", "job_name": f"{like}-copy"} if like else _EMPTY
    return await _form(view, given)


@router.post("/new")
async def post_new(view: Viewing) -> Response:
    """Preview a new job, or schedule it."""
    given = {**_EMPTY, **await view.form()}
    fields, problem = await _read_form(view, given)
    if problem:
        return await _form(view, given, problem=problem)
    is_saved = given.get("do") == "save"
    try:
        data = await view.scheduler("schedule", **fields, paused=True if given["paused"] else None, dry_run=None if is_saved else True)
    except AgenToolError as error:
        return await _form(view, given, problem=str(error))
    return go_to(job_address(data["job_id"])) if is_saved else await _form(view, given, reading=data)


@router.get("/jobs/{job_id}/edit")
async def get_edit(view: Viewing, job_id: str) -> Response:
    """Show the form of an existing job."""
    return await _form(view, {**_EMPTY, **await _form_of_job(view, job_id)}, job_id=job_id)


@router.post("/jobs/{job_id}/edit")
async def post_edit(view: Viewing, job_id: str) -> Response:
    """Preview the changed schedule, or change the job, unless it was changed meanwhile."""
    given = {**_EMPTY, **await view.form()}
    fields, problem = await _read_form(view, {**given, "like": job_id})
    if problem:
        return await _form(view, given, problem=problem, job_id=job_id)
    try:
        if given.get("do") != "save":
            wanted = {"schedule": fields["schedule"], "timezone": fields.get("timezone")}
            return await _form(view, given, reading=await view.scheduler("preview", **wanted, count=10), job_id=job_id)
        always = {"description": given["description"], "tags": _tags(given)}  # empty ones too: they may have been removed
        version = int(given["version"]) if given.get("version", "").isdecimal() and len(given["version"]) < 18 else None
        await view.scheduler("update", job_id=job_id, **{**fields, **always}, version=version)
    except AgenToolError as error:
        return await _form(view, given, problem=str(error), job_id=job_id)
    return go_to(job_address(job_id))


async def _form(
    view: View, given: Mapping[str, str], *, problem: str = "", reading: dict[str, Any] | None = None, job_id: str = ""
) -> Response:
    return await view.page(
        "form.html",
        title=f"Change {job_id}" if job_id else "New job",
        status=422 if problem else 200,
        given=given,
        problem=problem,
        reading=reading,
        job_id=job_id,
        tools=sorted(view.tools.injector.names()),
    )


async def _form_of_job(view: View, job_id: str) -> dict[str, str]:
    """Return the form fields of a job."""
    details = await view.scheduler("get_job", job_id=job_id)
    info = details["info"]
    same = {name: str(info[name]) for name in ("schedule", "timezone", "agentool_name", "description", "version")}
    return {**same, "job_name": details["job_name"], "input": editable(info["input_data"]), "like": job_id, "tags": ", ".join(info["tags"])}


async def _read_form(view: View, given: Mapping[str, str]) -> tuple[dict[str, Any], str]:
    """Return the job's fields in a form, with the secrets of the job that it was filled in from, and a problem if there is one."""
    try:
        input_data = read_object(given["input"] or "{}", "The input")
    except ValueError as error:
        return {}, str(error)
    texts = {name: given[name].strip() for name in ("job_name", "schedule", "timezone", "agentool_name", "description")}
    fields: dict[str, Any] = {name: text for name, text in texts.items() if text}
    if missing := [name for name in ("schedule", "agentool_name") if name not in fields]:
        return {}, f"{'When it is due' if missing[0] == 'schedule' else 'The AgenTool'} is missing."
    if given["like"]:
        like = await view.scheduler("get_job", job_id=given["like"])
        input_data = restored(input_data, like["info"]["input_data"])
    tags = _tags(given)
    return {**fields, "input_data": input_data, **({"tags": tags} if tags else {})}, ""


def _tags(given: Mapping[str, str]) -> list[str]:
    return [tag.strip() for tag in given["tags"].split(",") if tag.strip()]
