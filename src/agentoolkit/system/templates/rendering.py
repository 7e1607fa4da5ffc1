"""Render templates in separate processes, which are killed if they take too long.

A thread could not be killed: a multiplication such as ``'a' * 10**10`` cannot be interrupted, and holds Python's global lock.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Timer
from typing import IO, Any, cast

from pydantic_core import to_json

from agentool.errors import ConfigurationError, InvalidInput
from agentool.secrets_here import without_cut_end
from agentoolkit.settings import TemplateSettings
from agentoolkit.system.templates.errors import InvalidTemplate, RenderingFailed, RenderingRefused, TemplateError

_START_SECONDS = 30.0
_SANDBOX = Path(__file__).with_name("sandbox.py")

Message = dict[str, Any]
Load = Callable[[str], str | None]
"""Gives the source of a template by its name."""


class Ended(Exception):
    """The process ended without an answer."""


class Expired(Ended):
    """The process was killed, because it took too long."""


class Worker:
    """A rendering process, used by one thread at a time."""

    def __init__(self, memory: int) -> None:
        command = [sys.executable, "-I", str(_SANDBOX), str(memory)]
        # Nothing of this process's environment, because that is where secrets are kept.
        self._process = subprocess.Popen(  # noqa: S603  our own script
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={}, encoding="utf-8"
        )
        self.end = weakref.finalize(self, _end, self._process)
        self._stdin, self._stdout = cast("tuple[IO[str], IO[str]]", (self._process.stdin, self._process.stdout))
        self._expired = False
        try:
            with Deadline(_START_SECONDS, self.kill):
                self._receive()
        except Ended as error:
            self.end()
            raise ConfigurationError("The process that renders templates does not start.", remedy="Is Jinja2 installed?") from error

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, request: str, load: Load, seconds: float) -> Message:
        """Send it a request, and the sources of further templates that it asks for. Raises `Ended`, `Expired`."""
        with Deadline(seconds, self._expire):
            self._send(request)
            while "need" in (answer := self._receive()):
                self._send(json.dumps({"source": load(answer["need"])}))
            return answer

    def kill(self) -> None:
        """Kill it."""
        self._process.kill()

    def _expire(self) -> None:
        self._expired = True
        self.kill()

    def _send(self, line: str) -> None:
        try:
            self._stdin.write(line + "\n")
            self._stdin.flush()
        except OSError as error:
            raise Ended from error

    def _receive(self) -> Message:
        line = self._stdout.readline()
        if not line.endswith("\n"):
            raise Expired if self._expired else Ended
        return json.loads(line)


class Deadline(Timer):
    """A timer that is stopped at the end of a ``with`` block."""

    def __enter__(self) -> None:
        self.daemon = True
        self.start()

    def __exit__(self, *_: object) -> None:
        self.cancel()


class Renderer:
    """Renders at most `limits.processes` templates at once; others wait. Processes start at first use."""

    def __init__(self, limits: TemplateSettings | None = None) -> None:
        self.limits = limits or TemplateSettings()
        self._threads: ThreadPoolExecutor | None = None
        self._idle: list[Worker] = []
        self._busy: set[Worker] = set()

    async def render(self, name: str | None, source: str, variables: Message, load: Load) -> str:
        """Return the rendered text.

        Raises:
            InvalidInput: The variables are no JSON values.
            InvalidTemplate, RenderingFailed: The template or its variables are wrong.
            RenderingRefused: It went beyond a limit, or out of the sandbox.
        """
        given = _as_json(variables)
        if len(given) > self.limits.variables_size:
            remedy = f"Give at most {self.limits.variables_size:,} (setting `template_variables_size`)."
            raise RenderingRefused(f"They have {len(given):,} characters as JSON.", field="variables", remedy=remedy)
        return (await self._ask(name, source, f', "variables": {given}', load))["text"]

    async def validate(self, name: str | None, source: str) -> list[str]:
        """Return the variables that a template takes. Raises `InvalidTemplate`, `RenderingRefused`."""
        return (await self._ask(name, source, "", _nothing))["variables"]

    async def close(self) -> None:
        """End all processes. The next use starts them again."""
        threads, self._threads = self._threads, None
        for worker in (*self._busy, *self._idle):
            worker.kill()
        if threads is not None:
            await asyncio.to_thread(threads.shutdown)
        for worker in self._idle:
            worker.end()
        self._idle.clear()

    async def _ask(self, name: str | None, source: str, more: str, load: Load) -> Message:
        if len(source) > self.limits.size:
            remedy = f"Use at most {self.limits.size:,} (setting `template_size`), and variables or includes for the rest."
            raise InvalidTemplate(f"It has {len(source):,} characters.", field="template", remedy=remedy)
        asked = {"name": name, "source": source, "output": self.limits.output_size, "seconds": self.limits.seconds + 1}
        request = json.dumps(asked)[:-1] + more + "}"
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self.limits.processes, thread_name_prefix="agentool-templates")
        answer = await asyncio.get_running_loop().run_in_executor(self._threads, self._answer, request, load)
        if "failure" in answer:
            said, line = _said(answer), answer.get("line")
            error = _beyond_a_limit(answer["failure"], self.limits) or _wrong(answer["failure"], said, f" in line {line}" if line else "")
            error.line = line
            raise error
        return answer

    def _answer(self, request: str, load: Load) -> Message:
        worker = self._ready()
        self._busy.add(worker)
        try:
            answer = worker.ask(request, load, self.limits.seconds)
        except Ended as error:
            worker.end()
            return {"failure": "time" if isinstance(error, Expired) else "crash", "said": "", "length": 0}
        except BaseException:
            worker.end()
            raise
        else:
            self._idle.append(worker)
            return answer
        finally:
            self._busy.discard(worker)

    def _ready(self) -> Worker:
        """Return an idle process. A process that has died meanwhile is skipped."""
        while self._idle:
            worker = self._idle.pop()
            if worker.is_alive:
                return worker
            worker.end()
        return Worker(self.limits.memory)


def _as_json(variables: Message) -> str:
    try:
        return to_json(variables, inf_nan_mode="constants").decode()
    except ValueError as error:  # the variables themselves may hold secrets
        problem, remedy = f"They cannot be written as JSON: {error}.", "Give JSON values, models and times."
        raise InvalidInput(problem, field="variables", remedy=remedy) from error


def _said(answer: Message) -> str:
    """Return a process's message of a failure, with its whole length if only the beginning was sent."""
    said, length = answer["said"], answer["length"]
    return said.rstrip(".") if len(said) == length else f"{without_cut_end(said)}… ({length:,} characters)"


def _nothing(name: str) -> None:
    return None


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):  # what was not written before the end is of no interest
                pipe.close()


def _beyond_a_limit(kind: str, limits: TemplateSettings) -> TemplateError | None:
    beyond = {
        "time": (f"It was ended after {limits.seconds:g} s.", "template_seconds"),
        "memory": (f"It needs more memory than {limits.memory / 1e6:,.0f} MB.", "template_memory"),
        "crash": ("The process that rendered it broke down.", "template_memory"),
        "output": (f"It becomes longer than {limits.output_size:,} characters.", "template_output_size"),
    }
    if kind not in beyond:
        return None
    problem, setting = beyond[kind]
    return RenderingRefused(problem, field="template", remedy=f"Make it do less, or raise the setting `{setting}`.")


def _wrong(kind: str, said: str, where: str) -> TemplateError:
    if kind == "forbidden":
        return RenderingRefused(f"The sandbox forbids it{where}: {said}.", field="template")
    if kind == "syntax":
        return InvalidTemplate(f"Invalid template{where}: {said}.", field="template")
    if kind == "missing":
        return RenderingFailed(f"It includes {said!r}, which does not exist.", field="template", remedy="Save that template first.")
    return RenderingFailed(f"It failed{where}: {said}.", field="variables")
