"""What an action is done to: what was chosen one by one, or all that match."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agentoolkit.entrypoints.dashboard.found import find_execution_page, find_job_page
from agentoolkit.entrypoints.dashboard.page import View

MAX_CHOSEN = 10_000
"""Items of one batch."""
_PAGE = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which jobs, or which executions."""

    jobs: Sequence[str] = ()
    executions: Sequence[str] = ()
    all_jobs: str = ""
    """All jobs in this state; ``live`` means those that can run again."""
    all_executions: str = ""
    """All executions with this outcome."""
    of_job: str = ""
    """For `all_executions`: only this job's."""
    q: str = ""
    """All that fit this query: of jobs or of executions, as the action is of one or the other."""

    @classmethod
    def read(cls, items: Sequence[tuple[str, str]]) -> Choice:
        """Read it from the fields of a form or of an address."""
        given = dict(items)
        return cls(
            jobs=tuple(dict.fromkeys(value for name, value in items if name == "job")),
            executions=tuple(dict.fromkeys(value for name, value in items if name == "execution")),
            all_jobs=given.get("all_jobs", ""),
            all_executions=given.get("all_executions", ""),
            of_job=given.get("of_job", ""),
            q=given.get("q", ""),
        )

    @property
    def fields(self) -> list[tuple[str, str]]:
        """Return the fields that say the same."""
        named = [("job", job) for job in self.jobs] + [("execution", one) for one in self.executions]
        matching = [("all_jobs", self.all_jobs), ("all_executions", self.all_executions), ("of_job", self.of_job), ("q", self.q)]
        return named + [(name, value) for name, value in matching if value]

    async def items(self, view: View, noun: str) -> list[str]:
        """Return the ids of what is chosen, at most `MAX_CHOSEN`: of jobs or of executions."""
        if self.q:
            return await _all_found(view, self.q, noun)
        if self.all_jobs:
            return await _all_jobs(view, None if self.all_jobs == "live" else self.all_jobs)
        if self.all_executions:
            return await _all_executions(view, self.all_executions, self.of_job or None)
        return list(self.jobs or self.executions)


async def _all_found(view: View, query: str, noun: str) -> list[str]:
    found: list[str] = []
    cursor: str | None = None
    find = find_job_page if noun == "job" else find_execution_page
    while len(found) < MAX_CHOSEN:
        page, cursor = await find(view, query, _PAGE, cursor)
        found += [item[f"{noun}_id"] for item in page]
        if cursor is None:
            break
    return found[:MAX_CHOSEN]


async def _all_jobs(view: View, state: str | None) -> list[str]:
    found: list[str] = []
    cursor: str | None = None
    while len(found) < MAX_CHOSEN:
        data = await view.scheduler("list", job_status=state, limit=_PAGE, cursor=cursor)
        found += [job["job_id"] for job in data["jobs"]]
        if (cursor := data["cursor"]) is None:
            break
    return found[:MAX_CHOSEN]


async def _all_executions(view: View, status: str, job_id: str | None) -> list[str]:
    found: list[str] = []
    cursor: str | None = None
    while len(found) < MAX_CHOSEN:
        data = await view.scheduler(
            "list_executions", execution_status=status, job_id=job_id, limit=_PAGE, cursor=cursor, with_results=False
        )
        found += [one["execution_id"] for one in data["history"]]
        if (cursor := data["cursor"]) is None:
            break
    return found[:MAX_CHOSEN]
