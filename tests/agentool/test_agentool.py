"""An AgenTool: made once and checked then, validated in whichever form its input comes."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentool import AgenTool, AgenToolError, BaseOperationInput, ConfigurationError, Injector, InvalidInput, RunContext, create_agentool
from agentool.errors import Tried


class DoorInput(BaseOperationInput):
    operation: Literal["open", "shut"]
    key: str | None = None
    width: int = 1


class TwoKeysInput(DoorInput):
    colour: str | None = None


async def open_door(ctx: RunContext, key: str, width: int = 1) -> str:
    return f"opened with {key}"


async def shut_door(ctx: RunContext) -> None:
    return None


HANDLERS = {"open": open_door, "shut": shut_door}


class ForbiddenKey(AgenToolError):
    pass


def only_known_keys(known: set[str], call: DoorInput) -> None:
    if call.key is not None and call.key not in known:
        raise ForbiddenKey("This key opens nothing.", field="key", value=call.key)


def make(**more: Any) -> AgenTool[Any]:
    return create_agentool("door", DoorInput, HANDLERS, injector=Injector(), **more)


# Making one


def test_creating_registers_with_the_current_injector(injector: Injector) -> None:
    """An AgenTool is registered where it is made, unless told otherwise."""
    made = create_agentool("door", DoorInput, HANDLERS)
    assert injector.get("door") is made


def test_creating_registers_with_the_given_injector(injector: Injector) -> None:
    """An AgenTool can be registered with another injector than the current one."""
    other = Injector()
    create_agentool("door", DoorInput, HANDLERS, injector=other)
    assert ("door" in other, "door" in injector) == (True, False)


def test_a_taken_name_is_refused(injector: Injector) -> None:
    """Two AgenTools cannot have one name, and the error says what to do."""
    create_agentool("door", DoorInput, HANDLERS)
    with pytest.raises(ConfigurationError, match="override"):
        create_agentool("door", DoorInput, HANDLERS)


def test_wrong_handlers_register_nothing(injector: Injector) -> None:
    """What cannot be made is not registered."""
    with pytest.raises(ConfigurationError):
        create_agentool("door", DoorInput, {"open": open_door})
    assert "door" not in injector


def test_an_example_that_does_not_validate_is_refused() -> None:
    """An example with a wrong field is found when the AgenTool is made."""
    with pytest.raises(InvalidInput, match="keys"):
        make(examples=({"operation": "open", "keys": "k"},))


def test_an_example_without_a_required_field_is_refused() -> None:
    """An example that its operation would refuse is found when the AgenTool is made."""
    with pytest.raises(InvalidInput, match="key"):
        make(examples=({"operation": "open"},))


def test_an_example_is_not_prechecked() -> None:
    """An example may name what this installation does not allow."""
    example = {"operation": "open", "key": "any"}
    assert make(examples=(example,), deps=set(), precheck=only_known_keys).examples == (example,)


def test_what_it_was_made_of_is_kept() -> None:
    """Name, input model, deps and description can be read back."""
    door = make(deps=7, description="A door.")
    assert (door.name, door.input_type, door.deps, door.description) == ("door", DoorInput, 7, "A door.")


def test_an_agentool_cannot_be_changed() -> None:
    """An AgenTool is a fact: none of its attributes can be set."""
    with pytest.raises(AttributeError):
        make().name = "gate"  # type: ignore[misc]


# Validating


def test_a_dict_is_validated() -> None:
    """A dict becomes the input model."""
    assert make().validate({"operation": "open", "key": "k"}) == DoorInput(operation="open", key="k")


def test_json_text_is_validated() -> None:
    """JSON text becomes the input model."""
    assert make().validate('{"operation": "open", "key": "k"}') == DoorInput(operation="open", key="k")


def test_json_bytes_are_validated() -> None:
    """JSON bytes become the input model."""
    assert make().validate(b'{"operation": "shut"}') == DoorInput(operation="shut")


def test_an_instance_of_the_model_passes_as_it_is() -> None:
    """Validated input is not validated again."""
    data = DoorInput(operation="shut")
    assert make().validate(data) is data


def test_text_that_is_no_json_is_refused() -> None:
    """Text that is no JSON is invalid input like any other."""
    with pytest.raises(InvalidInput, match="JSON"):
        make().validate("open the door")


@pytest.mark.parametrize("data", [None, [], 7, "[]", "null", b"\xff", object()])
def test_what_is_no_object_is_refused(data: object) -> None:
    """Whatever the input is, what does not fit is an InvalidInput."""
    with pytest.raises(InvalidInput):
        make().validate(data)


def test_an_unknown_operation_is_refused_with_those_that_exist() -> None:
    """An operation that does not exist is answered with those that do."""
    with pytest.raises(InvalidInput, match="'open' or 'shut'") as caught:
        make().validate({"operation": "opn"})
    assert (caught.value.field, caught.value.value) == ("operation", "opn")


def test_a_misspelt_field_is_answered_with_the_nearest() -> None:
    """A misspelt field is never ignored."""
    with pytest.raises(InvalidInput, match="Did you mean 'key'"):
        make().validate({"operation": "open", "kee": "k"})


def test_the_cause_of_a_refusal_is_kept() -> None:
    """Pydantic's own error is the cause of ours."""
    with pytest.raises(InvalidInput) as caught:
        make().validate({})
    assert type(caught.value.__cause__).__name__ == "ValidationError"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.dictionaries(st.sampled_from(["operation", "key", "width", "x"]), inner | st.just("open")) | st.lists(inner),
)


def outcome(data: object) -> type:
    try:
        return type(make().validate(data))
    except InvalidInput as error:
        return type(error)


