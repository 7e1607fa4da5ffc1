"""Puts the pages and their files on an application that serves the REST API."""

from __future__ import annotations

from fastapi import FastAPI

from agentoolkit.entrypoints.dashboard import (
    actions,
    approvals,
    badges,
    executions,
    exports,
    health,
    home,
    job_form,
    jobs,
    lists,
    login,
    palette,
    queues,
    static,
    usage,
    versions,
    week,
)
from agentoolkit.entrypoints.rest.batches import batches_of


def add_pages(app: FastAPI) -> FastAPI:
    """Serve the dashboard at ``/``, guarded as the application is, and return the application."""
    parts = (
        home,
        badges,
        actions,
        job_form,
        versions,
        jobs,
        executions,
        lists,
        exports,
        palette,
        queues,
        approvals,
        week,
        usage,
        health,
        static,
    )
    for part in parts:
        app.include_router(part.router)
    app.include_router(login.router)
    app.state.pages = login.SignIn()
    return app


async def close_pages(app: FastAPI) -> None:
    """End what the pages have under way."""
    await batches_of(app.state).close()
