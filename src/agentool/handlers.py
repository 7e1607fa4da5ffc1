"""Read operations out of handlers: the signature is the route, the required fields and the schema. Nothing is written twice.

A handler is an ``async`` function. Its first parameter is the context; the others name fields of the
input model. A parameter without a default is required *for that operation*.
``**more: Unpack[Fields]``, with a ``TypedDict``, takes all fields of the ``TypedDict``, each optional.
A parameter annotated with a base of the input model takes all fields of that base: it gets an instance
that holds the given fields. ``Annotated[Base, Needs("name")]`` makes some of them required.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import FunctionType
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin, get_type_hints
from weakref import WeakKeyDictionary

from pydantic import BaseModel, PydanticUndefinedAnnotation
from pydantic_core import PydanticUndefined
from typing_extensions import Unpack

from agentool.annotations import classes, fits
from agentool.base import BaseOperationInput
from agentool.errors import ConfigurationError, InvalidInput, did_you_mean, excerpt
from agentool.operations import NAME, Handler, Needs, Operation

_SECTION = re.compile(r"^(?:(?:Args|Arguments|Parameters|Returns|Yields|Raises):|[:@]\w+|\w+\n-{3,}$)", re.MULTILINE)
"""Begins a section of a docstring, as Google, Sphinx and NumPy write it, where no blank line parts it from the description."""
_UNPACKS = (Unpack, typing.Unpack)
"""On Python 3.11 they are two different objects."""


def read_operations(
    input_type: type[BaseOperationInput], handlers: Mapping[str, Handler], refusal: type[InvalidInput] = InvalidInput
) -> dict[str, Operation]:
    """Check handlers against the input model and turn each into an `Operation`.

    Raises:
        ConfigurationError: An operation has no handler, or a handler no operation; a handler is not
            ``async``; a parameter fits no field; a field is given by another name than its own; or no call could be right.
    """
    _check_kinds(input_type, handlers)
    _complete(input_type)
    _check_names(input_type)
    accepted = accepted_operations(input_type)
    if without := accepted - handlers.keys():
        raise ConfigurationError(f"{input_type.__name__} accepts {sorted(without)} and no handler is given for it.")
    if unknown := handlers.keys() - accepted:
        raise ConfigurationError(f"Handlers {sorted(unknown)} belong to no operation that {input_type.__name__} accepts.")
    return {name: _read_operation(name, handler, input_type, refusal) for name, handler in handlers.items()}


def _is_input_model(given: object) -> bool:
    return isinstance(given, type) and issubclass(given, BaseOperationInput)


def _check_kinds(input_type: object, handlers: object) -> None:
    if not _is_input_model(input_type):
        problem = f"The input model must be a subclass of BaseOperationInput, not {excerpt(input_type)}."
        raise ConfigurationError(problem, field="input_type", value=input_type, remedy="Write `class StockInput(BaseOperationInput):`.")
    if not isinstance(handlers, Mapping):
        problem = f"The handlers must be a dict by operation, not {excerpt(handlers)}."
        raise ConfigurationError(problem, field="handlers", value=handlers, remedy='Write {"add": stock_add, "count": stock_count}.')


def _complete(input_type: type[BaseOperationInput]) -> None:
    """Let pydantic resolve the types of a model that was defined before them. One that stays unknown would fail at every call."""
    if not input_type.__pydantic_complete__:
        try:
            input_type.model_rebuild(_types_namespace={})  # not the names that happen to be known here
        except PydanticUndefinedAnnotation as error:
            problem = f"{input_type.__name__} has a field whose type {error.name!r} is not known."
            remedy = "Import it outside of `if TYPE_CHECKING`, or define it at the top level of the model's module."
            raise ConfigurationError(problem, field="input_type", value=error.name, remedy=remedy) from error


def _check_names(input_type: type[BaseOperationInput]) -> None:
    """Refuse an alias: a field is called by its name in schemas, refusals and handlers."""
    for name, info in input_type.model_fields.items():
        if (alias := info.validation_alias or info.alias) not in (None, name):
            problem = f"Field {name!r} of {input_type.__name__} has the alias {alias!r}, and no caller is told of it."
            raise ConfigurationError(problem, field=name, remedy="Leave the alias out, and name the field as callers give it.")


def accepted_operations(input_type: type[BaseOperationInput]) -> frozenset[str]:
    """Return the values of ``operation`` that this model accepts."""
    annotation = input_type.model_fields["operation"].annotation
    if get_origin(annotation) is not Literal:
        problem = f"{input_type.__name__}.operation must be a Literal of its operations, not {annotation!r}."
        raise ConfigurationError(problem, field="operation", remedy='Write `operation: Literal["add", "count"]`.')
    accepted: tuple[object, ...] = get_args(annotation)
    for name in accepted:
        if not (isinstance(name, str) and NAME.fullmatch(name)):
            problem = f"{input_type.__name__} has the operation {excerpt(name)}; its name must have letters, digits, '_', '-' and '.' only."
            raise ConfigurationError(problem, field="operation", value=name, remedy="Choose a verb, such as 'add'.")
    return frozenset(map(str, accepted))


@dataclass(frozen=True, slots=True)
class _Parameter:
    """One field that a handler takes."""

    name: str
    annotation: Any
    default: Any = PydanticUndefined
    required: bool = False
    base: tuple[str, type[BaseModel]] | None = None
    """The handler's parameter and the base of the input model that has the field."""


