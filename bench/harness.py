"""Interleaved rounds, medians and the one line that a bench prints."""

from __future__ import annotations

import os
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
    above: bool = False
    """The figure is not a ratio: ours may be so much above the peer's."""

    def figure(self, ours: float, peer: float) -> float:
        return ours - peer if self.above else ours / peer

    def holds(self, figure: float) -> bool:
        return figure <= self.factor if self.relation == "at most" else figure >= self.factor


async def compare(title: str, unit: str, ours: Side, peer: Side, bar: Bar, rounds: int = 5) -> bool:
    """Measure both sides in turn, A B A B …, and compare medians of the pairs. Returns whether the bar is met.

    The variable ``BENCH_ROUNDS`` sets another number of rounds.
    """
    rounds = int(os.environ.get("BENCH_ROUNDS", rounds))
    pairs = [(await ours.measure(), await peer.measure()) for _ in range(rounds)]
    figures = [bar.figure(a, b) for a, b in pairs]
    met = bar.holds(median(figures))
    print(f"\n{title}")
    for side, values in ((ours, [a for a, _ in pairs]), (peer, [b for _, b in pairs])):
        print(f"  {side.name:<46} {median(values):>12,.2f} {unit}   ({min(values):,.2f} to {max(values):,.2f})")
    name = "difference" if bar.above else "ratio"
    spread = f"{min(figures):.2f} to {max(figures):.2f}"
    print(f"  {name} {median(figures):.2f} ({spread}), wanted {bar.relation} {bar.factor:g}: {'met' if met else 'MISSED'}", flush=True)
    return met
