"""Who asks. Each door says it once for what it is about to do; AgenTools that keep or refuse something read it.

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
"""Where a request came in. ``schedule`` is a handler that runs because its job was due."""

Scope = Literal["read", "write", "approve", "admin"]
"""What a caller may: look, make and change what is its own, decide on approvals, or all of it for everybody."""

ADMIN: frozenset[Scope] = frozenset({"admin"})
OWN: frozenset[Scope] = frozenset({"read", "write"})
"""What a language model may: look at its owner's things and change them, and approve nothing."""

MAX_NAME = 200
"""Characters of a caller's name."""
MAX_LINEAGE = 20
"""Executions that a caller's lineage names, the innermost ones."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks for something. A model never sets any of this: its door does."""

    name: str = "code"
    """The owner of what is made: a person, a token, an application."""
    door: Door = "code"
    scopes: frozenset[Scope] = ADMIN
    depth: int = 0
    """How many scheduled runs this call is inside of."""
    lineage: tuple[str, ...] = ()
    """The ids of those runs' executions, the outermost first."""

    def __post_init__(self) -> None:
        if not self.name.strip() or len(self.name) > MAX_NAME:
            problem = f"A caller's name has 1 to {MAX_NAME} characters, not {excerpt(self.name)}."
            raise ConfigurationError(problem, field="name", value=self.name)
        # Whoever gives others, which a type checker refuses, gets a caller that is remembered as any other.
        object.__setattr__(self, "scopes", frozenset(self.scopes))
        object.__setattr__(self, "lineage", tuple(self.lineage))

    @property
    def is_admin(self) -> bool:
        """May it touch what belongs to others, and is it free of caps?"""
        return "admin" in self.scopes

    def may(self, scope: Scope) -> bool:
        """Has it this scope, or all of them?"""
        return scope in self.scopes or "admin" in self.scopes

    def owns(self, owner: str) -> bool:
        """May it see and change what belongs to this owner?"""
        return self.name == owner or "admin" in self.scopes

    def inside(self, execution_id: str) -> Caller:
        """Return the caller that a scheduled run acts as: the same owner and scopes, one level deeper."""
        lineage = (*self.lineage, execution_id)[-MAX_LINEAGE:]
        return Caller(self.name, "schedule", self.scopes, self.depth + 1, lineage)

    def at(self, door: Door, scopes: Iterable[Scope] | None = None) -> Caller:
        """Return this caller as it comes in by another door, with these scopes at most."""
        kept = self.scopes if scopes is None else frozenset(scope for scope in scopes if self.may(scope))
        return replace(self, door=door, scopes=kept)

    def to_json(self) -> dict[str, Any]:
        """Write it as JSON values."""
        return {
            "name": self.name,
            "door": self.door,
            "scopes": sorted(self.scopes),
            "depth": self.depth,
            "lineage": list(self.lineage),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Caller:
        """Read what `to_json` wrote.

        Raises:
            KeyError, TypeError: It was damaged.
        """
        return cls(record["name"], record["door"], frozenset(record["scopes"]), int(record["depth"]), tuple(record["lineage"]))


CODE = Caller()
"""Whoever calls without a door: the application's own code, which may do everything."""

current_caller: ContextVar[Caller | tuple[Caller, str]] = ContextVar("agentool_caller", default=CODE)
"""Who asks here. A scheduled run sets its job's owner and the execution's id, of which a caller is made only when somebody asks."""


def get_caller() -> Caller:
    """Return who asks here: the caller that a door has set, else the application's own code."""
    current = current_caller.get()
    return current if isinstance(current, Caller) else current[0].inside(current[1])


@contextmanager
def acting_as(caller: Caller) -> Generator[Caller]:
    """Let a caller be the one who asks, in a ``with`` block and in whatever is started there."""
    token = current_caller.set(caller)
    try:
        yield caller
    finally:
        current_caller.reset(token)


__all__ = ["ADMIN", "CODE", "OWN", "Caller", "Door", "Scope", "acting_as", "current_caller", "get_caller"]
