"""Runs the Python blocks of a page, as a reader would who types them in one after the other."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextvars import copy_context
from types import CodeType, ModuleType

from agentool import Injector

from .pages import Block

SECONDS = 30.0
"""The longest that a page may take."""

_SHOWN_OUTPUT = re.compile(r"^ *#> ?(.*)$", re.MULTILINE)


class Session:
    """One namespace, one event loop and one injector for all blocks of a page."""

    def __init__(self, source: str, seconds: float = SECONDS) -> None:
        self._source = source
        self._ends = time.monotonic() + seconds
        self._module = ModuleType("page")
        self._injector = Injector()

    def run(self, blocks: Sequence[Block]) -> None:
        """Compile every block and run those that are meant to be, then end what they left running."""
        with self._injector.activate(), _imported(self._module), asyncio.Runner() as self._runner:
            self._context = copy_context()
            try:
                for block in blocks:
                    self._run(block)
            finally:
                self._runner.run(_close(self._injector), context=self._context)

    def _run(self, block: Block) -> None:
        code = compiled(block, self._source)
        if not block.run:
            return
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            self._execute(code)
        if shown := _SHOWN_OUTPUT.findall(block.text):
            assert [line.rstrip() for line in printed.getvalue().splitlines()] == shown, f"{self._source}:{block.line}"

    def _execute(self, code: CodeType) -> None:
        asyncio.set_event_loop(self._runner.get_loop())  # a block that called asyncio.run has left none
        if code.co_flags & inspect.CO_COROUTINE:
            self._runner.run(self._awaited(code), context=self._context)
        else:
            self._context.run(exec, code, vars(self._module))

    async def _awaited(self, code: CodeType) -> None:
        async with asyncio.timeout(self._ends - time.monotonic()):
            await eval(code, vars(self._module))


def compiled(block: Block, source: str) -> CodeType:
    """Compile a block, with ``await`` allowed outside of functions and with the page's own line numbers."""
    text = "\n" * (block.line - 1) + block.text
    return compile(text, source, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)


@contextlib.contextmanager
def _imported(module: ModuleType) -> Iterator[None]:
    """Let the module be found by its name, as dataclasses and type hints need it."""
    sys.modules[module.__name__] = module
    try:
        yield
    finally:
        del sys.modules[module.__name__]


async def _close(injector: Injector) -> None:
    for agentool in injector.catalog():
        if close := getattr(agentool.deps, "close", None):
            closing = close()
            if inspect.isawaitable(closing):
                await closing
