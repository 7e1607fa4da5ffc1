"""Guesses: an address that comes with many wrong secrets is refused for a while, however many come at once."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from typing import Any, TypeVar

from agentoolkit.newest import keep_newest

MAX_GUESSES = 20
GUESS_SECONDS = 60.0
"""An address with so many different wrong secrets in so many seconds is refused."""
TOO_MANY = "Too many wrong tokens came from this address."
MAX_REMEMBERED = 2_000
"""Guesses of all addresses that are remembered, and secrets that were right; the newest."""

Found = TypeVar("Found")
Guess = tuple[str, str]
"""An address, and the digest of a secret that came from it."""


class Guesses:
    """Looks secrets up, and counts the wrong ones of each address. One that is sent again and again is no further guess.

    Args:
        refusal: Makes the error of too many, from the seconds until the next may come.
    """

    def __init__(self, refusal: Callable[[int], Exception]) -> None:
        self._refusal = refusal
        self._counted: dict[Guess, float] = {}
        """When each was made, the oldest first: those that were wrong, and those that are being looked up."""
        self._open: set[Guess] = set()
        """Those that are being looked up."""
        self._right: dict[Guess, None] = {}
        """Those that were right before: guessing at the same address does not lock them out."""

    async def check(self, scope: Mapping[str, Any], secret: str, look_up: Callable[[str], Awaitable[Found | None]]) -> Found | None:
        """Return what a secret stands for; None: it is wrong.

        Args:
            scope: ASGI's, of the request that came with it.
            secret: As it came.
            look_up: Finds what it stands for.

        Raises:
            Exception: Too many wrong ones came from the same address; the door's own error.
        """
        guess = (scope.get("client") or ("", 0))[0], sha256(secret.encode()).hexdigest()
        if guess not in self._right:
            self._count(guess)  # before it is looked up, so that none of many at once is missed
        found, is_wrong = None, False
        try:
            found = await look_up(secret)
            is_wrong = found is None
        finally:
            self._note(guess, is_wrong=is_wrong, is_right=found is not None)
        return found

    def _count(self, guess: Guess) -> None:
        now = time.monotonic()
        while self._counted and (oldest := next(iter(self._counted.items())))[1] < now - GUESS_SECONDS:
            del self._counted[oldest[0]]
        others = [one for one in self._counted if one[0] == guess[0]]
        if guess not in self._counted and len(others) >= MAX_GUESSES:
            wait = 1 if self._open.intersection(others) else math.ceil(self._counted[others[0]] + GUESS_SECONDS - now)
            raise self._refusal(wait)
        self._counted.setdefault(guess, now)
        self._open.add(guess)
        keep_newest(self._counted, MAX_REMEMBERED)

    def _note(self, guess: Guess, *, is_wrong: bool, is_right: bool) -> None:
        """Note what came of it; of what could not be looked up, nothing."""
        self._open.discard(guess)
        if is_wrong:
            self._right.pop(guess, None)
            self._counted.setdefault(guess, time.monotonic())
        else:
            self._counted.pop(guess, None)
        if is_right:
            self._right[guess] = None
            keep_newest(self._right, MAX_REMEMBERED)
