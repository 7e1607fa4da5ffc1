"""``/new`` and ``/jobs/…/edit``: the form of a job, which is previewed before it is saved."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from starlette.responses import Response

from agentool.errors import AgenToolError
from agentoolkit.entrypoints.dashboard.addresses import job_address
from agentoolkit.entrypoints.dashboard.page import WRITES, Viewer, Viewing, go_to, page_router
from agentoolkit.entrypoints.dashboard.rendering import editable, read_object
from agentoolkit.redaction import restored
from agentoolkit.system.scheduler.job_fields import options_of
from agentoolkit.text import name_call

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

_NEEDED = {"schedule": "When it is due", "agentool_name": "The AgenTool"}
"""Fields without which there is no job, and what the form calls them."""

router = page_router("forms")


class Others(NamedTuple):
    """The fields of a job that the form shows without a place to change them."""

    fields: Mapping[str, Any]
    dropped: Collection[str] = ()
    """Those that are to be left out."""

    @property
    def kept(self) -> dict[str, Any]:
        """Return those that stay."""
        return {name: value for name, value in self.fields.items() if name not in self.dropped}


NO_OTHERS = Others({})


@router.get("/new", openapi_extra=WRITES)
async def get_new(viewer: Viewing, like: str = "") -> Response:
    """Show the form of a new job; with `like` a paused copy of another job."""
    if not like:
        return await _form(viewer, _EMPTY, NO_OTHERS)
    details = await viewer.scheduler("get_job", job_id=like)
    given = {**_EMPTY, **_form_of_job(details), "paused": "on", "job_name": f"{details['job_name']}-copy"}
    return await _form(viewer, given, Others(options_of(details["info"])))


@router.post("/new")
async def post_new(viewer: Viewing) -> Response:
    """Preview a new job, or schedule it."""
    sent = await viewer.form_items()
    given = {**_EMPTY, **dict(sent)}
    like = (await viewer.scheduler("get_job", job_id=given["like"]))["info"] if given["like"] else None
    others = Others(options_of(like), _dropped(sent)) if like else NO_OTHERS
    is_saved = given.get("do") == "save"
    try:
        fields = {**others.kept, **_with_operation(viewer, _read_form(given, like))}
        data = await viewer.scheduler("schedule", **fields, paused=True if given["paused"] else None, dry_run=None if is_saved else True)
    except (AgenToolError, ValueError) as error:
        return await _form(viewer, given, others, problem=_in_form_words(error))
    return go_to(job_address(data["job_id"])) if is_saved else await _form(viewer, given, others, reading=data)


@router.get("/jobs/{job_id}/edit", openapi_extra=WRITES)
async def get_edit(viewer: Viewing, job_id: str) -> Response:
    """Show the form of an existing job."""
    details = await viewer.scheduler("get_job", job_id=job_id)
    return await _form(viewer, {**_EMPTY, **_form_of_job(details)}, Others(options_of(details["info"])), job_id=job_id)


@router.post("/jobs/{job_id}/edit")
async def post_edit(viewer: Viewing, job_id: str) -> Response:
    """Preview the changed job, or change it, unless it was changed meanwhile."""
    sent = await viewer.form_items()
    given = {**_EMPTY, **dict(sent)}
    info = (await viewer.scheduler("get_job", job_id=job_id))["info"]
    others = Others(options_of(info), _dropped(sent))
    is_saved = given.get("do") == "save"
    version = int(given["version"]) if given.get("version", "").isdecimal() and len(given["version"]) < 18 else None
    try:
        fields = _with_operation(viewer, _read_form(given, info))
        emptied = [name for name in ("timezone", "description", "tags") if name not in fields]
        clear = [*emptied, *(name for name in others.fields if name in others.dropped)]
        data = await viewer.scheduler(
            "update", job_id=job_id, **fields, clear=clear or None, version=version, dry_run=None if is_saved else True
        )
    except (AgenToolError, ValueError) as error:
        return await _form(viewer, given, others, problem=_in_form_words(error), job_id=job_id)
    return go_to(job_address(job_id)) if is_saved else await _form(viewer, given, others, reading=data, job_id=job_id)


async def _form(
    viewer: Viewer,
    given: Mapping[str, str],
    others: Others,
    *,
    problem: str = "",
    reading: dict[str, Any] | None = None,
    job_id: str = "",
) -> Response:
    return await viewer.page(
        "form.html",
        title=f"Change {job_id}" if job_id else "New job",
        status=422 if problem else 200,
        given=given,
        problem=problem,
        reading=reading,
        job_id=job_id,
        others=others,
        tools=sorted(viewer.tools.injector.names()),
    )


def _form_of_job(details: Mapping[str, Any]) -> dict[str, str]:
    """Return the form fields of a job."""
    info = details["info"]
    same = {name: str(info[name]) for name in ("schedule", "timezone", "agentool_name", "description", "version")}
    written = {"input": editable(info["input_data"]), "tags": ", ".join(info["tags"])}
    return {**same, **written, "job_name": details["job_name"], "like": details["job_id"]}


def _read_form(given: Mapping[str, str], like: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the fields of a job that are filled in.

    Args:
        given: The form.
        like: The job that the form was filled in from; it has the secrets that the form hides.

    Raises:
        ValueError: A field is missing, or the input is not JSON; the message says so.
    """
    input_data = read_object(given["input"] or "{}", "The input")
    texts = {name: given[name].strip() for name in ("job_name", "schedule", "timezone", "agentool_name", "description")}
    fields: dict[str, Any] = {name: text for name, text in texts.items() if text}
    for name, said in _NEEDED.items():
        if name not in fields:
            raise ValueError(f"{said} is missing.")
    if like:
        input_data = restored(input_data, like["input_data"])
    if tags := [tag.strip() for tag in given["tags"].split(",") if tag.strip()]:
        fields["tags"] = tags
    return {**fields, "input_data": input_data}


def _with_operation(viewer: Viewer, fields: dict[str, Any]) -> dict[str, Any]:
    """Add the operation to the input if its AgenTool has only one, as the command line does."""
    name, injector = fields["agentool_name"], viewer.tools.injector
    return {**fields, "input_data": injector.get(name).with_operation(fields["input_data"])} if name in injector else fields


def _in_form_words(error: Exception) -> str:
    """Return the text of an error with the fields of the input by their own names."""
    return name_call(str(error), "`agentool tools {0}` shows what it takes.").replace("input_data.", "")


def _dropped(sent: Sequence[tuple[str, str]]) -> list[str]:
    """Return the names of the other fields that are to be left out."""
    return [value for name, value in sent if name == "drop"]
