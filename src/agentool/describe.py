"""Describe an AgenTool for its callers: schemas, required fields, descriptions and examples. Every door reads them here.

Descriptions are derived from the input model and the handlers' signatures. A door that loops over `describe` therefore
offers every operation of every AgenTool and names none of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from pydantic import BaseModel, PydanticUserError

from agentool.agentool import AgenTool
from agentool.errors import ConfigurationError, InvalidInput, did_you_mean, excerpt
from agentool.hints import Hints
from agentool.operations import Operation

JsonSchema = dict[str, Any]
"""A JSON schema, as pydantic makes it."""

_REFERENCE = "#/$defs/"
_NOT_SHOWN = ("title", "discriminator")
"""Keywords that cost a model tokens and tell it nothing."""
_BY_NAME = ("properties", "patternProperties", "$defs")
"""Keywords that hold schemas by names, any of which may look like a keyword."""
_DATA = ("default", "examples", "enum", "const")
"""Keywords that hold values, which are no schemas even if they look like one."""


@dataclass(frozen=True, slots=True)
class FieldDescription:
    """One field that an operation takes."""

    name: str
    schema: JsonSchema
    required: bool

    @property
    def description(self) -> str:
        """The field's purpose."""
        return str(self.schema.get("description", ""))

    @property
    def default(self) -> Any:
        """Its value if the caller leaves it out; None if it has no default."""
        return None if self.required else self.schema.get("default")

    @property
    def type_words(self) -> str:
        """Its type in one or two words, for people."""
        return type_words(self.schema)


