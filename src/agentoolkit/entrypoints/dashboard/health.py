"""``/health``: does the scheduler run, how late is it, and what does it have to do."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from starlette.responses import Response

from agentoolkit.entrypoints.dashboard.page import Viewing, all_of, page_router

router = page_router("health")


@router.get("/health")
async def get_health(view: Viewing) -> Response:
    """Show how the scheduler does."""
    queues: list[dict[str, Any]] = []
    workers: list[dict[str, Any]] = []
    outbox: int | None = None
    if view.may("admin"):
        listed, known = await all_of(view.tools.run("queue", "list_queues", limit=500), view.scheduler("list_workers"))
        queues, workers, outbox = listed.data["queues"], known["workers"], known["outbox"]
    return await view.page(
        "health.html",
        title="Health",
        queues=[queue for queue in queues if queue["size"] or queue["dead"]],
        workers=workers,
        outbox=outbox,
        tools=sorted(view.tools.injector.names()),
        version=version("agentool"),
    )
