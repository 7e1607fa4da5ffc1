"""The REST application: the guarded API of one toolkit, and the router to mount it in another application."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import version

from fastapi import APIRouter, FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import compile_path

from agentool.core.injector import Injector
from agentoolkit.entrypoints.rest import (
    approvals,
    bulk,
    events,
    executions,
    exporting,
    planning,
    queues,
    runs,
    saved_views,
    system,
    tasks,
    versions,
)
from agentoolkit.entrypoints.rest.access import Access, AccessRules
from agentoolkit.entrypoints.rest.problems import ApiError, problem_response
from agentoolkit.settings import Settings
from agentoolkit.wiring import Toolkit

PREFIX = "/api/scheduler"

scheduler_router = APIRouter()
"""All routes of the API, on the current injector's AgenTools: ``app.include_router(scheduler_router, prefix="/api/scheduler")``."""
for _part in (bulk, tasks, versions, runs, executions, planning, queues, approvals, events, saved_views, exporting, system):
    scheduler_router.include_router(_part.router)


def create_app(kit: Toolkit | Injector | Settings | None = None, *, access: AccessRules | None = None) -> FastAPI:
    """Make the application.

    Args:
        kit: A toolkit that the caller opens and closes, or its injector; or settings, by default from the environment, of a
            toolkit that the application opens and closes itself.
        access: The rules of access; by default callers on this machine need no token, and others are refused.
    """
    own = None if isinstance(kit, (Toolkit, Injector)) else Toolkit(kit)
    app = FastAPI(
        title="agentool",
        version=version("agentool"),
        description="Schedule anything that has a name and an input model, and watch it run.",
        lifespan=_lifespan(own) if own else None,
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,  # its page loads scripts from another host
        redoc_url=None,
    )
    app.state.injector = own.injector if own else kit.injector if isinstance(kit, Toolkit) else kit
    app.state.access = access or AccessRules(token_needed=False)
    app.include_router(scheduler_router, prefix=PREFIX)
    app.add_middleware(Access, rules=app.state.access)
    app.add_exception_handler(HTTPException, _answer_error)
    app.add_exception_handler(Exception, _answer_error)
    return app


def _lifespan(kit: Toolkit) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with kit:
            yield

    return lifespan


async def _answer_error(request: Request, error: Exception) -> Response:
    """Answer an error as a problem. A refused method is answered with all methods of the path, of any route."""
    if isinstance(error, HTTPException) and error.status_code == 405:
        paths: dict[str, dict[str, object]] = request.app.openapi()["paths"]
        matching = (methods for path, methods in paths.items() if compile_path(path)[0].match(request.url.path))
        allowed = ", ".join(sorted({method.upper() for methods in matching for method in methods}))
        remedy = f"Its methods are {allowed}." if allowed else None
        problem = f"{request.method} is not possible here."
        error = ApiError(405, "method-not-allowed", problem, headers={"Allow": allowed}, remedy=remedy)
    elif isinstance(error, HTTPException) and error.status_code == 404:
        error = ApiError(404, "no-such-path", "There is nothing here.", remedy=f"{PREFIX}/openapi.json lists the paths.")
    return problem_response(error)
