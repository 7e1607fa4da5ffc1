"""A handler returns what it declares to return."""

from __future__ import annotations

from typing import Any, Literal, Protocol

import pytest
from pydantic import BaseModel
from typing_extensions import TypedDict

from agentool import BaseOperationInput, Injector, InvalidOutput, RunContext, create_agentool


class OneInput(BaseOperationInput):
    operation: Literal["do"]


async def answer_of(answer: object, declared: Any) -> Any:
    """Call an AgenTool whose handler declares one type and returns this answer."""

    async def do(ctx: RunContext) -> Any:
        return answer

    do.__annotations__["return"] = declared
    injector = Injector()
    create_agentool("one", OneInput, {"do": do}, injector=injector)
    return await injector.run("one", {"operation": "do"})


class Answer(BaseModel):
    value: int = 0


class Typed(TypedDict):
    value: int


class Sized(Protocol):
    def __len__(self) -> int: ...


@pytest.mark.parametrize(
    ("answer", "declared"),
    [
        (Answer(), Answer),
        (None, None),
        ({"a": 1}, dict[str, int]),
        ([1], list[int] | None),
        (None, int | None),
        ({"value": 1}, Typed),
        (1, float),
        ("a", Literal["a", "b"]),
        ("anything", Any),
        (b"", Sized),
    ],
    ids=str,
)
async def test_an_answer_of_the_declared_type_is_returned(answer: object, declared: Any) -> None:
    """Whatever a handler may declare, an answer of that type is returned."""
    assert await answer_of(answer, declared) is answer


@pytest.mark.parametrize(
    ("answer", "declared"),
    [("text", Answer), ("text", None), ("text", dict[str, int]), ("text", int | None), ("text", Typed), ("text", float), (1, Literal["a"])],
    ids=str,
)
async def test_an_answer_of_another_type_is_refused(answer: object, declared: Any) -> None:
    """A handler that returns something else than it declares has broken its contract."""
    with pytest.raises(InvalidOutput):
        await answer_of(answer, declared)


async def test_a_handler_without_a_declaration_returns_what_it_likes(injector: Injector) -> None:
    """Where no return type is declared, none is checked."""

    async def do(ctx):  # type: ignore[no-untyped-def]
        return 42

    create_agentool("one", OneInput, {"do": do})
    assert await injector.run("one", {"operation": "do"}) == 42


async def test_a_wrong_answer_is_shown_with_its_operation() -> None:
    """The error names AgenTool and operation, what was returned and what was declared."""
    with pytest.raises(InvalidOutput, match=r"one\.do returned 'text', and declares Answer"):
        await answer_of("text", Answer)
