"""Each call of an AgenTool is one OpenTelemetry span."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any, Literal

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from agentool import AgenTool, BaseOperationInput, Injector, InvalidInput, InvalidOutput, RunContext, create_agentool
from agentool.core.spans import tracer


class RelayInput(BaseOperationInput):
    operation: Literal["relay", "lie"]


async def relay(ctx: RunContext) -> None:
    await ctx.injector.run("counter", {"operation": "add", "name": "a"})


async def lie(ctx: RunContext) -> int:
    return "text"  # type: ignore[return-value]


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """Where spans end up. The global provider can be set only once, so it is put in its place."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr("opentelemetry.trace._TRACER_PROVIDER", provider)
    tracer.cache_clear()
    yield exporter
    tracer.cache_clear()


@pytest.fixture
def relaying(injector: Injector, counter: AgenTool[Any]) -> AgenTool[Any]:
    """An AgenTool that calls the counter."""
    return create_agentool("relay", RelayInput, {"relay": relay, "lie": lie})


def only(spans: InMemorySpanExporter) -> ReadableSpan:
    (span,) = spans.get_finished_spans()
    return span


async def test_a_call_is_a_span_named_tool_and_operation(spans: InMemorySpanExporter, injector: Injector, counter: AgenTool[Any]) -> None:
    """The span of a call is named after its AgenTool and operation."""
    await injector.run("counter", {"operation": "add", "name": "a"})
    assert only(spans).name == "counter.add"


async def test_a_traced_call_returns_the_same(spans: InMemorySpanExporter, injector: Injector, counter: AgenTool[Any]) -> None:
    """Tracing changes nothing about the answer."""
    assert (await injector.run("counter", {"operation": "add", "name": "a", "by": 3})).value == 3


async def test_a_successful_call_has_no_error_status(spans: InMemorySpanExporter, injector: Injector, counter: AgenTool[Any]) -> None:
    """The span of a call that succeeded is not marked as an error."""
    await injector.run("counter", {"operation": "add", "name": "a"})
    assert only(spans).status.status_code is not StatusCode.ERROR


async def test_a_call_within_a_call_is_a_child(spans: InMemorySpanExporter, injector: Injector, relaying: AgenTool[Any]) -> None:
    """The span of an AgenTool that another one called is the child of the other's."""
    await injector.run("relay", {"operation": "relay"})
    child, parent = spans.get_finished_spans()
    assert (child.name, parent.name) == ("counter.add", "relay.relay")
    assert child.parent is not None
    assert child.parent.span_id == parent.get_span_context().span_id


async def test_two_calls_are_two_traces(spans: InMemorySpanExporter, injector: Injector, counter: AgenTool[Any]) -> None:
    """A call does not stay current after it has ended."""
    for _ in range(2):
        await injector.run("counter", {"operation": "add", "name": "a"})
    assert len({span.get_span_context().trace_id for span in spans.get_finished_spans()}) == 2


async def test_an_exception_is_recorded(spans: InMemorySpanExporter, injector: Injector, counter: AgenTool[Any]) -> None:
    """What a handler raised is an event of the span."""
    with pytest.raises(ZeroDivisionError):
        await injector.run("counter", {"operation": "break"})
    (event,) = only(spans).events
    assert (event.attributes or {})["exception.type"] == "ZeroDivisionError"


async def test_a_failed_call_is_marked(spans: InMemorySpanExporter, injector: Injector, counter: AgenTool[Any]) -> None:
    """The span of a call that failed has the status of an error."""
    with pytest.raises(ZeroDivisionError):
        await injector.run("counter", {"operation": "break"})
    assert only(spans).status.status_code is StatusCode.ERROR


async def test_a_missing_field_is_recorded(spans: InMemorySpanExporter, injector: Injector, counter: AgenTool[Any]) -> None:
    """A call that its operation refused is a failed span too."""
    with pytest.raises(InvalidInput):
        await injector.run("counter", {"operation": "add"})
    assert only(spans).status.status_code is StatusCode.ERROR


async def test_a_broken_contract_is_recorded(spans: InMemorySpanExporter, injector: Injector, relaying: AgenTool[Any]) -> None:
    """An answer of another type than declared is a failed span."""
    with pytest.raises(InvalidOutput):
        await injector.run("relay", {"operation": "lie"})
    assert only(spans).status.status_code is StatusCode.ERROR


async def test_a_call_is_made_while_another_thread_imports_opentelemetry(
    monkeypatch: pytest.MonkeyPatch, injector: Injector, counter: AgenTool[Any]
) -> None:
    """Such as the client of Redis in its own thread: the module is there, and its names are not yet."""
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", ModuleType("opentelemetry.trace"))
    assert (await injector.run("counter", {"operation": "add", "name": "a", "by": 3})).value == 3
