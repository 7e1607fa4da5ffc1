"""A list that comes in pages, read to its end: the one loop of all doors."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Protocol, TypeVar


class Page(Protocol):
    """Some of a list."""

    @property
    def cursor(self) -> str | None:
        """Asks for what follows; None: this was all."""
        ...


P = TypeVar("P", bound=Page)


async def all_pages(ask: Callable[[str | None], Awaitable[P]]) -> AsyncGenerator[P]:
    """Return each page of a list.

    Args:
        ask: Returns the page after a cursor; None: the first one.
    """
    cursor: str | None = None
    while True:
        page = await ask(cursor)
        yield page
        if (cursor := page.cursor) is None:
            return
