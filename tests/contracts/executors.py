"""The executors that the contract is tried on: the local one, and one that sends ids to another process."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from agentoolkit.system.scheduler.executors.limits import Limits
from agentoolkit.system.scheduler.ports import Attempts, Order

IDS_IN_A_MESSAGE = 50


class ProcessExecutor(Limits):
    """Sends ids, up to fifty in a line, to a process that has the same database; it answers with those that are over."""

    def __init__(self, attempts: Attempts, concurrency: int, database: str, log: Path) -> None:
        super().__init__(concurrency)
        self._attempts = attempts
        script = Path(__file__).with_name("executor_worker.py")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AGENTOOL_")}
        self.process = subprocess.Popen(
            [sys.executable, str(script), database, str(log)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.messages: list[list[str]] = []
        self._ready = asyncio.Event()
        self._listening = asyncio.get_running_loop().create_task(self._listen())
        self._sending: set[asyncio.Task[None]] = set()

    def reserve(self, order: Order) -> bool:
        return False  # nothing runs here

    def start(self, execution_ids: Sequence[str]) -> None:
        for place in range(0, len(execution_ids), IDS_IN_A_MESSAGE):
            task = asyncio.get_running_loop().create_task(self._send(list(execution_ids[place : place + IDS_IN_A_MESSAGE])))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    def cancel(self, execution_id: str) -> bool:
        return False

    def abandon(self, execution_id: str) -> None:
        raise NotImplementedError("nothing runs here")

    async def drain(self, seconds: float, grace: float) -> None:
        self.close()
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            await asyncio.wait_for(asyncio.to_thread(self.process.wait), seconds + grace)
        except TimeoutError:
            self.process.kill()
            await asyncio.to_thread(self.process.wait)
        await asyncio.wait({self._listening})
        assert self.process.stdout is not None
        self.process.stdout.close()

    async def _send(self, execution_ids: list[str]) -> None:
        await self._ready.wait()
        self.messages.append(execution_ids)
        assert self.process.stdin is not None
        with suppress(ValueError, BrokenPipeError):
            self.process.stdin.write(json.dumps(execution_ids) + "\n")
            self.process.stdin.flush()

    async def _listen(self) -> None:
        assert self.process.stdout is not None
        while line := await asyncio.to_thread(self.process.stdout.readline):
            if line.strip() == "ready":
                self._ready.set()
                continue
            for execution_id in json.loads(line):
                self._attempts.forget([execution_id])
                self.leave(execution_id)
