"""The process that renders: Jinja2's sandbox, inside a process that may be killed at any time and holds no secrets.

It is started by `rendering` as a script, so it imports nothing of this project. It reads a line of JSON for each
template, may ask for further templates by name, and answers in one line.
"""

from __future__ import annotations

import contextlib
import json
import signal
import sys
from collections.abc import Generator
from functools import lru_cache
from typing import Any

from jinja2 import FunctionLoader, StrictUndefined, Template, TemplateError, TemplateNotFound, TemplateSyntaxError
from jinja2.exceptions import SecurityError
from jinja2.meta import find_undeclared_variables
from jinja2.sandbox import ImmutableSandboxedEnvironment

Message = dict[str, Any]

MAX_SAID_LENGTH = 2_000
"""Characters that are told of a failure, whose text a template can make as long as it likes."""
MAX_NAME_LENGTH = 200
"""Characters of a template's name; no template has a longer one."""

_AUTOESCAPED = (".html", ".htm", ".xml")


class TooLong(Exception):
    """The text has more characters than it may."""


def limit_this_process(memory: int) -> None:
    """Limit the memory of this process in bytes, and let it write no file, where the system has such limits."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


@contextlib.contextmanager
def ending_after(seconds: float) -> Generator[None]:
    """End this process if the block takes longer, also when the process that started it is gone."""
    if not hasattr(signal, "setitimer"):
        yield
        return
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def send(message: Message) -> None:
    """Write a line to the process that started this one."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def receive() -> Message:
    """Read a line; without one, end."""
    line = sys.stdin.readline()
    if not line:
        sys.exit()
    return json.loads(line)


def load(name: str) -> str | None:
    """Ask for the source of a template that another one includes, imports or extends."""
    if len(name) > MAX_NAME_LENGTH:
        return None
    send({"need": name})
    return receive()["source"]


def environment(name: str | None) -> ImmutableSandboxedEnvironment:
    """Make what a template is rendered in. Text from HTML and XML templates is escaped, by the name they have."""

    def is_escaped(inner: str | None) -> bool:
        return (inner or name or "").endswith(_AUTOESCAPED)

    return ImmutableSandboxedEnvironment(
        loader=FunctionLoader(load),
        undefined=StrictUndefined,
        autoescape=is_escaped,
        cache_size=0,
        keep_trailing_newline=True,
    )


@lru_cache(maxsize=16)
def compiled(name: str | None, source: str) -> Template:
    """Compile a template."""
    made = environment(name)
    return made.template_class.from_code(made, made.compile(source, name, name), made.make_globals(None))


def render(request: Message) -> Message:
    """Render, and stop where there is more text than allowed."""
    chunks: list[str] = []
    left: int = request["output"]
    for chunk in compiled(request["name"], request["source"]).generate(request["variables"]):
        left -= len(chunk)
        if left < 0:
            raise TooLong
        chunks.append(chunk)
    return {"text": "".join(chunks)}


def validate(request: Message) -> Message:
    """Compile only, and tell which variables the template takes."""
    compiled(request["name"], request["source"])
    parsed = environment(request["name"]).parse(request["source"])
    return {"variables": sorted(find_undeclared_variables(parsed))}


def failure(error: BaseException) -> Message:
    """Describe what went wrong: a kind, a sentence, and the line if it is known; of a long sentence its beginning, and how long it is."""
    said = str(error) or type(error).__name__
    if isinstance(error, TemplateSyntaxError):
        return {"failure": "syntax", **_beginning(error.message or said), "line": error.lineno, "name": error.name}
    kinds: dict[type[BaseException], str] = {
        SecurityError: "forbidden",
        TemplateNotFound: "missing",
        MemoryError: "memory",
        TooLong: "output",
    }
    kind = next((kind for found, kind in kinds.items() if isinstance(error, found)), "failed")
    known = isinstance(error, TemplateError)
    line, trace = None, error.__traceback__
    while trace is not None:
        if "__jinja_exception__" in trace.tb_frame.f_globals:
            line = trace.tb_lineno
        trace = trace.tb_next
    return {"failure": kind, **_beginning(said if known else f"{type(error).__name__}: {said}"), "line": line}


def _beginning(text: str) -> Message:
    return {"said": text[:MAX_SAID_LENGTH], "length": len(text)}


def serve() -> None:
    """Answer requests until there are no more."""
    send({"ready": True})
    while True:
        request = receive()
        with ending_after(request["seconds"]):
            try:
                answer = render(request) if "variables" in request else validate(request)
            except Exception as error:
                answer = failure(error)
        send(answer)


if __name__ == "__main__":
    limit_this_process(int(sys.argv[1]))
    serve()
