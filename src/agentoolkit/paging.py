"""Read a list page by page to its end. Every door uses this loop."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Protocol, TypeVar


class Page(Protocol):
    """One page of a list."""

    @property
    def cursor(self) -> str | None:
        """The cursor of the next page; None at the end."""
        ...


P = TypeVar("P", bound=Page)


async def all_pages(ask: Callable[[str | None], Awaitable[P]]) -> AsyncGenerator[P]:
    """Yield each page of a list.

    Args:
        ask: Returns the page after a cursor, or the first page for None.
    """
    cursor: str | None = None
    while True:
        page = await ask(cursor)
        yield page
        if (cursor := page.cursor) is None:
            return
