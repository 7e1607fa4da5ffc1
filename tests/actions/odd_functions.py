"""Functions that are not written with def or async def in the plain way."""

from __future__ import annotations

import functools
from collections.abc import Callable
from os import getpid
from typing import Any

foreign = getpid
foreign_partial = functools.partial(getpid)


async def double(number: int) -> int:
    return 2 * number


def logged(function: Callable[..., Any]) -> Callable[..., Any]:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


class Doubler:
    async def __call__(self, number: int) -> int:
        return 2 * number


decorated = logged(double)
doubler = Doubler()
partly = functools.partial(double, 21)
number = 42