class _Reading(NamedTuple):
    """The facts of an operation that its handler's signature gives. The operation's name is not among them."""

    fields: frozenset[str]
    required: frozenset[str]
    output_type: Any
    output_classes: tuple[type, ...]
    bases: Mapping[str, type[BaseModel]]


_readings: WeakKeyDictionary[FunctionType, WeakKeyDictionary[type[BaseOperationInput], _Reading]] = WeakKeyDictionary()
"""Readings by function and model, for as long as both exist: most handlers serve one `Injector` after another."""


def _read_operation(name: str, handler: Handler, input_type: type[BaseOperationInput], refusal: type[InvalidInput]) -> Operation:
    if not inspect.iscoroutinefunction(handler):
        remedy = "Write `async def`, and let it return its output; what blocks is awaited in a thread: `await asyncio.to_thread(…)`."
        raise ConfigurationError(f"The handler of operation {name!r} must be an async function, not {handler!r}.", remedy=remedy)
    described, _ = _unwrapped(handler)
    return Operation(
        name=name,
        handler=handler,
        description=_SECTION.split(inspect.cleandoc(described.__doc__ or "").partition("\n\n")[0], maxsplit=1)[0].strip(),
        refusal=refusal,
        **_read_once(name, handler, input_type)._asdict(),
    )


def _read_once(name: str, handler: Handler, input_type: type[BaseOperationInput]) -> _Reading:
    """Read a handler's signature, which is that of its wrapped function, at most once for each function and model."""
    function = inspect.unwrap(handler, stop=lambda layer: not isinstance(layer, FunctionType) or hasattr(layer, "__signature__"))
    if not isinstance(function, FunctionType):  # partials and bound methods fix parameters that the function still has
        return _read_signature(name, handler, input_type)
    known = _readings.setdefault(function, WeakKeyDictionary[type[BaseOperationInput], _Reading]())
    if input_type not in known:
        known[input_type] = _read_signature(name, handler, input_type)
    return known[input_type]


def _read_signature(name: str, handler: Handler, input_type: type[BaseOperationInput]) -> _Reading:
    signature = inspect.signature(handler)
    function, fixed = _unwrapped(handler)
    if not (inspect.ismethod(handler) and hasattr(handler, "__wrapped__")):  # its signature is that of what it wraps, less one parameter
        _check_context(signature, name, input_type)
    given = [parameter for parameter in _after_context(signature, name) if parameter.name not in fixed]
    parameters = [field for parameter in given for field in _read_parameter(parameter, function, input_type)]
    for parameter in parameters:
        _check_parameter(parameter, name, input_type)
    names = [parameter.name for parameter in parameters]
    _check_required(names, name, input_type)
    if twice := sorted({parameter.name for parameter in parameters if parameter.base and names.count(parameter.name) > 1}):
        raise ConfigurationError(f"The handler of operation {name!r} takes {', '.join(map(repr, twice))} by two parameters.")
    output_type = _evaluated(signature.return_annotation, function)
    return _Reading(
        fields=frozenset(names),
        required=frozenset(parameter.name for parameter in parameters if parameter.required),
        output_type=output_type,
        output_classes=classes(output_type),
        bases=dict(parameter.base for parameter in parameters if parameter.base is not None),
    )


def _unwrapped(handler: Handler) -> tuple[Handler, set[str]]:
    """Return the function of a partial, and the names of the parameters that it has fixed, which no caller can give."""
    fixed: set[str] = set()
    while isinstance(handler, partial):
        fixed |= handler.keywords.keys()
        handler = handler.func
    return handler, fixed


def _after_context(signature: inspect.Signature, operation: str) -> Sequence[inspect.Parameter]:
    parameters = list(signature.parameters.values())
    first = parameters[0].kind if parameters else None
    by_position = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL)
    takes_context = first in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if not takes_context or any(field.kind in by_position for field in parameters[1:]):
        raise ConfigurationError(f"The handler of operation {operation!r} must take the context first and then its fields by name.")
    return parameters[1:]