@dataclass(frozen=True, slots=True)
class OperationDescription:
    """One operation of an AgenTool. Fields are ordered: the required ones first, then as the input model declares them."""

    agentool_name: str
    name: str
    description: str
    fields: tuple[FieldDescription, ...]
    definitions: JsonSchema
    """Recursive schemas, by name; all other schemas are written where they are used."""
    example: Mapping[str, Any] | None
    """Fields of a call that works, without ``operation``; None if no example is known."""
    hints: Hints
    """Hints for a person, shown before a call; the careful defaults if its AgenTool gives none."""

    @property
    def tool_name(self) -> str:
        """Its name among the operations of all AgenTools, such as ``storage_kv_get``."""
        return f"{self.agentool_name}_{self.name}"

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the fields that a call must give."""
        return tuple(field.name for field in self.fields if field.required)

    @property
    def optional(self) -> tuple[str, ...]:
        """Names of the fields that a call may give."""
        return tuple(field.name for field in self.fields if not field.required)

    @property
    def schema(self) -> JsonSchema:
        """The schema of a call's fields, ``operation`` left out. It refuses unknown fields and offers no null."""
        schema: JsonSchema = {"type": "object", "properties": {field.name: field.schema for field in self.fields}}
        if self.required:
            schema["required"] = list(self.required)
        if self.definitions:
            schema["$defs"] = self.definitions
        return {**schema, "additionalProperties": False}

    def call(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return the input of ``injector.run(agentool_name, …)`` for these fields.

        Raises:
            InvalidInput: A field is named ``operation``. The tool chooses the operation, not its fields.
        """
        if "operation" in fields:
            problem = f"It is not a field of {self.tool_name!r}, which always does {self.name!r}."
            raise InvalidInput(problem, field="operation", value=fields["operation"], remedy="Leave it out.")
        return {"operation": self.name, **fields}


@dataclass(frozen=True, slots=True)
class ToolDescription:
    """An AgenTool with all of its operations."""

    name: str
    description: str
    operations: tuple[OperationDescription, ...]
    examples: tuple[Mapping[str, Any], ...]

    def operation(self, name: str) -> OperationDescription:
        """Return one operation.

        Raises:
            InvalidInput: It has no such operation; the nearest one is named.
        """
        for operation in self.operations:
            if operation.name == name:
                return operation
        remedy = did_you_mean(name, [operation.name for operation in self.operations])
        raise InvalidInput(f"AgenTool {self.name!r} has no operation {excerpt(name)}.", field="operation", value=name, remedy=remedy)

    def fields(self) -> dict[str, FieldDescription]:
        """Return each field that any operation takes, by its name."""
        return {field.name: field for operation in self.operations for field in operation.fields}


def describe(agentool: AgenTool[Any]) -> ToolDescription:
    """Describe an AgenTool: all of its operations, in the order of their handlers.

    Raises:
        ConfigurationError: A field of its input has no JSON schema.
    """
    try:
        whole = agentool.input_type.model_json_schema()
    except (PydanticUserError, KeyError) as error:
        problem = f"The input of AgenTool {agentool.name!r} has no JSON schema: {error}."
        raise ConfigurationError(problem, field="input_type", remedy="Give its fields types and defaults that JSON has.") from error
    operations = tuple(_operation(agentool, operation, whole) for operation in agentool.operations.values())
    return ToolDescription(agentool.name, _one_line(agentool.description), operations, agentool.examples)


def describe_operation(agentool: AgenTool[Any], name: str) -> OperationDescription:
    """Describe one operation of an AgenTool.

    Raises:
        InvalidInput: It has no such operation; the nearest one is named.
    """
    return describe(agentool).operation(name)


def describe_fields(model: type[BaseModel]) -> tuple[FieldDescription, ...]:
    """Describe the fields of any model, in their order."""
    whole = model.model_json_schema()
    definitions: JsonSchema = whole.get("$defs", {})
    required: list[str] = whole.get("required", [])
    return tuple(_field(name, schema, definitions, required=name in required) for name, schema in whole["properties"].items())


def type_words(schema: Mapping[str, Any]) -> str:
    """Return the type of a JSON schema in one or two words."""
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(type_words(option) for option in schema["anyOf"] if option.get("type") != "null"))
    if "enum" in schema:
        return "|".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {type_words(schema.get('items', {}))}"
    return str(schema.get("const", schema.get("type", "any")))


def _operation(agentool: AgenTool[Any], operation: Operation, whole: JsonSchema) -> OperationDescription:
    definitions: JsonSchema = whole.get("$defs", {})
    properties: JsonSchema = whole.get("properties", {})
    names = [name for name in agentool.input_type.model_fields if name in operation.fields]
    fields = [_field(name, properties[name], definitions, required=name in operation.required) for name in names]
    fields.sort(key=lambda field: not field.required)
    return OperationDescription(
        agentool_name=agentool.name,
        name=operation.name,
        description=_one_line(operation.description.replace("``", "")),
        fields=tuple(fields),
        definitions=_recursive([field.schema for field in fields], definitions),
        example=_example(agentool, operation, fields),
        hints=agentool.hints.get(operation.name) or Hints(f"{agentool.name} {operation.name}".replace("_", " ").capitalize()),
    )


def _field(name: str, schema: JsonSchema, definitions: JsonSchema, *, required: bool) -> FieldDescription:
    shown = _shown(schema, definitions, ())
    if required:
        shown.pop("default", None)
    return FieldDescription(name, shown, required)


def _shown(schema: Mapping[str, Any], definitions: JsonSchema, within: tuple[str, ...]) -> JsonSchema:
    """Return a schema without null, titles and references; a recursive schema keeps its reference."""
    said = {key: value for key, value in schema.items() if key not in _NOT_SHOWN and (key != "default" or _is_told(value))}
    name = str(said.get("$ref", "")).removeprefix(_REFERENCE)
    if name and name not in within and not _refers_to_itself(name, definitions):
        del said["$ref"]
        return {**_shown(definitions[name], definitions, (*within, name)), **said}
    if "anyOf" in said:
        options = [_shown(option, definitions, within) for option in said.pop("anyOf") if option.get("type") != "null"]
        return {**options[0], **said} if len(options) == 1 else {"anyOf": options, **said}
    for keyword in ("items", "additionalProperties", "not"):
        if isinstance(said.get(keyword), Mapping):
            said[keyword] = _shown(said[keyword], definitions, within)
    for keyword in ("oneOf", "allOf", "prefixItems"):
        if keyword in said:
            said[keyword] = [_shown(option, definitions, within) for option in said[keyword]]
    if "properties" in said:
        said["properties"] = {key: _shown(value, definitions, within) for key, value in said["properties"].items()}
    return said


def _is_told(default: object) -> bool:
    """Tell whether a default is shown. Null means not given; no request to a model can hold infinity or NaN."""
    try:
        return json.dumps(default, allow_nan=False) != "null"
    except ValueError:
        return False


def _refers_to_itself(name: str, definitions: JsonSchema) -> bool:
    reached: set[str] = set()
    pending = list(_references(definitions[name]))
    while pending:
        found = pending.pop()
        if found not in reached:
            reached.add(found)
            pending.extend(_references(definitions[found]))
    return name in reached


def _recursive(schemas: Sequence[JsonSchema], definitions: JsonSchema) -> JsonSchema:
    """Return the definitions that these schemas still refer to, directly or through each other."""
    kept: JsonSchema = {}
    pending = list(_references(schemas))
    while pending:
        name = pending.pop()
        if name not in kept:
            kept[name] = _shown(definitions[name], definitions, (name,))
            pending.extend(_references(kept[name]))
    return kept


def _references(schema: object) -> Iterator[str]:
    """Yield the names of all definitions that a schema refers to directly."""
    if isinstance(schema, Mapping):
        for key, value in cast("Mapping[str, object]", schema).items():
            if key == "$ref":
                yield str(value).removeprefix(_REFERENCE)
            elif key in _BY_NAME and isinstance(value, Mapping):
                yield from _references(list(cast("Mapping[str, object]", value).values()))
            elif key not in _DATA:
                yield from _references(value)
    elif isinstance(schema, (list, tuple)):
        for value in cast("Sequence[object]", schema):
            yield from _references(value)


def _example(agentool: AgenTool[Any], operation: Operation, fields: Sequence[FieldDescription]) -> Mapping[str, Any] | None:
    """Return the fields of an example of the AgenTool, else build one from the examples of its required fields."""
    for example in agentool.examples:
        if example.get("operation") == operation.name:
            return {name: value for name, value in example.items() if name != "operation"}
    made: dict[str, Any] = {}
    for field in fields:
        if field.required:
            known = field.schema.get("examples") or field.schema.get("enum")
            if not known:
                return None
            made[field.name] = known[0]
    return made


def _one_line(text: str) -> str:
    return " ".join(text.split())


__all__ = [
    "FieldDescription",
    "JsonSchema",
    "OperationDescription",
    "ToolDescription",
    "describe",
    "describe_fields",
    "describe_operation",
    "type_words",
]
