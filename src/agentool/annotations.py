"""Compare annotations at run time: the classes of their values, and whether one accepts all values of another."""

from __future__ import annotations

import types
import typing
from typing import Annotated, Any, Literal, NewType, Union, cast, get_args, get_origin

from typing_extensions import TypeAliasType, is_typeddict

_ALIASES = (TypeAliasType, getattr(typing, "TypeAliasType", TypeAliasType))
"""From Python 3.12 to 3.13 they are two different classes."""


def fits(field: Any, parameter: Any) -> bool:
    """Tell whether the parameter accepts every value of the field, None apart."""
    accepted = _plain_members(parameter)
    return field is Any or all(any(_goes_into(member, kind) for kind in accepted) for member in _plain_members(field) - {types.NoneType})


def classes(annotation: Any) -> tuple[type, ...]:
    """Return the classes of an annotation's values; ``object`` for an annotation that names no class."""
    return tuple(dict.fromkeys(found for member in _members(annotation) for found in _classes(member)))


def _goes_into(member: Any, kind: Any) -> bool:
    if member == kind:
        return True
    if get_origin(kind) is Literal or not _arguments_fit(get_args(member), get_args(kind)):
        return False
    return all(issubclass(found, _classes(kind)) for found in _classes(member))


def _plain_members(annotation: Any) -> frozenset[Any]:
    """Return the members as `_members` does, each NewType replaced by its supertype."""
    found = _members(annotation)
    return frozenset[Any]().union(*(_plain_members(kind.__supertype__) if isinstance(kind, NewType) else {kind} for kind in found))


def _arguments_fit(given: tuple[Any, ...], accepted: tuple[Any, ...]) -> bool:
    """Tell whether the arguments of one generic class fit those of another: ``list[int]`` fits ``list`` and ``list[Any]``."""
    if accepted in ((), given):
        return True
    if not given:
        return all(kind is Any for kind in accepted)
    return len(given) == len(accepted) and all(kind is Any or fits(found, kind) for found, kind in zip(given, accepted, strict=True))


def _members(annotation: Any) -> frozenset[Any]:
    """Return the members of a union or Literal, without the metadata of `Annotated`; of ``type Name = …`` those of its value."""
    if isinstance(annotation, _ALIASES):
        return _members(annotation.__value__)
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _members(inside[0])
    if origin in (Union, types.UnionType):
        return frozenset[Any]().union(*map(_members, inside))
    if origin is Literal:
        return frozenset(Literal[value] for value in inside)
    return frozenset([types.NoneType if annotation is None else annotation])


def _classes(member: Any) -> tuple[type, ...]:
    bare = get_origin(member) or member
    if bare is Literal:
        (value,) = cast("tuple[object]", get_args(member))
        return (type(value),)
    if is_typeddict(bare):
        return (dict,)
    if bare is float:
        return (float, int)
    if not isinstance(bare, type) or bare is Any or getattr(bare, "_is_protocol", False):
        return (object,)
    return (bare,)
