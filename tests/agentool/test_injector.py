"""The injector: AgenTools are registered, found, replaced and called."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Event, Thread, current_thread, main_thread
from types import ModuleType
from typing import Any, Literal

import pytest

from agentool import (
    AgenTool,
    BaseOperationInput,
    ConfigurationError,
    Injector,
    InvalidInput,
    RunContext,
    UnknownAgenTool,
    create_agentool,
    get_injector,
)
from agentool.core.background import Background

from .test_agentool import HANDLERS, DoorInput


class OneInput(BaseOperationInput):
    operation: Literal["do"]


def answering(answer: object, declared: Any, name: str = "one") -> AgenTool[Any]:
    """Make an AgenTool of its own injector that answers always alike."""

    async def do(ctx: RunContext[Any]) -> Any:
        return answer

    do.__annotations__["return"] = declared
    return create_agentool(name, OneInput, {"do": do}, injector=Injector())


DO = {"operation": "do"}


# Registered and found


def test_a_registered_agentool_is_found_by_name(injector: Injector, counter: AgenTool[Any]) -> None:
    """What was registered is what is found."""
    assert injector.get("counter") is counter


def test_registering_the_same_again_is_allowed(injector: Injector, counter: AgenTool[Any]) -> None:
    """Registering one AgenTool twice changes nothing."""
    assert injector.register(counter) is counter


def test_an_unknown_name_gets_the_nearest(injector: Injector, counter: AgenTool[Any]) -> None:
    """A misspelt name is answered with the one that was meant."""
    with pytest.raises(UnknownAgenTool, match="Did you mean 'counter'"):
        injector.get("conter")


def test_an_unknown_name_is_carried_by_the_error(injector: Injector) -> None:
    """The error says which field was wrong and what stood there."""
    with pytest.raises(UnknownAgenTool) as caught:
        injector.get("nothing")
    assert (caught.value.field, caught.value.value) == ("agentool_name", "nothing")


def test_an_empty_injector_says_that_nothing_is_registered(injector: Injector) -> None:
    """Where nothing is registered, the remedy is to make an AgenTool first."""
    with pytest.raises(UnknownAgenTool, match="Nothing is registered yet"):
        injector.get("counter")


def test_the_catalog_is_in_order_of_names(injector: Injector, counter: AgenTool[Any]) -> None:
    """The catalogue lists every AgenTool by name."""
    abacus = injector.register(answering(1, int, "abacus"))
    assert list(injector.catalog()) == [abacus, counter]


def test_a_cleared_injector_knows_nothing(injector: Injector, counter: AgenTool[Any]) -> None:
    """After clearing, no AgenTool is registered."""
    injector.clear()
    assert not injector.catalog()


# Replaced


async def test_an_override_answers_to_the_name(injector: Injector, counter: AgenTool[Any]) -> None:
    """Inside the block, the other AgenTool is called."""
    with injector.override("counter", answering(42, int)):
        assert await injector.run("counter", DO) == 42


def test_an_override_ends_with_its_block(injector: Injector, counter: AgenTool[Any]) -> None:
    """After the block, the name means what it meant before."""
    with injector.override("counter", answering(42, int)):
        pass
    assert injector.get("counter") is counter


def test_an_override_ends_when_its_block_fails(injector: Injector, counter: AgenTool[Any]) -> None:
    """An exception inside the block leaves no override behind."""
    with pytest.raises(KeyError), injector.override("counter", answering(42, int)):
        raise KeyError
    assert injector.get("counter") is counter


def test_overrides_nest(injector: Injector, counter: AgenTool[Any]) -> None:
    """The inner of two overrides holds, and then the outer one again."""
    outer, inner = answering(1, int), answering(2, int)
    with injector.override("counter", outer):
        with injector.override("counter", inner):
            assert injector.get("counter") is inner
        assert injector.get("counter") is outer


def test_an_override_of_a_new_name_leaves_no_trace(injector: Injector) -> None:
    """A name that nobody had is free again after the block."""
    with injector.override("fake", answering(1, int)):
        assert "fake" in injector
    assert "fake" not in injector


# The current injector


def test_the_activated_injector_is_the_current_one() -> None:
    """Inside `activate`, `get_injector` gives this injector."""
    with Injector().activate() as injector:
        assert get_injector() is injector


def test_activation_ends_with_its_block() -> None:
    """After `activate`, the current injector is what it was before."""
    before = get_injector()
    with Injector().activate():
        pass
    assert get_injector() is before


def test_activations_nest() -> None:
    """The inner of two activated injectors is the current one, and then the outer again."""
    with Injector().activate() as outer:
        with Injector().activate() as inner:
            assert get_injector() is inner
        assert get_injector() is outer


def test_without_activation_there_is_one_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where none is activated, there is one injector, made at first use."""
    monkeypatch.setattr("agentool.core.injector._default", None)
    assert get_injector() is get_injector()