def _check_context(signature: inspect.Signature, operation: str, input_type: type[BaseOperationInput]) -> None:
    """Refuse a first parameter that is named as a field: the context was forgotten, and the field would never arrive."""
    first = next(iter(signature.parameters.values()), None)
    if first is not None and first.name in input_type.model_fields and "RunContext" not in str(first.annotation):
        problem = f"The handler of operation {operation!r} takes {first.name!r} first, which is a field of {input_type.__name__}."
        raise ConfigurationError(problem, field=first.name, remedy=f"Begin with the context: (ctx: RunContext, {first.name}, …).")


def _check_required(taken: Sequence[str], operation: str, input_type: type[BaseOperationInput]) -> None:
    """Refuse a field that every call must give and the operation does not take: then no call could be right."""
    for name, about in input_type.model_fields.items():
        if about.is_required() and name not in (*taken, "operation"):
            problem = (
                f"Every input of {input_type.__name__} must have {name!r}, and the handler of operation {operation!r} does not take it."
            )
            remedy = f"Write `{name}: … | None = None`; a parameter without a default makes it required where it is needed."
            raise ConfigurationError(problem, field=name, remedy=remedy)


def _read_parameter(parameter: inspect.Parameter, handler: Handler, input_type: type[BaseOperationInput]) -> list[_Parameter]:
    """Return the fields that one parameter of a handler takes."""
    annotation = _evaluated(parameter.annotation, handler)
    if base := _base_in(annotation, input_type):
        return _fields_of(parameter.name, base, annotation)
    if parameter.kind is not parameter.VAR_KEYWORD:
        required = parameter.default is parameter.empty
        return [_Parameter(parameter.name, annotation, PydanticUndefined if required else parameter.default, required)]
    if get_origin(annotation) not in _UNPACKS:
        raise ConfigurationError(f"{handler.__qualname__}: **{parameter.name} must be annotated Unpack[SomeTypedDict].")
    return [_Parameter(name, hint) for name, hint in get_type_hints(get_args(annotation)[0]).items()]


def _base_in(annotation: Any, input_type: type[BaseOperationInput]) -> type[BaseModel] | None:
    """Return the base of the input model that an annotation names; None if it names another type."""
    kind = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    own_bases = [base for base in input_type.__mro__ if issubclass(base, BaseModel) and not issubclass(BaseOperationInput, base)]
    return next((base for base in own_bases if base is kind and not issubclass(base, BaseOperationInput)), None)


def _fields_of(parameter: str, base: type[BaseModel], annotation: Any) -> list[_Parameter]:
    needed = next((extra for extra in get_args(annotation)[1:] if isinstance(extra, Needs)), Needs())
    if unknown := needed - base.model_fields.keys():
        advice = did_you_mean(min(unknown), base.model_fields)
        raise ConfigurationError(f"Parameter {parameter!r} needs {sorted(unknown)}, which {base.__name__} does not have. {advice}")
    return [
        _Parameter(name, about.annotation, required=name in needed, base=(parameter, base)) for name, about in base.model_fields.items()
    ]


def _check_parameter(parameter: _Parameter, operation: str, input_type: type[BaseOperationInput]) -> None:
    if parameter.name == "operation":
        problem = f"The handler of operation {operation!r} takes 'operation', which chooses the handler and is not handed to it."
        raise ConfigurationError(
            problem, field="operation", remedy="Leave it out; `functools.partial` gives a shared function what differs."
        )
    field = input_type.model_fields.get(parameter.name)
    where = f"Parameter {parameter.name!r} of the handler of operation {operation!r}"
    if field is None:
        raise ConfigurationError(
            f"{where} is not a field of {input_type.__name__}. {did_you_mean(parameter.name, input_type.model_fields)}"
        )
    if not fits(field.annotation, parameter.annotation):
        raise ConfigurationError(f"{where} is declared {parameter.annotation!r}, and the field is {field.annotation!r}.")
    has_default = field.default is not None and field.default is not PydanticUndefined
    if parameter.default is not PydanticUndefined and has_default and field.default != parameter.default:
        raise ConfigurationError(f"{where} defaults to {parameter.default!r}, and the field to {field.default!r}.")


def _evaluated(annotation: Any, handler: Handler) -> Any:
    if annotation is inspect.Parameter.empty:
        return Any
    if not isinstance(annotation, str):
        return annotation
    names: dict[str, Any] = getattr(inspect.unwrap(handler), "__globals__", {})
    try:
        return eval(annotation, names)  # noqa: S307  an annotation of the application's own code, as typing.get_type_hints does
    except (NameError, AttributeError) as error:
        raise ConfigurationError(
            f"Annotation {annotation!r} of {handler!r} cannot be resolved: {error}.",
            remedy="Import the name outside of `if TYPE_CHECKING`.",
        ) from error
