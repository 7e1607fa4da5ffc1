"""``/export``: all that fit, a line each."""

from __future__ import annotations

import csv
import io
import json

import httpx2
import pytest

from agentoolkit.csv_text import csv_text
from agentoolkit.entrypoints.rest import exporting

from .conftest import LIST, Api


async def test_all_that_fit_are_exported(api: Api, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Page after page, in both forms, with the fields of the list."""
    monkeypatch.setattr(exporting, "PAGE", 2)
    for number in range(5):
        task = {"name": f"task {number}", "schedule": "0 9 * * *", "tags": ["a" if number else "b"], **LIST}
        await api("POST", "/tasks", status=201, json=task)
    lines = (await client.get("/export/tasks?query=tag:a")).text.splitlines()
    assert [json.loads(line)["name"] for line in lines] == ["task 1", "task 2", "task 3", "task 4"]
    answer = await client.get("/export/tasks?query=tag:a&format=csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="tasks.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(row["name"], row["tags"], row["reason"]) for row in rows] == [(f"task {number}", '["a"]', "") for number in range(1, 5)]


async def test_executions_are_exported(api: Api, client: httpx2.AsyncClient) -> None:
    """Their results are left out."""
    await api("POST", "/tasks", status=201, json={"name": "daily", "schedule": "0 9 * * *", **LIST})
    await api("POST", "/tasks/daily/run", json={"wait": True})
    (line,) = (await client.get("/export/executions?query=job:daily")).text.splitlines()
    assert (json.loads(line)["status"], json.loads(line)["result"]) == ("success", None)


@pytest.mark.parametrize(("what", "left_out"), [("tasks", {"input_data", "options", "version"}), ("executions", {"result", "output"})])
async def test_no_column_is_always_empty(client: httpx2.AsyncClient, what: str, left_out: set[str]) -> None:
    """What lists leave out has no column; a list without rows has its header."""
    header = (await client.get(f"/export/{what}?format=csv")).text.strip().split(",")
    assert (left_out.isdisjoint(header), "task_id" in header) == (True, True)


async def test_a_query_that_cannot_be_read_is_refused(api: Api) -> None:
    """Before anything is sent."""
    assert (await api("GET", "/export/tasks?query=took:>5m", status=422))["field"] == "query"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_cell_is_a_formula(text: str) -> None:
    """A spreadsheet shows a name as it is, whoever chose it."""
    written = csv_text([{"name": text}], ["name"])
    assert list(csv.reader(io.StringIO(written, newline=""))) == [["name"], [f"'{text}"]]


def test_a_cell_that_is_no_text_is_json() -> None:
    """A number below zero is a number, and nothing is an empty cell, at every door."""
    row = {"number": -1.5, "known": True, "tags": ["ä"], "none": None}
    assert csv_text([row], list(row)).splitlines()[1] == '-1.5,true,"[""ä""]",'
