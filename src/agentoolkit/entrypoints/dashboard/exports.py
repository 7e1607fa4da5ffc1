"""``/export/jobs.csv`` and similar: a filtered list as a CSV or JSON file."""

from __future__ import annotations

import json
from typing import Literal

from starlette.responses import Response

from agentoolkit.csv_text import csv_text
from agentoolkit.entrypoints.dashboard.lists import find_all
from agentoolkit.entrypoints.dashboard.page import Viewing, page_router
from agentoolkit.redaction import redacted

MAX_EXPORTED = 10_000
"""Lines of one file at most."""

router = page_router("exports")


@router.get("/export/{page}.{kind}")
async def export(
    view: Viewing,
    page: Literal["jobs", "executions"],
    kind: Literal["csv", "json"],
    q: str = "",
    state: str = "",
    status: str = "",
    job: str = "",
) -> Response:
    """Send the jobs or executions of a list, from all of its pages, ten thousand at most.

    Secrets are hidden. In CSV, values other than text and numbers are JSON, and no cell is a formula for a spreadsheet.
    """
    if page == "jobs":
        found = await find_all(view, "job", {"query": q} if q else {"job_status": state or None}, MAX_EXPORTED)
    else:
        wanted = {"query": q} if q else {"execution_status": status or None, "job_id": job or None}
        found = await find_all(view, "execution", wanted, MAX_EXPORTED)
    lines = [redacted({name: value for name, value in record.items() if name != "result"}) for record in found]
    text, media = json.dumps(lines, indent=1, ensure_ascii=False), "application/json"
    if kind == "csv":
        text, media = csv_text(lines, list(lines[0])) if lines else "", "text/csv"
    headers = {
        "Content-Disposition": f'attachment; filename="{page}.{kind}"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(text, media_type=f"{media}; charset=utf-8", headers=headers)
