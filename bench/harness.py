"""Interleaved rounds, medians and the one line that a bench prints."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from statistics import median
from typing import Literal


@dataclass(frozen=True)
class Side:
    """One contestant: what it is, and how one round of it is measured."""

    name: str
    measure: Callable[[], Awaitable[float]]


@dataclass(frozen=True)
class Bar:
    """What a ratio of ours to a peer's must keep to."""

    relation: Literal["at most", "at least"]
    factor: float

    def holds(self, ratio: float) -> bool:
        return ratio <= self.factor if self.relation == "at most" else ratio >= self.factor


async def compare(title: str, unit: str, ours: Side, peer: Side, bar: Bar, rounds: int = 5) -> bool:
    """Measure both sides in turn, A B A B …, and compare medians of the pairs. Returns whether the bar is met."""
    pairs = [(await ours.measure(), await peer.measure()) for _ in range(rounds)]
    ratio = median(a / b for a, b in pairs)
    low, high = min(a / b for a, b in pairs), max(a / b for a, b in pairs)
    met = bar.holds(ratio)
    print(f"\n{title}")
    for side, values in ((ours, [a for a, _ in pairs]), (peer, [b for _, b in pairs])):
        print(f"  {side.name:<46} {median(values):>12,.2f} {unit}   ({min(values):,.2f} to {max(values):,.2f})")
    print(f"  ratio {ratio:.2f} ({low:.2f} to {high:.2f}), wanted {bar.relation} {bar.factor:g}: {'met' if met else 'MISSED'}")
    return met
