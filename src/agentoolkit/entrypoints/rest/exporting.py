"""``/export``: stream all matching tasks or executions as JSON lines or CSV."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Annotated, Any, Literal, NamedTuple

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import StreamingResponse

from agentoolkit.csv_text import csv_lines, csv_text
from agentoolkit.entrypoints.rest.models import LISTED_FIELDS, TaskExecution, execution_of, task_of_summary
from agentoolkit.entrypoints.rest.request_tools import RequestTools, Tools
from agentoolkit.entrypoints.rest.routing import guarded_router
from agentoolkit.paging import all_pages

router = guarded_router("export")

PAGE = 1_000
"""Records that one call of the scheduler returns."""
_MEDIA = {"jsonl": "application/jsonl", "csv": "text/csv"}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"content": {media: {"schema": {"type": "string"}} for media in _MEDIA.values()}, "description": "One record a line"}
}


class Exported(NamedTuple):
    """A kind of exported record: the operation that lists it, and the model of a line."""

    name: str
    operation: str
    records: str
    line: Callable[[dict[str, Any]], BaseModel]
    columns: Sequence[str]
    """Of a CSV: what lists leave out has none."""


class RecordPage(NamedTuple):
    """One page of records."""

    records: list[dict[str, Any]]
    cursor: str | None


_RUN_COLUMNS = [name for name in TaskExecution.model_fields if name not in ("result", "output")]
TASKS = Exported("tasks", "list", "jobs", task_of_summary, LISTED_FIELDS)
EXECUTIONS = Exported("executions", "list_executions", "history", execution_of, _RUN_COLUMNS)


class ExportQuery(BaseModel):
    """Selects the exported records and their format."""

    model_config = ConfigDict(extra="forbid")

    query: str | None = Field(default=None, max_length=500, description="Only matching records", examples=["status:failed since:24h"])
    format: Literal["jsonl", "csv"] = "jsonl"


@router.get("/export/tasks", response_class=StreamingResponse, responses=_RESPONSES)
async def export_tasks(asked: Annotated[ExportQuery, Query()], tools: RequestTools) -> StreamingResponse:
    """Return all matching tasks, the oldest first."""
    return await _export(TASKS, asked, tools)


@router.get("/export/executions", response_class=StreamingResponse, responses=_RESPONSES)
async def export_executions(asked: Annotated[ExportQuery, Query()], tools: RequestTools) -> StreamingResponse:
    """Return all matching executions, the latest due first, without their results, which may be large."""
    return await _export(EXECUTIONS, asked, tools)


def all_records(kind: Exported, tools: Tools, query: str | None) -> AsyncGenerator[RecordPage]:
    """Yield all records of a kind that match a query, in pages."""
    more = {} if kind is TASKS else {"with_results": False}

    async def ask(cursor: str | None) -> RecordPage:
        data = await tools.scheduler(kind.operation, query=query, limit=PAGE, cursor=cursor, **more)
        return RecordPage(data[kind.records], data["cursor"])

    return all_pages(ask)


async def _export(exported: Exported, asked: ExportQuery, tools: Tools) -> StreamingResponse:
    pages = all_records(exported, tools, asked.query)
    first = await anext(pages)  # a query that cannot be read is refused before anything is sent
    headers = {"Content-Disposition": f'attachment; filename="{exported.name}.{asked.format}"', "Cache-Control": "no-store"}
    return StreamingResponse(_lines(exported, asked, first, pages), headers=headers, media_type=_MEDIA[asked.format])


async def _lines(exported: Exported, asked: ExportQuery, first: RecordPage, others: AsyncGenerator[RecordPage]) -> AsyncGenerator[str]:
    columns = exported.columns

    def lines_of(page: RecordPage) -> str:
        rows = [exported.line(record).model_dump(mode="json") for record in page.records]
        return csv_lines(rows, columns) if asked.format == "csv" else "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)

    yield (csv_text([], columns) if asked.format == "csv" else "") + lines_of(first)
    async for page in others:
        yield lines_of(page)
