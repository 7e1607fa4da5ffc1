"""Tries the API with schemathesis, all checks and phases: ``uv run tools/check_api.py [EXAMPLES]``.

It is installed in an environment of its own.

`/events/stream` does not end by itself, and `/stop` would stop what is tried:
so streams are ended, and the scheduler is started, again and again.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from pathlib import Path

from fastapi import FastAPI

from agentoolkit.entrypoints.dashboard import add_pages, close_pages
from agentoolkit.entrypoints.rest.app import create_app
from agentoolkit.entrypoints.rest.events import end_streams
from agentoolkit.entrypoints.rest.server import access_rules, serving
from agentoolkit.settings import Settings
from agentoolkit.wiring import Toolkit

CONFIG = Path(__file__).parent.parent / "tests" / "doors" / "schemathesis.toml"
VERSION = "4.32.5"


HOST = "127.0.0.1"
AGAIN_SECONDS = 0.2


async def main(examples: str) -> int:
    """Serve the API and let it be tried; the answer is the exit code."""
    settings = Settings.from_values({"timezone": "UTC", "log_level": "CRITICAL"})
    async with Toolkit(settings) as kit:
        app = add_pages(create_app(kit, access=access_rules(kit, HOST)))
        async with serving(app, HOST, 0) as address:
            going_on = asyncio.create_task(_go_on(kit, app))
            command = ["uvx", "--from", f"schemathesis=={VERSION}", "schemathesis", "--config-file", str(CONFIG), "run"]
            trying = await asyncio.create_subprocess_exec(*command, f"{address}/api/scheduler/openapi.json", "-n", examples)
            code = await trying.wait()
            going_on.cancel()
            with suppress(asyncio.CancelledError):
                await going_on
        await close_pages(app)
    return code


async def _go_on(kit: Toolkit, app: FastAPI) -> None:
    """Let streams end, and the scheduler go on after each stop."""
    while True:
        await asyncio.sleep(AGAIN_SECONDS)
        end_streams(app)
        await kit.injector.run("scheduler", {"operation": "start"})


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "30")))
