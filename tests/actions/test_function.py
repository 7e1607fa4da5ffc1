"""The AgenTool ``function``: what it calls, where, and what it refuses."""

from __future__ import annotations

import asyncio
import math
import os
import re
import subprocess
import sys
import threading
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path

import pytest
from pydantic import BaseModel

from agentool import Injector, InvalidInput
from agentoolkit.actions.function import FunctionOutput, create_function_agent
from agentoolkit.json_values import recordable
from agentoolkit.settings import Settings
from agentoolkit.system.scheduler import ExecutionFailed
from agentoolkit.testing import toolkit
from agentoolkit.threads import TooManyGivenUp
from agentoolkit.wiring import Toolkit

from . import blocking, odd_functions

HANG, QUICK, STOPS = (f"{blocking.__name__}:{name}" for name in ("hang", "quick", "stop_iteration"))


@pytest.fixture
def injector() -> Injector:
    """An injector whose ``function`` may call the functions of `blocking`, two at once."""
    injector = Injector()
    create_function_agent([blocking.__name__], most=2, injector=injector)
    return injector


@pytest.fixture
async def kit(nothing_left: None, sqlite_database: Path) -> AsyncIterator[Toolkit]:
    with blocking.held():
        async with Toolkit(Settings(database=str(sqlite_database), functions=(blocking.__name__,))) as kit:
            yield kit


async def call(injector: Injector, function: str, **kwargs: object) -> object:
    return (await injector.run("function", {"operation": "call", "function": function, "kwargs": kwargs})).result


async def begun(number: int) -> None:
    async with asyncio.timeout(10):
        while len(blocking.begun) < number:  # noqa: ASYNC110  threads do not tell the event loop that they have begun
            await asyncio.sleep(0.001)


async def give_up(injector: Injector) -> None:
    """Call a function that hangs, and go away."""
    already = len(blocking.begun)
    calling = asyncio.create_task(call(injector, HANG, number=already))
    await begun(already + 1)
    calling.cancel()
    await asyncio.wait({calling})


async def test_hanging_functions_hold_up_no_other(kit: Toolkit):
    """While forty functions hang in their threads another runs, and the toolkit, whose close needs threads too, ends."""
    names = [asyncio.create_task(call(kit.injector, HANG, number=number)) for number in range(40)]
    await begun(40)
    assert await call(kit.injector, QUICK) == f"agentool-function {QUICK}"
    for name in names:
        name.cancel()
    await asyncio.wait(names)


async def test_timed_out_function_leaves_its_room(kit: Toolkit):
    """A function that outlasts its timeout is recorded as failed, and the next one runs."""
    data = {"agentool_name": "function", "input_data": {"operation": "call", "function": HANG}, "timeout": 0.05}
    with pytest.raises(ExecutionFailed, match=r"timeout of 0\.05 s"):
        await kit.injector.run("scheduler", {"operation": "run_now", **data})
    assert await call(kit.injector, QUICK)


async def test_more_functions_than_may_run_wait(injector: Injector):
    """Of three functions where two may run at once the third begins when one ends."""
    with blocking.held():
        calls = [asyncio.create_task(call(injector, HANG, number=number)) for number in range(3)]
        await begun(2)
        await asyncio.sleep(0.02)
        assert blocking.begun == [0, 1]
    assert await asyncio.gather(*calls) == ["ended"] * 3


async def test_too_many_given_up_refuse_the_next(injector: Injector, nothing_left: None):
    """With as many functions given up as may run at once, the next is refused by name and way out; when one ends it is not."""
    with blocking.held():
        await give_up(injector)
        assert await call(injector, QUICK)
        await give_up(injector)
        with pytest.raises(TooManyGivenUp, match=r"2 functions that were given up still run.*blocking:hang.*restart"):
            await call(injector, QUICK)
    for thread in threading.enumerate():
        if thread.name.endswith(HANG):
            thread.join(10)
    assert await call(injector, QUICK)


def test_further_event_loop_has_room_of_its_own(injector: Injector):
    """On a second event loop functions run, and wait for each other, as on the first."""

    async def three() -> list[object]:
        with blocking.held():
            calls = [asyncio.create_task(call(injector, HANG, number=number)) for number in range(3)]
            await begun(2)
        return await asyncio.gather(*calls)

    assert asyncio.run(three()) == asyncio.run(three()) == ["ended"] * 3


async def test_stop_iteration_is_raised_as_an_error(injector: Injector):
    """A StopIteration, which no future can carry, does not hang its caller."""
    async with asyncio.timeout(10):
        with pytest.raises(RuntimeError, match="StopIteration"):
            await call(injector, STOPS)


# What is called, and what is refused


@pytest.mark.parametrize(("name", "kwargs"), [("decorated", {"number": 21}), ("doubler", {"number": 21}), ("partly", {})])
async def test_whatever_can_be_awaited_is(injector: Injector, name: str, kwargs: dict[str, int]):
    """A wrapper around an async function, an object with an async call and a partial are awaited as the function itself is."""
    create_function_agent([odd_functions.__name__], injector=(own := Injector()))
    assert await call(own, f"{odd_functions.__name__}:{name}", **kwargs) == 42


