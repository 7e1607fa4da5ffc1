"""Add the pages and their files to the REST API's application."""

from __future__ import annotations

from fastapi import FastAPI

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
from agentoolkit.entrypoints.rest.batches import batches_of


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
    return app


async def close_pages(app: FastAPI) -> None:
    """End the actions that run in the background."""
    await batches_of(app.state).close()
