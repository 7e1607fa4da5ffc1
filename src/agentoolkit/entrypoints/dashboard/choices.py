"""The items of an action: chosen one by one, or all that match."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agentoolkit.entrypoints.dashboard.lists import Filters, Noun, find_all
from agentoolkit.entrypoints.dashboard.page import Viewer
from agentoolkit.system.scheduler.search import check_narrows

MAX_CHOSEN = 10_000
"""Items of one action at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Selects jobs or executions."""

    jobs: Sequence[str] = ()
    executions: Sequence[str] = ()
    all_jobs: str = ""
    """All jobs in this state; ``live`` means the jobs that can run again."""
    all_executions: str = ""
    """All executions with this status."""
    of_job: str = ""
    """With `all_executions` or `q`: only the executions of this job."""
    q: str = ""
    """All jobs, or all executions, that match this query; the action decides which."""

    @classmethod
    def read(cls, items: Sequence[tuple[str, str]]) -> Choice:
        """Read a choice from the fields of a form or of a query string."""
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
        """Return the form fields of this choice."""
        named = [("job", job) for job in self.jobs] + [("execution", one) for one in self.executions]
        matching = [("all_jobs", self.all_jobs), ("all_executions", self.all_executions), ("of_job", self.of_job), ("q", self.q)]
        return named + [(name, value) for name, value in matching if value]

    async def items(self, viewer: Viewer, noun: Noun) -> list[str]:
        """Return the ids of the chosen jobs or executions, at most `MAX_CHOSEN`."""
        if not (self.q or self.all_jobs or self.all_executions):
            return list(self.jobs or self.executions)
        if self.q:
            check_narrows(self.q)
        status = self.all_executions if noun == "execution" else "" if self.all_jobs == "live" else self.all_jobs
        filters = Filters(noun, self.q, status, self.of_job)
        return [item[f"{noun}_id"] for item in await find_all(viewer, noun, filters.wanted, MAX_CHOSEN)]
