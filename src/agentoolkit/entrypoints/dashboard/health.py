"""``/health``: does the scheduler run, how late is it, and what does it have to do."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from starlette.responses import Response

from agentoolkit.entrypoints.dashboard.page import Viewing, page_router

router = page_router("health")


@router.get("/health")
async def get_health(view: Viewing) -> Response:
    """Show how the scheduler does."""
    listed = await view.tools.run("queue", "list_queues", limit=500) if view.may("admin") else None
    queues: list[dict[str, Any]] = listed.data["queues"] if listed else []
    return await view.page(
        "health.html",
        title="Health",
        queues=[queue for queue in queues if queue["size"] or queue["dead"]],
        tools=sorted(view.tools.injector.names()),
        version=version("agentool"),
    )
