"""``/health`` and ``/metrics``: is anything wrong, and the figures."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import Response
from starlette.responses import PlainTextResponse

from agentoolkit.entrypoints.rest.asking import Asking
from agentoolkit.entrypoints.rest.models import Health
from agentoolkit.entrypoints.rest.routing import guarded_router

router = guarded_router("system")


@router.get("/health", responses={503: {"model": Health, "description": "Nothing that is due is run"}})
async def get_health(tools: Asking, response: Response) -> Health:
    """Tell whether what is due is run; with status 503 if not."""
    status = await tools.scheduler("status")
    is_well = status["running"] and not status["stopped"]
    if not is_well:
        response.status_code = 503
    same = ("running", "leading", "stopped", "leader", "executing", "waiting", "lag", "loop_delay")
    kept = {name: status[name] for name in same}
    return Health(status="ok" if is_well else "degraded", tasks=status["jobs_count"], version=version("agentool"), **kept)


@router.get("/metrics", response_class=PlainTextResponse)
async def get_metrics(tools: Asking) -> PlainTextResponse:
    """Return the figures in the text form of Prometheus."""
    exported = await tools.run("metrics", "export", format="prometheus")
    return PlainTextResponse(exported.text, media_type=exported.content_type)
