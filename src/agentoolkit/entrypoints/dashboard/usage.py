"""``/usage``: tokens and costs of agents, by day, owner and job, and their budgets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from starlette.responses import Response

from agentoolkit.entrypoints.dashboard.page import Viewing, page_router

router = page_router("usage")


class Total(NamedTuple):
    """The usage of several runs."""

    name: str
    runs: int
    tokens: int
    cost: Decimal
    unpriced: int
    """Runs with an unknown price."""
    budget: Decimal | None = None
    """Highest permitted cost."""

    @property
    def share(self) -> float:
        """Used share of the budget, 1.0 at most."""
        return min(1.0, float(self.cost / self.budget)) if self.budget else 0.0


@router.get("/usage")
async def get_usage(viewer: Viewing, days: int = 30) -> Response:
    """Show the usage of agents: today against the budgets, then by day, job and owner."""
    found = await viewer.tools.run("agent", "usage", days=min(max(days, 1), 366)) if "agent" in viewer.tools.injector.names() else None
    used: list[dict[str, Any]] = [each.model_dump() for each in found.used] if found else []
    budgets: Mapping[str, str] = found.per_day if found else {}
    today = [each for each in used if each["day"] == viewer.clock.now.strftime("%Y-%m-%d")]
    by_owner = [
        each._replace(name=f"{owner}, {agent}", budget=Decimal(budgets[agent]) if agent in budgets else None)
        for (owner, agent), each in _summed(today, "owner", "agent")
    ]
    return await viewer.page(
        "usage.html",
        title="Usage",
        days=days,
        today=by_owner,
        by_day=[each._replace(name=day) for (day,), each in sorted(_summed(used, "day"), reverse=True)],
        by_job=sorted((each for _, each in _summed(used, "job_id")), key=lambda total: (-total.cost, -total.tokens)),
        by_owner=sorted((each for _, each in _summed(used, "owner")), key=lambda total: (-total.cost, -total.tokens)),
        is_cut=found.is_cut if found else False,
    )


def _summed(used: Iterable[Mapping[str, Any]], *names: str) -> list[tuple[tuple[str, ...], Total]]:
    """Sum the usage by the values of some fields."""
    groups: dict[tuple[str, ...], list[Mapping[str, Any]]] = defaultdict(list)
    for each in used:
        groups[tuple(each[name] for name in names)].append(each)
    summed: list[tuple[tuple[str, ...], Total]] = []
    for key, group in groups.items():
        runs, tokens, unpriced = (sum(each[name] for each in group) for name in ("runs", "tokens", "unpriced"))
        summed.append((key, Total(key[0], runs, tokens, sum((Decimal(each["cost"]) for each in group), Decimal(0)), unpriced)))
    return summed