def test_two_event_loops_share_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second `asyncio.run` in one process finds what was registered in the first."""
    monkeypatch.setattr("agentool.core.injector._default", None)

    async def register() -> None:
        get_injector().register(answering(42, int))

    async def call() -> Any:
        return await get_injector().run("one", DO)

    asyncio.run(register())
    assert asyncio.run(call()) == 42


def test_a_task_keeps_the_injector_it_was_started_with() -> None:
    """Two tasks, each started under another injector, do not meet."""

    async def current() -> Injector:
        return get_injector()

    async def two() -> list[Injector]:
        tasks = []
        for injector in injectors:
            with injector.activate():
                tasks.append(asyncio.create_task(current()))
        return await asyncio.gather(*tasks)

    injectors = [Injector(), Injector()]
    assert asyncio.run(two()) == injectors


# Called


@pytest.mark.parametrize(
    "data",
    [{"operation": "add", "name": "a"}, '{"operation": "add", "name": "a"}', b'{"operation": "add", "name": "a"}'],
    ids=["dict", "text", "bytes"],
)
async def test_input_comes_as_dict_or_json(injector: Injector, counter: AgenTool[Any], data: object) -> None:
    """A dict and JSON, as text or bytes, mean the same call."""
    assert (await injector.run("counter", data)).value == 1


async def test_input_comes_as_a_model(injector: Injector, counter: AgenTool[Any]) -> None:
    """An instance of the input model is called with as it is."""
    data = counter.input_type.model_validate({"operation": "add", "name": "a", "by": 5})
    assert (await injector.run("counter", data)).value == 5


async def test_the_output_is_the_handlers_own(injector: Injector) -> None:
    """The very object that the handler returned comes back."""
    answer = {"a": 1}
    injector.register(answering(answer, dict))
    assert await injector.run("one", DO) is answer


async def test_deps_last_from_call_to_call(injector: Injector, counter: AgenTool[Any]) -> None:
    """What an AgenTool holds is its deps, the same at every call."""
    await injector.run("counter", {"operation": "add", "name": "a"})
    assert (await injector.run("counter", {"operation": "add", "name": "a"})).value == 2


async def test_two_injectors_share_nothing() -> None:
    """AgenTools of the same name in two injectors do not meet."""
    first, second = Injector(), Injector()
    first.register(answering(1, int))
    second.register(answering(2, int))
    assert [await injector.run("one", DO) for injector in (first, second)] == [1, 2]


async def test_the_context_tells_who_is_called(injector: Injector) -> None:
    """A handler is told its deps, the injector that called it and its AgenTool's name."""

    async def do(ctx: RunContext[str]) -> tuple[object, ...]:
        return ctx.deps, ctx.injector, ctx.agentool_name

    create_agentool("one", OneInput, {"do": do}, deps="held")
    assert await injector.run("one", DO) == ("held", injector, "one")


async def test_an_unknown_agentool_is_an_exception(injector: Injector) -> None:
    """Calling what is not registered raises; no text stands for an error."""
    with pytest.raises(UnknownAgenTool):
        await injector.run("nothing", DO)


async def test_invalid_input_calls_nothing(injector: Injector, counter: AgenTool[Any]) -> None:
    """A handler is not called with input that does not fit."""
    with pytest.raises(InvalidInput):
        await injector.run("counter", {"operation": "add", "name": "a", "by": "x"})
    assert counter.deps == {}


async def test_a_missing_required_field_calls_nothing(injector: Injector, counter: AgenTool[Any]) -> None:
    """A handler is not called without a field that it requires."""
    with pytest.raises(InvalidInput, match="name: is required for operation 'add'"):
        await injector.run("counter", {"operation": "add"})
    assert counter.deps == {}


