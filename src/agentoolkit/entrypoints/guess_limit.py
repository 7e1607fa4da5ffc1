"""Limit guesses: an address that sends many wrong secrets is refused for a while, also if they come at once."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from typing import Any, TypeVar

from agentoolkit.newest import keep_newest

MAX_GUESSES = 20
GUESS_SECONDS = 60.0
"""An address with `MAX_GUESSES` different wrong secrets in this time is refused."""
TOO_MANY = "Too many wrong tokens came from this address."
MAX_REMEMBERED = 2_000
"""Newest guesses of all addresses, and newest right secrets, that are remembered."""

Found = TypeVar("Found")
Guess = tuple[str, str]
"""An address, and the digest of a secret from it."""


class Guesses:
    """Looks secrets up, and counts the wrong secrets of each address. A repeated secret counts once.

    Args:
        refusal: Creates the error for an address with too many guesses, from the seconds it has to wait.
    """

    def __init__(self, refusal: Callable[[int], Exception]) -> None:
        self._refusal = refusal
        self._counted: dict[Guess, float] = {}
        """Times of the guesses that were wrong or are being looked up, the oldest first."""
        self._open: set[Guess] = set()
        """Guesses that are being looked up."""
        self._right: dict[Guess, None] = {}
        """Secrets that were right before: guesses from the same address do not lock them out."""

    async def check(self, scope: Mapping[str, Any], secret: str, look_up: Callable[[str], Awaitable[Found | None]]) -> Found | None:
        """Look a secret up, and return the result; None if the secret is wrong.

        Args:
            scope: ASGI scope of its request.
            secret: The secret as sent.
            look_up: Looks a secret up; returns None for a wrong one.

        Raises:
            Exception: The address has sent too many wrong secrets; the error of `refusal`.
        """
        guess = (scope.get("client") or ("", 0))[0], sha256(secret.encode()).hexdigest()
        if guess not in self._right:
            self._count_guess(guess)  # before the lookup, so that guesses at the same time all count
        found, is_wrong = None, False
        try:
            found = await look_up(secret)
            is_wrong = found is None
        finally:
            self._note_result(guess, is_wrong=is_wrong, is_right=found is not None)
        return found

    def _count_guess(self, guess: Guess) -> None:
        now = time.monotonic()
        while self._counted and (oldest := next(iter(self._counted.items())))[1] < now - GUESS_SECONDS:
            del self._counted[oldest[0]]
        others = [other for other in self._counted if other[0] == guess[0]]
        if guess not in self._counted and len(others) >= MAX_GUESSES:
            wait = 1 if self._open.intersection(others) else math.ceil(self._counted[others[0]] + GUESS_SECONDS - now)
            raise self._refusal(wait)
        self._counted.setdefault(guess, now)
        self._open.add(guess)
        keep_newest(self._counted, MAX_REMEMBERED)

    def _note_result(self, guess: Guess, *, is_wrong: bool, is_right: bool) -> None:
        """Note whether a guess was right or wrong. A failed lookup is neither, and does not count."""
        self._open.discard(guess)
        if is_wrong:
            self._right.pop(guess, None)
            self._counted.setdefault(guess, time.monotonic())
        else:
            self._counted.pop(guess, None)
        if is_right:
            self._right[guess] = None
            keep_newest(self._right, MAX_REMEMBERED)