@pytest.mark.parametrize(("name", "module"), [("foreign", "posix"), ("foreign_partial", "posix")])
async def test_foreign_function_is_refused_by_where_it_is_defined(name: str, module: str):
    """A function that an allowed module has from elsewhere is refused, and the message says where it is defined."""
    create_function_agent([odd_functions.__name__], injector=(injector := Injector()))
    refusal = f"'{odd_functions.__name__}:{name}' is defined in '{module}', which is not allowed"
    with pytest.raises(PermissionError, match=re.escape(refusal)):
        await call(injector, f"{odd_functions.__name__}:{name}")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("raise RuntimeError('no licence')", "RuntimeError: no licence"),
        ("def (:", "SyntaxError: invalid syntax"),
        ("import sys; sys.exit('not here')", "SystemExit: not here"),
        ("import nowhere_at_all", "ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("x = 1", "AttributeError: module 'broken_module' has no attribute 'run'"),
    ],
)
async def test_module_that_cannot_be_imported_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, said: str):
    """Whatever a module raises when it is imported, the input is refused by field and value, and the message says what it raised."""
    (tmp_path / "broken_module.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "broken_module", raising=False)
    create_function_agent(["broken_module"], injector=(injector := Injector()))
    with pytest.raises(InvalidInput) as refused:
        await call(injector, "broken_module:run")
    sys.modules.pop("broken_module", None)
    assert (refused.value.field, refused.value.value) == ("function", "broken_module:run")
    assert f"'broken_module:run' cannot be imported: {said}" in str(refused.value)


@pytest.mark.parametrize("kind", ["def", "async def"])
async def test_module_is_imported_in_a_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str):
    """The first call of a function imports its module in a thread, so that one that takes long does not hold up the event loop."""
    (tmp_path / "slow_module.py").write_text(f"import threading\nname = threading.current_thread().name\n{kind} run(): return name")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "slow_module", raising=False)
    create_function_agent(["slow_module"], injector=(injector := Injector()))
    assert [await call(injector, "slow_module:run") for _ in range(2)] == ["agentool-function slow_module:run"] * 2
    del sys.modules["slow_module"]


PROGRAM = """
import asyncio, threading
from agentool import Injector
from agentoolkit.actions.function import create_function_agent

def hang():
    begun.set()
    threading.Event().wait()

begun = threading.Event()
injector = Injector()
create_function_agent(["__main__"], injector=injector)

async def main():
    calling = asyncio.create_task(injector.run("function", {"operation": "call", "function": "__main__:hang"}))
    while not begun.is_set():
        await asyncio.sleep(0.01)

asyncio.run(main())
print("over")
"""


def test_program_ends_although_a_function_hangs(tmp_path: Path):
    """asyncio.run returns and Python ends while a function hangs in its thread."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    ended = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=30, env=dict(os.environ))
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "over\n", "")


# Callables without a signature


@pytest.mark.parametrize(
    ("function", "args", "result"),
    [("time:sleep", [0], None), ("math:hypot", [3, 4], 5.0), ("builtins:max", [1, 2], 2), ("builtins:dict", [], {})],
)
async def test_a_callable_without_a_signature_is_scheduled_and_called(function: str, args: list[object], result: object):
    """Functions written in C may not say what they take: they are accepted when scheduled, and called."""
    async with toolkit(settings=Settings(timezone="UTC", functions=("time", "math", "builtins"))) as kit:
        data = {"operation": "call", "function": function, "args": args}
        job = {"agentool_name": "function", "input_data": data}
        await kit.injector.run("scheduler", {"operation": "schedule", "schedule": "in 1 hour", **job})
        answer = await kit.injector.run("scheduler", {"operation": "run_now", **job})
    assert answer.data["result"] == {"function": function, "result": result}


@pytest.mark.parametrize(("text", "kept"), [("nan", "NaN"), ("inf", "Infinity"), ("-inf", "-Infinity")])
async def test_numbers_that_json_does_not_have_are_kept_as_text(text: str, kept: str):
    """NaN and infinity are text in the record of an execution, not null."""
    async with toolkit(settings=Settings(timezone="UTC", functions=("builtins",))) as kit:
        data = {"operation": "call", "function": "builtins:float", "args": [text]}
        answer = await kit.injector.run("scheduler", {"operation": "run_now", "agentool_name": "function", "input_data": data})
    assert answer.data["result"]["result"] == kept


def test_models_within_models_and_lists_keep_such_numbers():
    """At any depth a model's number is text, a null stays null, and other values keep their JSON form."""

    class Inner(BaseModel):
        number: float | None = None
        when: datetime = datetime(2030, 1, 1, tzinfo=UTC)

    class Outer(BaseModel):
        inner: list[Inner]

    found = recordable({"outer": Outer(inner=[Inner(number=math.inf), Inner()])})
    assert found == {
        "outer": {"inner": [{"number": "Infinity", "when": "2030-01-01T00:00:00Z"}, {"number": None, "when": "2030-01-01T00:00:00Z"}]}
    }


@dataclass
class Picture:
    name: str
    content: bytes


def picture() -> list[Picture]:
    """Draw nothing."""
    return [Picture("dot", b"\xff\x00")]


class Bound(Enum):
    """Values that JSON does not have."""

    NONE = math.inf


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (deque([math.nan, 1]), ["NaN", 1]),
        (Bound.NONE, "Infinity"),
        ({math.inf: 1}, {"inf": 1}),
        ([{"a": deque([Bound.NONE])}], [{"a": ["Infinity"]}]),
    ],
)
def test_such_numbers_are_kept_wherever_they_stand(value: object, kept: object):
    """In a queue, as a member of an enumeration, as a key: they are never null."""
    assert recordable(FunctionOutput(function="a:b", result=value))["result"] == kept


async def test_bytes_that_are_no_text_are_base64_in_the_record():
    """What a function returns holds them at any depth, in a dataclass too."""
    async with toolkit(settings=Settings(timezone="UTC", functions=(__name__,))) as kit:
        data = {"operation": "call", "function": f"{__name__}:picture"}
        answer = await kit.injector.run("scheduler", {"operation": "run_now", "agentool_name": "function", "input_data": data})
    assert answer.data["result"]["result"] == [{"name": "dot", "content": {"encoding": "base64", "data": "/wA="}}]