async def test_a_model_with_an_unrouted_operation_is_refused(injector: Injector, counter: AgenTool[Any]) -> None:
    """An operation that has no handler is invalid input, however it got there."""
    with pytest.raises(InvalidInput, match="add, break, read"):
        await injector.run("counter", counter.input_type.model_construct(operation="burn"))


async def test_what_a_handler_raises_comes_unchanged(injector: Injector, counter: AgenTool[Any]) -> None:
    """An exception of a handler reaches the caller as it is, not as text."""
    with pytest.raises(ZeroDivisionError, match=r"^broken on purpose$"):
        await injector.run("counter", {"operation": "break"})


# From synchronous code


def test_a_call_without_an_event_loop(injector: Injector, counter: AgenTool[Any]) -> None:
    """`run_sync` calls from code that has no event loop."""
    assert injector.run_sync("counter", {"operation": "add", "name": "a"}).value == 1


async def test_a_sync_call_inside_an_event_loop_is_refused(injector: Injector, counter: AgenTool[Any]) -> None:
    """`run_sync` inside an event loop is a mistake that is named, with the remedy."""
    with pytest.raises(ConfigurationError, match=r"await injector\.run"):
        injector.run_sync("counter", {"operation": "add", "name": "a"})


@pytest.fixture
def loop_of(injector: Injector) -> Callable[[], int]:
    """Call an AgenTool that tells which event loop it runs on."""

    async def do(ctx: RunContext[Any]) -> int:
        return id(asyncio.get_running_loop())

    create_agentool("loop", OneInput, {"do": do}, injector=injector)
    return lambda: injector.run_sync("loop", DO)


def test_sync_calls_share_an_event_loop(loop_of: Callable[[], int]) -> None:
    """Calls of whatever threads are done on one event loop, so that what belongs to it lasts from call to call."""
    with ThreadPoolExecutor(4) as threads:
        loops = {loop_of(), loop_of(), *(call.result() for call in [threads.submit(loop_of) for _ in range(4)])}
    assert len(loops) == 1


def test_what_a_sync_call_starts_goes_on(injector: Injector) -> None:
    """A task that a handler leaves behind goes on after the call."""
    tasks: list[asyncio.Task[None]] = []
    done = Event()

    async def later() -> None:
        await asyncio.sleep(0)
        done.set()

    async def do(ctx: RunContext[Any]) -> None:
        tasks.append(asyncio.create_task(later()))

    create_agentool("one", OneInput, {"do": do}, injector=injector)
    injector.run_sync("one", DO)
    assert done.wait(5)


def test_a_sync_call_has_its_callers_context() -> None:
    """What is activated where `run_sync` is called is the current injector in the handler."""

    async def do(ctx: RunContext[Any]) -> Injector:
        return get_injector()

    with Injector().activate() as injector:
        create_agentool("one", OneInput, {"do": do})
        assert injector.run_sync("one", DO) is injector


async def test_a_thread_of_a_running_program_calls_sync(injector: Injector, counter: AgenTool[Any]) -> None:
    """A thread has no event loop, also where its program has one."""
    assert (await asyncio.to_thread(injector.run_sync, "counter", {"operation": "add", "name": "a"})).value == 1


def test_a_sync_call_inside_a_sync_call(injector: Injector, counter: AgenTool[Any]) -> None:
    """A handler that works in a thread may call by `run_sync` what it needs."""

    async def do(ctx: RunContext[Any]) -> Any:
        return (await asyncio.to_thread(ctx.injector.run_sync, "counter", {"operation": "add", "name": "a"})).value

    create_agentool("one", OneInput, {"do": do}, injector=injector)
    assert injector.run_sync("one", DO) == 1


def test_what_a_handler_raises_comes_unchanged_to_a_sync_caller(injector: Injector, counter: AgenTool[Any]) -> None:
    """An exception reaches a caller without an event loop as it is."""
    with pytest.raises(ZeroDivisionError, match=r"^broken on purpose$"):
        injector.run_sync("counter", {"operation": "break"})


