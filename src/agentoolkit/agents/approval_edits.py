"""Check a person's edits, which replace the arguments of a model's calls, before the approval is used up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from agentool.errors import InvalidInput, did_you_mean, excerpt
from agentoolkit.agents.approval_store import WaitingCall

Edits = Mapping[str, Mapping[str, Any]]
Schema = Mapping[str, Any]

_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


def edits_by_call(calls: Sequence[WaitingCall], edits: Edits) -> Edits:
    """Return the edits by call id. An edit may also name a tool of which only one call waits.

    Raises:
        InvalidInput: An edit fits no call or several, or its arguments do not fit the tool.
    """
    found: dict[str, Mapping[str, Any]] = {}
    for key, arguments in edits.items():
        call = _find_call(calls, key)
        if call.call_id in found:
            raise InvalidInput("This call is edited twice.", field="edits", value=key, remedy="Give its id or its tool, not both.")
        _check(arguments, call.schema, call.schema, f"edits.{key}")
        found[call.call_id] = arguments
    return found


def _find_call(calls: Sequence[WaitingCall], key: str) -> WaitingCall:
    found = [call for call in calls if key == call.call_id] or [call for call in calls if key == call.tool]
    if len(found) == 1:
        return found[0]
    if found:
        choices = "; ".join(f"{call.call_id} is {excerpt(dict(call.arguments))}" for call in found)
        remedy = f"Give the edits by the id of the call: {choices}."
        raise InvalidInput(f"{len(found)} calls of {excerpt(key)} wait.", field="edits", value=key, remedy=remedy)
    remedy = f"Waiting: {', '.join(sorted({call.tool for call in calls}))}."
    raise InvalidInput(f"No call of {excerpt(key)} waits.", field="edits", value=key, remedy=remedy)


def _check(value: Any, schema: Schema, whole: Schema, field: str) -> None:
    """Refuse a value whose names, types or choices do not fit a JSON schema. The tool itself checks the rest."""
    if (reference := schema.get("$ref")) is not None:  # one to another document allows anything
        schema = whole.get("$defs", {}).get(str(reference).removeprefix("#/$defs/"), {})
    if "anyOf" in schema:
        _check_any(value, schema["anyOf"], whole, field)
    kinds = schema.get("type", ())
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(_is_of(value, kind) for kind in kinds):
        raise InvalidInput(f"{excerpt(value)} is no {' or '.join(kinds)}.", field=field, value=value, remedy="Write one.")
    if "enum" in schema and value not in schema["enum"]:
        remedy = f"Choose one of {excerpt(schema['enum'])}."
        raise InvalidInput(f"{excerpt(value)} is not among the choices.", field=field, value=value, remedy=remedy)
    if isinstance(value, dict):
        _check_object(cast("dict[str, Any]", value), schema, whole, field)
    if isinstance(value, list) and isinstance(schema.get("items"), Mapping):
        for place, item in enumerate(cast("list[Any]", value)):
            _check(item, schema["items"], whole, f"{field}.{place}")


def _check_any(value: Any, schemas: Sequence[Schema], whole: Schema, field: str) -> None:
    refused: InvalidInput | None = None
    for schema in schemas:
        try:
            _check(value, schema, whole, field)
        except InvalidInput as error:
            refused = refused or error
        else:
            return
    if refused is not None:
        raise refused


def _check_object(value: Mapping[str, Any], schema: Schema, whole: Schema, field: str) -> None:
    known: Mapping[str, Schema] = schema.get("properties", {})
    for name in value:
        if name not in known and schema.get("additionalProperties") is False:
            remedy = did_you_mean(name, known) or f"There are: {', '.join(known) or 'none'}."
            raise InvalidInput("There is no such argument.", field=f"{field}.{name}", value=name, remedy=remedy)
    for name in schema.get("required", ()):
        if name not in value:
            remedy = "Edits take the place of all arguments: give every one that is required."
            raise InvalidInput("This argument is required and missing.", field=f"{field}.{name}", remedy=remedy)
    for name in value.keys() & known.keys():
        _check(value[name], known[name], whole, f"{field}.{name}")


def _is_of(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES.get(kind, (object,)))
