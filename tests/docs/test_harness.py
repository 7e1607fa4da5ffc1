"""What runs the pages does fail where a page is wrong."""

from __future__ import annotations

from textwrap import dedent
from threading import Event

import pytest

from agentool import get_injector

from .commands import check_command, command_lines
from .pages import Block, blocks
from .running import Session

PAGE = """\
# A page

```python
first = 1
```

<!-- not run: it waits for ever -->

```python
second = 2
```

1. In a list:

   ```python title="third"
   third = [
       3,
   ]
   ```

````markdown
```python
inside = 1
```
````
"""


def run(text: str, seconds: float = 30.0) -> None:
    Session("page.md", seconds).run([Block("python", dedent(text), 1)])


def test_blocks_are_found_with_their_lines() -> None:
    """A block is known by the number of its first line on the page."""
    assert [block.line for block in blocks(PAGE, "python")] == [4, 10, 16]


def test_a_block_in_a_list_loses_its_indentation() -> None:
    """A block inside a list is code like any other."""
    assert blocks(PAGE, "python")[2].text == "third = [\n    3,\n]\n"


def test_a_marked_block_is_not_run() -> None:
    """The comment before a block says that it is not run; the next one is."""
    assert [block.run for block in blocks(PAGE, "python")] == [True, False, True]


def test_a_mark_needs_a_reason() -> None:
    """A block is not spared without a reason."""
    assert blocks("<!-- not run: -->\n```python\n```\n", "python")[0].run


def test_an_open_fence_is_refused() -> None:
    """A block without end would hide everything after it."""
    with pytest.raises(ValueError, match="no end"):
        blocks("```python\nx = 1\n", "python")


def test_blocks_share_their_names() -> None:
    """A block sees what the ones before it defined."""
    Session("page.md").run([Block("python", "a = 1", 1), Block("python", "assert a == 1", 5)])


def test_a_block_may_await() -> None:
    """`await` is allowed outside of functions."""
    run("import asyncio\nawait asyncio.sleep(0)")


def test_a_task_outlives_its_block() -> None:
    """All blocks of a page run on one event loop."""
    text = "import asyncio\ntask = asyncio.create_task(asyncio.sleep(0, 7))\nawait asyncio.sleep(0)"
    Session("page.md").run([Block("python", text, 1), Block("python", "assert await task == 7", 5)])


def test_a_block_may_call_asyncio_run() -> None:
    """A block that starts an event loop of its own can, and the next one can await again."""
    own = "import asyncio\nasyncio.run(asyncio.sleep(0))"
    Session("page.md").run([Block("python", own, 1), Block("python", "await asyncio.sleep(0)", 5)])


def test_a_page_has_an_injector_of_its_own() -> None:
    """What a page registers is not there afterwards."""
    before = get_injector()
    run("from agentool import get_injector\npages = get_injector()\nassert not pages.catalog()")
    assert get_injector() is before


def test_a_failing_block_fails() -> None:
    """An exception in a block fails its page."""
    with pytest.raises(ZeroDivisionError):
        run("1 / 0")


def test_a_block_that_is_no_python_fails() -> None:
    """Even a block that is not run must be Python."""
    with pytest.raises(SyntaxError):
        Session("page.md").run([Block("python", "1 +", 1, run=False)])


def test_shown_output_is_compared() -> None:
    """Output that differs from what the page shows fails it."""
    with pytest.raises(AssertionError):
        run("print(1)\n#> 2")


def test_right_output_passes() -> None:
    """Output as shown, over several lines, passes."""
    run("print('a')\n#> a\nprint('b', 'c')\n#> b c")


def test_a_page_is_bounded_in_time() -> None:
    """A page that waits too long fails."""
    with pytest.raises(TimeoutError):
        run("import asyncio\nawait asyncio.Event().wait()", seconds=0.01)


def test_what_a_page_left_running_is_closed() -> None:
    """At the end, even of a failed page, the deps of its AgenTools are closed."""
    text = """\
        from typing import Literal
        from agentool import BaseOperationInput, create_agentool

        class OneInput(BaseOperationInput):
            operation: Literal["do"]

        async def do(ctx) -> None: ...

        create_agentool("one", OneInput, {"do": do}, deps=deps)
        raise ZeroDivisionError
    """
    session, closed = Session("page.md"), Event()
    session._module.deps = type("Deps", (), {"close": staticmethod(closed.set)})  # type: ignore[attr-defined]
    with pytest.raises(ZeroDivisionError):
        session.run([Block("python", dedent(text), 1)])
    assert closed.is_set()


def test_command_lines_are_found() -> None:
    """Calls of `agentool` are found with and without prompt and `uv run`, and cut at shell operators and comments."""
    text = "$ agentool\nuv run agentool serve a.yaml  # mine\nagentool serve 'b c.yaml' \\\n  --for 3 | tee log\npip install agentool\n"
    assert command_lines(text) == [[], ["serve", "a.yaml"], ["serve", "b c.yaml", "--for", "3"]]


@pytest.mark.parametrize("words", [[], ["--help"], ["serve"], ["serve", "--help"], ["serve", "tasks.yaml", "--for", "3"]])
def test_a_command_that_exists_passes(words: list[str]) -> None:
    """What the command has is accepted."""
    check_command(words)


@pytest.mark.parametrize("words", [["sevre"], ["--nope"], ["serve", "--nope"], ["serve", "--for"], ["serve", "a", "b"]])
def test_a_command_that_does_not_exist_fails(words: list[str]) -> None:
    """A misspelt subcommand or option, a missing value and an argument too many are found."""
    with pytest.raises(Exception, match=words[-1].removeprefix("--")):
        check_command(words)
