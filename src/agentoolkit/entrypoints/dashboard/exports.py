"""``/export/jobs.csv`` and similar: a filtered list as a CSV or JSON file."""

from __future__ import annotations

import json
from typing import Literal

from starlette.responses import Response

from agentoolkit.csv_text import csv_text
from agentoolkit.entrypoints.dashboard.lists import Filters, find_all
from agentoolkit.entrypoints.dashboard.page import Viewing, page_router
from agentoolkit.redaction import redacted
from agentoolkit.system.scheduler.answer_schemas import ExecutionInfo, JobSummary

MAX_EXPORTED = 10_000
"""Lines of one file at most."""

router = page_router("exports")


@router.get("/export/{page}.{kind}")
async def export(
    viewer: Viewing,
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
    filters, record_type = (
        (Filters("job", q, state), JobSummary) if page == "jobs" else (Filters("execution", q, status, job), ExecutionInfo)
    )
    found = await find_all(viewer, filters.noun, filters.wanted, MAX_EXPORTED)
    columns = [name for name in record_type.model_fields if name != "result"]
    lines = [redacted({name: record[name] for name in columns}) for record in found]
    text, media = json.dumps(lines, indent=1, ensure_ascii=False), "application/json"
    if kind == "csv":
        text, media = csv_text(lines, columns), "text/csv"
    headers = {
        "Content-Disposition": f'attachment; filename="{page}.{kind}"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(text, media_type=f"{media}; charset=utf-8", headers=headers)
