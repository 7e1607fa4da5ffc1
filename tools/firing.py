"""Counts the calls and the files of this project that one firing in memory enters: ``python tools/firing.py SRC``."""

from __future__ import annotations

import asyncio
import json
import sys
from types import FrameType
from typing import Any, Literal

_OF_THE_TEST = ("/testing.py", "/waits_in_real_time.py")

SOURCE = sys.argv[1] if __name__ == "__main__" else ""
sys.path.insert(0, SOURCE)


class Entered:
    """Notes each call of a function that is written in the source. What resumes a coroutine is no call."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._seen: set[FrameType] = set()
        self.calls = 0
        self.files: set[str] = set()

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        name = frame.f_code.co_filename
        if event != "call" or not name.startswith(self._source) or name.endswith(_OF_THE_TEST) or frame in self._seen:
            return
        self._seen.add(frame)
        self.calls += 1
        self.files.add(name)


async def main() -> None:
    """Let a job fire once to warm up, and once to be measured."""
    from agentool import BaseOperationInput, create_agentool
    from agentoolkit.testing import toolkit

    class ProbeInput(BaseOperationInput):
        operation: Literal["go"]

    class ProbeOutput(BaseOperationInput):
        operation: str = "done"

    async def go(ctx: Any) -> ProbeOutput:
        return ProbeOutput()

    go.__annotations__["return"] = ProbeOutput
    async with toolkit() as kit:
        create_agentool("probe", ProbeInput, {"go": go})
        job = {"operation": "schedule", "job_id": "probe", "schedule": "1 hour", "agentool_name": "probe"}
        await kit.injector.run("scheduler", {**job, "input_data": {"operation": "go"}})
        await kit.advance(hours=2)
        entered = Entered(SOURCE)
        sys.setprofile(entered)
        await kit.clock.advance(hours=1)  # not of the kit, which asks many parts whether they still have something to do
        sys.setprofile(None)
    print(json.dumps({"calls": entered.calls, "files": len(entered.files)}))


if __name__ == "__main__":
    asyncio.run(main())
