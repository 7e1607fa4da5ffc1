"""Add the pages and their files to the REST API's application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import cast

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from agentoolkit.entrypoints.dashboard import (
    actions,
    approvals,
    badges,
    executions,
    exports,
    home,
    job_form,
    jobs,
    lists,
    login,
    palette,
    queues,
    static,
    usage,
    week,
)
from agentoolkit.entrypoints.dashboard.page import refusal
from agentoolkit.entrypoints.rest.app import PREFIX
from agentoolkit.entrypoints.rest.batches import batches_of
from agentoolkit.entrypoints.rest.problems import ApiError

Answer = Callable[[Request, Exception], Awaitable[Response]]


def add_pages(app: FastAPI) -> FastAPI:
    """Serve the dashboard at ``/`` with the application's rules of access, and return the application."""
    parts = (
        home,
        badges,
        actions,
        job_form,
        jobs,
        executions,
        lists,
        exports,
        palette,
        queues,
        approvals,
        week,
        usage,
        static,
    )
    for part in parts:
        app.include_router(part.router)
    app.include_router(login.router)
    app.state.pages = login.SignIn()
    _answer_with_pages(app)
    return app


def _answer_with_pages(app: FastAPI) -> None:
    """Show an unknown address outside of the API as a page to whoever asks for HTML; answer all else as the API does."""
    answer = cast("Answer", app.exception_handlers[HTTPException])

    async def answer_missing(request: Request, error: Exception) -> Response:
        is_page = not request.url.path.startswith(PREFIX) and "text/html" in request.headers.get("accept", "")
        if is_page and getattr(error, "status_code", None) == 404:
            return refusal(request, ApiError(404, "no-such-page", "There is no such page."))
        return await answer(request, error)

    app.add_exception_handler(HTTPException, answer_missing)


async def close_pages(app: FastAPI) -> None:
    """End the actions that run in the background."""
    await batches_of(app.state).close()
