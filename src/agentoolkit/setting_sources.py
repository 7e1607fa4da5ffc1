"""Read settings from variables and a ``.env`` file, and report invalid values under the variable's name."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, cast, get_args, get_origin

from pydantic import BaseModel, SecretStr, ValidationError

from agentool.errors import ConfigurationError, did_you_mean, excerpt

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

PREFIX = "AGENTOOL_"
ENV_FILE = Path(".env")


class InvalidSettings(ConfigurationError, ValueError):
    """A variable, or a line of the ``.env`` file, has an invalid value."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting."""

    variable: str
    """Its environment variable."""
    group: str | None
    """Its group; None for a field of `Settings` itself."""
    field: str
    """Its field in the group."""
    about: FieldInfo = dataclasses.field(repr=False, compare=False, hash=False)

    @property
    def name(self) -> str:
        """Its variable in small letters, without the prefix: a keyword of `Settings`."""
        return self.variable.removeprefix(PREFIX).lower()

    @property
    def kind(self) -> str:
        """The kind of its values: number, text, list, object, true or false."""
        return _kind(self.about.annotation)

    @property
    def other_variables(self) -> Sequence[str]:
        """Further variables with the same meaning, which other programs read too."""
        return cast("Sequence[str]", _extra(self.about, "also") or ())

    @property
    def is_secret(self) -> bool:
        """True if its value must not be shown."""
        return bool(_extra(self.about, "secret")) or _holds(self.about.annotation, SecretStr)


@cache
def settings_of(model: type[BaseModel], group_class: type[BaseModel]) -> tuple[Setting, ...]:
    """Return every setting of a model whose fields may be groups of settings."""
    found: list[Setting] = []
    for name, about in model.model_fields.items():
        kind = about.annotation
        if isinstance(kind, type) and issubclass(kind, group_class):
            prefix = _variable(about) or name.upper()
            for inner, inner_about in kind.model_fields.items():
                variable = _variable(inner_about) or f"{prefix}_{inner.upper()}"
                found.append(Setting(PREFIX + variable, name, inner, inner_about))
        else:
            found.append(Setting(PREFIX + name.upper(), None, name, about))
    return tuple(found)


def read_variables(known: Sequence[Setting]) -> dict[str, Any]:
    """Return the values of variables and the ``.env`` file, by setting name. An empty variable is not set.

    Raises:
        InvalidSettings: An object is not written as JSON, or the ``.env`` file cannot be read.
    """
    given = {**_read_env_file(), **os.environ}
    values: dict[str, Any] = {}
    for setting in known:
        texts = [given.get(name, "").strip() for name in (setting.variable, *setting.other_variables)]
        if text := next(filter(None, texts), ""):
            values[setting.name] = _parse(setting, text)
    return values


def nested(known: Sequence[Setting], given: Mapping[str, Any]) -> dict[str, Any]:
    """Put values by name into their groups. A later value overrides an earlier one.

    Raises:
        ConfigurationError: A name is no setting, or a group has another value than its fields.
    """
    by_name = {setting.name: setting for setting in known}
    groups: dict[str, set[str]] = {}
    for setting in known:
        if setting.group:
            groups.setdefault(setting.group, set()).add(setting.field)
    values: dict[str, Any] = {}
    for name, value in given.items():
        setting = by_name.get(name)
        if name in groups and setting is None and not _has_fields(value):
            problem = f"It is a group of settings, and no {type(value).__name__} has its fields."  # the value may hold a password
            remedy = f"Give a dict of its fields, or one of them by its own name, such as '{name}_{min(groups[name])}'."
            raise ConfigurationError(problem, field=name, remedy=remedy)
        if name in groups and (setting is None or _is_group(value, groups[name])):
            values.setdefault(name, {}).update(_group_values(value))
        elif setting is None:
            remedy = did_you_mean(name, by_name)
            raise ConfigurationError(f"No setting is named {excerpt(name)}.", field=name, remedy=remedy)
        elif setting.group is None:
            values[name] = value
        else:
            values.setdefault(setting.group, {})[setting.field] = value
    return values