def test_a_stopped_background_starts_again() -> None:
    """After `stop` the thread has ended and its tasks are cancelled; the next use starts another."""
    background = Background()

    async def thread() -> Thread:
        return current_thread()

    first = background.run(thread())
    background.stop()
    assert not first.is_alive()
    assert background.run(thread()) is not first
    background.stop()


@pytest.fixture
def interruptible() -> Iterator[None]:
    """SIGINT raises KeyboardInterrupt, as in a program in the foreground; one in the background is started with it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupted_sync_call_is_cancelled(injector: Injector) -> None:
    """Ctrl-C while `run_sync` waits cancels the handler: nobody waits for it any more."""
    cancelled = Event()

    async def do(ctx: RunContext[Any]) -> None:
        try:
            await asyncio.sleep(0.05)  # until the caller waits
            signal.pthread_kill(main_thread().ident or 0, signal.SIGINT)  # as from the terminal: the main thread gets it
            await asyncio.sleep(60)
        finally:
            cancelled.set()

    create_agentool("one", OneInput, {"do": do}, injector=injector)
    with pytest.raises(KeyboardInterrupt):
        injector.run_sync("one", DO)
    assert cancelled.wait(5)


AT_THE_END = """
import asyncio
from typing import Literal
from agentool import BaseOperationInput, RunContext, create_agentool, get_injector

class OneInput(BaseOperationInput):
    operation: Literal["do"]

tasks = []

async def do(ctx: RunContext) -> str:
    tasks.append(asyncio.create_task(asyncio.sleep(60)))
    return "done"

create_agentool("one", OneInput, {"do": do})
print(get_injector().run_sync("one", {"operation": "do"}))
"""


def test_a_process_ends_in_time_and_silence() -> None:
    """What still goes on when the program is over neither holds it up nor causes a warning."""
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", AT_THE_END]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert (ended.stdout, ended.stderr, ended.returncode) == ("done\n", "", 0)


# Made when it is first asked for


def test_a_lazy_agentool_is_made_at_first_use(injector: Injector) -> None:
    """Its name is known before, and listing names makes nothing."""
    made: list[str] = []

    def build() -> None:
        made.append("door")
        create_agentool("door", DoorInput, HANDLERS, injector=injector)

    injector.register_lazily("door", build)
    assert ("door" in injector, list(injector.names()), made) == (True, ["door"], [])
    assert injector.get("door") is injector.get("door")
    assert [agentool.name for agentool in injector.catalog()] == made == ["door"]


LOOKS: dict[str, Callable[[Injector], bool]] = {
    "in": lambda injector: "door" in injector,
    "names": lambda injector: list(injector.names()) == ["door"],
    "get": lambda injector: injector.get("door").name == "door",
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_a_thread_finds_a_lazy_agentool_that_another_one_makes(injector: Injector, look: Callable[[Injector], bool]) -> None:
    """A worker's store looks for it from a thread of its own, and would leave the execution to another worker."""
    with ThreadPoolExecutor() as threads:
        looks: list[Future[bool]] = []

        def build() -> None:
            looks.append(threads.submit(look, injector))
            wait(looks, timeout=0.1)  # whoever waits until it is made does not answer here
            create_agentool("door", DoorInput, HANDLERS, injector=injector)

        injector.register_lazily("door", build)
        injector.get("door")
        assert looks[0].result(10)


def test_the_name_of_a_lazy_agentool_is_taken(injector: Injector) -> None:
    """Neither an AgenTool nor another lazy one may have it."""
    injector.register_lazily("door", lambda: None)
    with pytest.raises(ConfigurationError, match="registered already"):
        create_agentool("door", DoorInput, HANDLERS, injector=injector)
    with pytest.raises(ConfigurationError, match="registered already"):
        injector.register_lazily("door", lambda: None)


def test_what_fails_to_be_made_is_tried_again(injector: Injector) -> None:
    """A failure is the caller's to see, and the next one makes it anew."""
    tries = iter([ConfigurationError("not yet"), None])

    def build() -> None:
        if error := next(tries):
            raise error
        create_agentool("door", DoorInput, HANDLERS, injector=injector)

    injector.register_lazily("door", build)
    with pytest.raises(ConfigurationError, match="not yet"):
        injector.get("door")
    assert injector.get("door").name == "door"


