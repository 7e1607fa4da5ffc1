"""The errors of the metrics."""

from __future__ import annotations

from collections.abc import Iterable

from agentool.errors import AgenToolError, did_you_mean, excerpt


class MetricNotFound(AgenToolError, KeyError):
    """There is no metric of this name, or none with these labels."""

    @classmethod
    def among(cls, name: str, known: Iterable[str]) -> MetricNotFound:
        """Name the nearest of the metrics there are."""
        remedy = did_you_mean(name, known) or "There are none yet: the first 'increment', 'set' or 'observe' makes one."
        return cls(f"No metric is named {excerpt(name)}.", field="name", value=name, remedy=remedy)


class MetricConflict(AgenToolError, ValueError):
    """A metric of this name is of another kind, or has other buckets. Nothing was counted."""


class TooManySeries(AgenToolError, RuntimeError):
    """A metric would have more combinations of labels than allowed, or there would be too many metrics. Nothing was counted."""
