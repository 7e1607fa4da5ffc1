"""Random valid crontab texts, the same ones for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator

LIMITS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


def crontabs(seed: int, count: int) -> Iterator[str]:
    """Yield ``count`` texts of all shapes crontab(5) and its extensions allow."""
    dice = random.Random(seed)
    for _ in range(count):
        yield " ".join(_field(dice, index) for index in range(5))


def _field(dice: random.Random, index: int) -> str:
    if dice.random() < (0.25, 0.25, 0.4, 0.5, 0.4)[index]:
        return "*"
    return ",".join(_term(dice, index) for _ in range(dice.choice((1, 1, 1, 2, 3))))


def _term(dice: random.Random, index: int) -> str:
    low, high = LIMITS[index]
    if index == 2 and dice.random() < 0.12:
        return dice.choice(("L", "LW"))
    if index == 4 and dice.random() < 0.15:
        return dice.choice(
            (f"{dice.randint(0, 7)}L", f"{dice.randint(0, 7)}#{dice.randint(1, 5)}", f"{dice.choice(WEEKDAYS)}#{dice.randint(1, 5)}")
        )
    first = dice.randint(low, high)
    last = dice.randint(first, high)
    step = dice.randint(1, high)
    plain = _name(dice, index, first)
    between = f"{plain}-{_name(dice, index, last)}"
    return dice.choice((plain, plain, between, f"*/{step}", f"{between}/{step}", f"{plain}/{step}"))


def _name(dice: random.Random, index: int, number: int) -> str:
    if index == 3 and dice.random() < 0.2:
        return MONTHS[number - 1]
    if index == 4 and number < 7 and dice.random() < 0.2:
        return dice.choice((WEEKDAYS[number], WEEKDAYS[number].upper()))
    return str(number)
