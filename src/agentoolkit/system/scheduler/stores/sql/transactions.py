"""Turns statements into methods of the store. A statement is a function of a transaction, marked by `reads` or `writes`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from types import CoroutineType
from typing import Any, Concatenate, NamedTuple, ParamSpec, Protocol, TypeVar

from agentoolkit.database.session import Session
from agentoolkit.system.scheduler.stores.sql.definitions import Definitions
from agentoolkit.system.scheduler.stores.sql.leader_lease_and_owners import Ownership

P = ParamSpec("P")
T = TypeVar("T")
F = TypeVar("F")


class Transaction(NamedTuple):
    """A session, and the context of the store's statements."""

    session: Session
    definitions: Definitions
    ownership: Ownership
    owner: str
    deliverer: str
    """The owner that delivers messages and starts downstream executions; empty means the leader."""
    history_length: int
    history_size: int


Together = Callable[[Transaction, Sequence[F]], Sequence[T | Exception]]
"""A statement for several concurrent calls. It returns an answer, or an exception, for each call in order."""


class Transactions(Protocol):
    """A store that runs work in transactions."""

    async def read(self, work: Callable[[Transaction], T]) -> T: ...

    async def write(self, work: Callable[[Transaction], T]) -> T: ...

    async def read_together(self, statement: Together[F, T], fact: F) -> T: ...

    async def write_together(self, statement: Together[F, T], fact: F) -> T: ...

    async def write_alone(self, statement: Together[F, T], fact: F) -> T: ...

    @property
    def locks_rows(self) -> bool: ...


def reads(statement: Callable[Concatenate[Transaction, P], T]) -> Callable[Concatenate[Transactions, P], CoroutineType[Any, Any, T]]:
    """Turn a statement that only reads into a method of the store."""

    @wraps(statement)
    async def method(store: Transactions, *args: P.args, **kwargs: P.kwargs) -> T:
        return await store.read(lambda transaction: statement(transaction, *args, **kwargs))

    return method


def writes(statement: Callable[Concatenate[Transaction, P], T]) -> Callable[Concatenate[Transactions, P], CoroutineType[Any, Any, T]]:
    """Turn a statement that writes into a method of the store."""

    @wraps(statement)
    async def method(store: Transactions, *args: P.args, **kwargs: P.kwargs) -> T:
        return await store.write(lambda transaction: statement(transaction, *args, **kwargs))

    return method