def invalid_settings(error: ValidationError, known: Sequence[Setting], from_variables: Collection[str]) -> Exception:
    """Return an error that names the variables; if code gave an invalid value, return pydantic's error unchanged."""
    places: dict[tuple[int | str, ...], Setting] = {
        (setting.group, setting.field) if setting.group else (setting.field,): setting for setting in known
    }
    said: list[str] = []
    for detail in error.errors(include_url=False, include_context=False):
        location = detail["loc"]
        setting = places.get(location[:2]) or places.get(location[:1])
        if setting is None or setting.name not in from_variables:
            return error
        said.append(f"{setting.variable}: {_problem(detail, setting)}")
    return InvalidSettings(f"{'; '.join(said)}.", remedy="Correct the variable or the .env file.")


def _problem(detail: Any, setting: Setting) -> str:
    """Describe the problem of a value, and quote the value unless it may be a secret."""
    inside = ".".join(map(str, detail["loc"][2 if setting.group else 1 :]))
    where = f"{inside} " if inside and setting.kind == "object" else ""
    text = str(detail["msg"]).removeprefix("Value error, ").rstrip(".")
    said = f"{where}{text[:1].lower()}{text[1:]}"
    quotable = not setting.is_secret and setting.field != "database"
    return f"{said}, got {excerpt(detail.get('input'))}" if quotable else said


def _has_fields(value: object) -> bool:
    return isinstance(value, (BaseModel, Mapping))


def _is_group(value: object, fields: set[str]) -> bool:
    """Tell whether this value is a whole group. Needed if a group and one of its settings have the same name."""
    return isinstance(value, BaseModel) or (isinstance(value, Mapping) and bool(fields.intersection(cast("Mapping[str, Any]", value))))


def _group_values(value: object) -> Mapping[str, Any]:
    if isinstance(value, BaseModel):
        return {field: getattr(value, field) for field in value.model_fields_set}
    return cast("Mapping[str, Any]", value)


def _parse(setting: Setting, text: str) -> Any:
    if setting.kind == "list" and not text.startswith("["):
        return [word for part in text.split(",") if (word := part.strip())]
    if setting.kind not in ("list", "object"):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # not chained: its message quotes the value, which may be a secret
        example = (setting.about.examples or ["one,two"])[0]
        raise InvalidSettings(f"{setting.variable} is not JSON.", remedy=f"Write e.g. '{example}'.") from None


def given_variables() -> dict[str, str]:
    """Return the variables of this project that are set, by name, with where: ``environment`` or ``.env``."""
    places = {**dict.fromkeys(_read_env_file(), str(ENV_FILE)), **dict.fromkeys(os.environ, "environment")}
    return {name: place for name, place in places.items() if name.startswith(PREFIX)}


def _read_env_file() -> dict[str, str]:
    if not ENV_FILE.is_file():
        return {}
    from dotenv import dotenv_values

    try:
        values = dotenv_values(ENV_FILE, encoding="utf-8")
    except UnicodeDecodeError as error:  # not chained: it holds the whole file, and so its secrets
        problem = f"The file {ENV_FILE} is not UTF-8: its byte {error.start} cannot be read."
        raise InvalidSettings(problem, remedy="Save it as UTF-8.") from None
    except OSError as error:
        problem = f"The file {ENV_FILE} of the working directory cannot be read: {error.strerror}."
        raise InvalidSettings(problem, remedy="Let this process read it, or start in another folder.") from error
    return {name: value for name, value in values.items() if value is not None}


def _variable(about: FieldInfo) -> str | None:
    found = _extra(about, "variable")
    return str(found) if found is not None else None


def _extra(about: FieldInfo, name: str) -> object:
    extra = about.json_schema_extra
    return cast("dict[str, object]", extra).get(name) if isinstance(extra, dict) else None


def _kind(annotation: Any) -> str:
    origin = get_origin(annotation) or annotation
    if origin is Annotated:
        return _kind(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return _kind(next(member for member in get_args(annotation) if member is not NoneType))
    if origin is Literal:
        return " or ".join(map(str, get_args(annotation)))
    return _KINDS[origin]


_KINDS: Mapping[Any, str] = {
    tuple: "list",
    dict: "object",
    bool: "true or false",
    int: "whole number",
    float: "number",
    str: "text",
    SecretStr: "text",
    Path: "path",
}


def _holds(annotation: Any, wanted: type) -> bool:
    return annotation is wanted or any(_holds(member, wanted) for member in get_args(annotation))