def test_what_registers_nothing_is_a_mistake_of_the_application(injector: Injector) -> None:
    """It is named, at each use, and the name stays."""
    injector.register_lazily("door", lambda: None)
    for _ in range(2):
        with pytest.raises(ConfigurationError, match=r"was to register the AgenTool 'door', and did not. Let it call create_agentool"):
            injector.get("door")
    assert "door" in injector


# Ordinary mistakes


@pytest.mark.parametrize("name", [{"operation": "do"}, ["one"], 1, None], ids=type)
async def test_what_is_no_name_is_refused(injector: Injector, counter: AgenTool[Any], name: Any) -> None:
    """As where name and input have changed places."""
    for call in (injector.run(name, "one"), injector.refusals(name, "one")):
        with pytest.raises(UnknownAgenTool, match=r"An AgenTool is called by its name, not by .*injector.run\(name, input\)") as refused:
            await call
        assert refused.value.value == name


@pytest.mark.parametrize("given", ["door", HANDLERS, DoorInput], ids=type)
def test_what_is_no_agentool_is_refused(injector: Injector, counter: AgenTool[Any], given: Any) -> None:
    """And leaves nothing behind."""
    with pytest.raises(ConfigurationError, match=r"is not an AgenTool. Make one with create_agentool"):
        injector.register(given)
    with pytest.raises(ConfigurationError, match="is not an AgenTool"), injector.override("counter", given):
        raise AssertionError
    with injector.override("counter", counter):
        assert injector.get("counter") is counter
    assert injector.get("counter") is counter


def test_an_injector_may_be_cleared_inside_an_override(injector: Injector, counter: AgenTool[Any]) -> None:
    """The block ends like any other."""
    with injector.override("counter", counter):
        injector.clear()
    assert injector.names() == []


def test_threads_share_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that asks for it while another one makes it waits, and gets the same."""
    begun, made = Event(), list[Injector]()

    class Slow(Injector):
        def __init__(self) -> None:
            made.append(self)
            begun.set()
            second.join(0.05)  # it waits for this one
            super().__init__()

    monkeypatch.setattr("agentool.core.injector._default", None)
    monkeypatch.setattr("agentool.core.injector.Injector", Slow)
    with ThreadPoolExecutor(2) as threads:
        second = Thread(target=lambda: (begun.wait(5), get_injector()))
        second.start()
        first = threads.submit(get_injector).result()
        second.join(5)
    assert made == [first]


# Blocks that overlap


def test_overrides_that_overlap_leave_what_was_there(injector: Injector) -> None:
    """Each exit removes its own override, in whatever order."""
    real = create_agentool("door", DoorInput, HANDLERS, injector=injector)
    first, second = (create_agentool("door", DoorInput, HANDLERS, injector=Injector()) for _ in range(2))
    one, two = injector.override("door", first), injector.override("door", second)
    one.__enter__()
    two.__enter__()
    one.__exit__(None, None, None)
    assert injector.get("door") is second
    two.__exit__(None, None, None)
    assert injector.get("door") is real


def test_activations_that_overlap_leave_what_was_there() -> None:
    """The first to end does not make itself the current one again when the second ends."""
    before, first, second = get_injector(), Injector(), Injector()
    one, two = first.activate(), second.activate()
    one.__enter__()
    two.__enter__()
    one.__exit__(None, None, None)
    assert get_injector() is second
    two.__exit__(None, None, None)
    assert get_injector() is before


# The same definition again

CELL = """
from typing import Literal
from agentool import BaseOperationInput, RunContext, create_agentool

class LampInput(BaseOperationInput):
    operation: Literal["switch"]

async def switch(ctx: RunContext[int]) -> str:
    return str(ctx.deps)

create_agentool("lamp", LampInput, {"switch": switch}, deps=number)
"""


@pytest.mark.parametrize("module", ["__main__", "reloaded"])
async def test_a_cell_that_runs_twice_registers_again(injector: Injector, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newer definition of the same place replaces the older one."""
    with injector.activate():
        for number in (1, 2):
            held = ModuleType(module)
            monkeypatch.setitem(sys.modules, module, held)
            held.__dict__["number"] = number
            exec(CELL, held.__dict__)
        assert await injector.run("lamp", {"operation": "switch"}) == "2"