@given(JSON)
def test_any_json_is_input_or_refused(data: object) -> None:
    """No JSON value leads to anything but an input model or an InvalidInput."""
    assert outcome(data) in (DoorInput, InvalidInput)


@given(st.text())
def test_any_text_is_input_or_refused(text: str) -> None:
    """No text leads to anything but an input model or an InvalidInput."""
    assert outcome(text) in (DoorInput, InvalidInput)


# Checking without calling


def test_checking_returns_the_validated_input() -> None:
    """Input that would be accepted comes back as the model."""
    assert make().check({"operation": "open", "key": "k"}) == DoorInput(operation="open", key="k")


def test_checking_finds_a_missing_required_field() -> None:
    """What an operation requires is checked without calling its handler."""
    with pytest.raises(InvalidInput, match="key: is required for operation 'open'"):
        make().check({"operation": "open"})


def test_checking_asks_the_precheck() -> None:
    """What the model cannot know, the precheck refuses, with its own error."""
    door = make(deps={"k"}, precheck=only_known_keys)
    with pytest.raises(ForbiddenKey):
        door.check({"operation": "open", "key": "other"})


def test_checking_accepts_what_the_precheck_accepts() -> None:
    """The precheck is given the deps and the validated input."""
    door = make(deps={"k"}, precheck=only_known_keys)
    assert door.check({"operation": "open", "key": "k"}).operation == "open"


def test_an_operation_is_found_by_validated_input() -> None:
    """Validated input leads to the operation it asks for."""
    assert make().operation(DoorInput(operation="shut")).handler is shut_door


def test_a_model_with_an_unrouted_operation_is_refused() -> None:
    """A model instance that was made without validation cannot reach what is not there."""
    with pytest.raises(InvalidInput, match="open, shut") as caught:
        make().operation(DoorInput.model_construct(operation="burn"))
    assert caught.value.field == "operation"


def test_output_types_are_listed_once() -> None:
    """Each type that a handler declares to return is listed, in the order of the operations."""
    assert make().output_types() == (str, None)


# All that is refused, at once


async def test_what_is_wrong_with_the_rest_is_told_with_a_field_that_there_is_not() -> None:
    """A field that is missing, and what the precheck says; but not that a field is missing which was taken out as wrong."""
    door = make(deps={"brass"}, precheck=only_known_keys)
    told: list[str] = []
    red = {"colour": "red"}
    for fields in (red, {**red, "key": "iron"}, {"key": 5}, {"key": 5, **red}, {**red, "key": "brass"}):
        with pytest.raises(InvalidInput) as refused:
            door.check({"operation": "open", **fields})
        first = [problem.field for problem in refused.value.problems]
        told.append(" ".join([*first, "+", *(error.field or "" for error in refused.value.also)]).strip())
    assert told == ["colour + key", "colour + key", "key +", "key colour +", "colour +"]


async def test_a_trial_tells_what_only_a_try_can_show() -> None:
    """It is made of the fields that are right, in place of the call, and only where one was refused."""
    opened: list[tuple[str, str]] = []

    async def opening(ctx: RunContext[str], key: str, width: int = 1) -> str:
        opened.append((ctx.deps, key))
        if key == "iron":
            raise ForbiddenKey("This key opens nothing.", field="key", value=key)
        if ctx.deps == "trial":
            raise Tried
        return "opened"

    home = Injector()
    handlers = {"open": opening, "shut": shut_door}
    create_agentool("door", DoorInput, handlers, deps="door", trial=lambda deps, asked: ("trial", asked), injector=home)
    assert await home.run("door", {"operation": "open", "key": "brass"}) == "opened"
    with pytest.raises(InvalidInput) as refused:
        await home.run("door", {"operation": "open", "key": "brass", "colour": "red"})
    assert refused.value.also == ()
    with pytest.raises(InvalidInput, match=r"colour: .* key: This key opens nothing\."):
        await home.run("door", {"operation": "open", "key": "iron", "colour": "red"})
    assert opened == [("door", "brass"), ("trial", "brass"), ("trial", "iron")]
    assert await home.refusals("door", {"operation": "open", "key": "brass"}) == ()


@pytest.mark.parametrize("failure", [OSError("the lock is stuck"), KeyError("door")])
async def test_a_trial_that_fails_hides_no_refusal(failure: Exception) -> None:
    """What was refused before is told, and nothing of the trial's own trouble."""

    async def opening(ctx: RunContext[str], key: str, width: int = 1) -> str:
        raise failure

    home = Injector()
    handlers = {"open": opening, "shut": shut_door}
    create_agentool("door", DoorInput, handlers, deps="door", trial=lambda deps, asked: ("trial", asked), injector=home)
    with pytest.raises(InvalidInput, match="colour") as refused:
        await home.run("door", {"operation": "open", "key": "brass", "colour": "red"})
    assert refused.value.also == ()


async def test_a_trial_calls_nothing_missing_that_was_refused() -> None:
    """A required field that was given and did not fit is told once, as what it is; one that is missing is told too."""

    async def opening(ctx: RunContext[str], key: str, colour: str) -> str:
        raise AssertionError

    home = Injector()
    handlers = {"open": opening, "shut": shut_door}
    create_agentool("door", TwoKeysInput, handlers, deps="door", trial=lambda deps, asked: ("trial", asked), injector=home)
    for data, told in (({"key": 5, "colour": "red"}, []), ({"key": 5}, ["colour"])):
        with pytest.raises(InvalidInput) as refused:
            await home.run("door", {"operation": "open", **data})
        assert "key: is required" not in str(refused.value)
        assert [problem.field for error in refused.value.also for problem in error.problems] == told
