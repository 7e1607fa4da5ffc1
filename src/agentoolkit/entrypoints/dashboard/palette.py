"""``/palette``: find jobs and actions on them by the keyboard."""

from __future__ import annotations

from urllib.parse import urlencode

from pydantic import BaseModel

from agentoolkit.entrypoints.dashboard.actions import ACTIONS
from agentoolkit.entrypoints.dashboard.addresses import job_address
from agentoolkit.entrypoints.dashboard.lists import find_page
from agentoolkit.entrypoints.dashboard.page import Viewing, page_router

OFFERED = 8

router = page_router("palette")


class Offer(BaseModel):
    """A page to go to."""

    name: str
    address: str


@router.get("/palette")
async def get_palette(viewer: Viewing, q: str = "") -> list[Offer]:
    """Return the jobs with a text in their names; after a verb, as in ``pause nightly``, the pages that ask for that action."""
    verb, _, rest = q.replace('"', "").strip().partition(" ")
    action = ACTIONS.get(verb.lower())
    does = action is not None and action.noun == "job" and viewer.may("write") and bool(rest)
    text = rest if does else f"{verb} {rest}".strip()
    if not text:
        return []
    jobs, _ = await find_page(viewer, "job", {"query": f'job:"*{text}*"'}, OFFERED)
    if does and action is not None:
        return [
            Offer(name=f"{action.verb} {job['job_name']}…", address=f"/act?{urlencode({'do': verb.lower(), 'job': job['job_id']})}")
            for job in jobs
        ]
    return [Offer(name=job["job_name"], address=job_address(job["job_id"])) for job in jobs]
