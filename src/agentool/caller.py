"""The caller: its name, door and scopes. A door sets the caller once per request; AgenTools read it to store or refuse something.

with acting_as(Caller("maria", door="rest", scopes=frozenset({"read", "write"}))):
    await injector.run("scheduler", …)
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, Literal

from agentool.errors import ConfigurationError, excerpt

Door = Literal["code", "cli", "agent", "mcp", "rest", "page", "schedule"]
"""The door a request came through. ``schedule`` is a handler that runs because its job was due."""

Scope = Literal["read", "write", "approve", "admin"]
"""A right of a caller: read its own things, create and change them, decide on approvals, or do everything for every owner."""

ADMIN: frozenset[Scope] = frozenset({"admin"})
OWN: frozenset[Scope] = frozenset({"read", "write"})
"""The scopes of a language model: it reads and changes its owner's things, and approves nothing."""

MAX_NAME = 200
"""Characters of a caller's name."""
MAX_LINEAGE = 20
"""Executions in a caller's lineage; the innermost ones are kept."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller of an AgenTool. The door sets every field; a language model sets none."""

    name: str = "code"
    """The owner of new jobs and values: a person, a token, an application."""
    door: Door = "code"
    scopes: frozenset[Scope] = ADMIN
    depth: int = 0
    """Number of scheduled runs around this call."""
    lineage: tuple[str, ...] = ()
    """Execution ids of the scheduled runs around this call, outermost first."""
    acts_for: str = ""
    """The owner of what this caller creates, if it names one: an administrator somebody else, an agent itself; empty: the caller."""

    def __post_init__(self) -> None:
        if not self.name.strip() or len(self.name) > MAX_NAME:
            problem = f"A caller's name has 1 to {MAX_NAME} characters, not {excerpt(self.name)}."
            raise ConfigurationError(problem, field="name", value=self.name)
        # Unchecked code may pass a list, which would leave the caller unhashable.
        object.__setattr__(self, "scopes", frozenset(self.scopes))
        object.__setattr__(self, "lineage", tuple(self.lineage))

    @property
    def is_admin(self) -> bool:
        """True if it may change what other owners have, and is free of caps."""
        return "admin" in self.scopes

    def may(self, scope: Scope) -> bool:
        """Tell whether it has this scope, or ``admin``."""
        return scope in self.scopes or "admin" in self.scopes

    def owns(self, owner: str) -> bool:
        """Tell whether it may see and change what this owner has."""
        return self.name == owner or "admin" in self.scopes

    def inside(self, execution_id: str) -> Caller:
        """Return the caller of a scheduled run: the same owner and scopes, one level deeper."""
        lineage = (*self.lineage, execution_id)[-MAX_LINEAGE:]
        return Caller(self.name, "schedule", self.scopes, self.depth + 1, lineage)

    @property
    def acts_for_another(self) -> bool:
        """True if somebody else owns what it creates."""
        return self.acts_for not in ("", self.name)

    def owner_of_new(self) -> Caller:
        """Return the caller that owns what this caller creates.

        If this caller acts for somebody else, that owner has an owner's rights, never an administrator's.
        """
        if self.acts_for_another:
            return Caller(self.acts_for, self.door, OWN)
        return replace(self, acts_for="") if self.acts_for else self

    def at(self, door: Door, scopes: Iterable[Scope] | None = None) -> Caller:
        """Return this caller at another door, with at most these scopes."""
        kept = self.scopes if scopes is None else frozenset(scope for scope in scopes if self.may(scope))
        return replace(self, door=door, scopes=kept)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        told = {"name": self.name, "door": self.door, "scopes": sorted(self.scopes), "depth": self.depth, "lineage": list(self.lineage)}
        return {**told, "acts_for": self.acts_for} if self.acts_for else told

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Caller:
        """Read what `to_json` wrote.

        Raises:
            KeyError, TypeError: The record is damaged.
        """
        scopes, depth, lineage = frozenset(record["scopes"]), int(record["depth"]), tuple(record["lineage"])
        return cls(record["name"], record["door"], scopes, depth, lineage, record.get("acts_for", ""))


CODE = Caller()
"""The caller without a door: the application's own code, which may do everything."""

current_caller: ContextVar[Caller | tuple[Caller, str]] = ContextVar("agentool_caller", default=CODE)
"""The caller here. A scheduled run sets its job's owner and execution id; `get_caller` makes a `Caller` of them when it is needed."""


def get_caller() -> Caller:
    """Return the current caller: the one that a door has set, else the application's own code."""
    current = current_caller.get()
    return current if isinstance(current, Caller) else current[0].inside(current[1])


@contextmanager
def acting_as(caller: Caller) -> Generator[Caller]:
    """Make this the current caller inside a ``with`` block, and in tasks that start there.

    Raises:
        ConfigurationError: It is not a `Caller`.
    """
    if not isinstance(caller, Caller):  # pyright: ignore[reportUnnecessaryIsInstance]  doors may be unchecked
        remedy = "Write Caller('maria', door='agent', scopes=OWN), from agentool.caller."
        raise ConfigurationError(f"{excerpt(caller)} is not a Caller.", field="caller", value=caller, remedy=remedy)
    token = current_caller.set(caller)
    try:
        yield caller
    finally:
        current_caller.reset(token)


__all__ = ["ADMIN", "CODE", "OWN", "Caller", "Door", "Scope", "acting_as", "current_caller", "get_caller"]
