"""Tries the API with schemathesis, all checks and phases: ``uv run tools/check_api.py [EXAMPLES]``.

It is installed in an environment of its own.

`/events/stream` does not end, and `/stop` would stop what is tried: both are left out, and have tests of their own.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from agentoolkit.entrypoints.rest.server import serving_api
from agentoolkit.settings import Settings
from agentoolkit.wiring import Toolkit

CONFIG = Path(__file__).parent.parent / "tests" / "doors" / "schemathesis.toml"
VERSION = "4.32.5"


async def main(examples: str) -> int:
    """Serve the API and let it be tried; the answer is the exit code."""
    settings = Settings.from_values({"timezone": "UTC", "log_level": "CRITICAL"})
    async with Toolkit(settings) as kit, serving_api(kit, "127.0.0.1:0") as address:
        command = ["uvx", "--from", f"schemathesis=={VERSION}", "schemathesis", "--config-file", str(CONFIG), "run"]
        options = ["-n", examples, "--request-timeout", "10", "--exclude-path-regex", "stream|/stop$"]
        trying = await asyncio.create_subprocess_exec(*command, f"{address}/api/scheduler/openapi.json", *options)
        return await trying.wait()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "30")))
