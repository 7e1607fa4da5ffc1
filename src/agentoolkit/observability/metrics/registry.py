"""Counters, gauges and histograms. Plain objects without locks, for one thread, because every event of the scheduler passes here."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal, TypeVar, cast

from agentoolkit.observability.metrics.errors import MetricConflict, MetricNotFound, TooManySeries

Kind = Literal["counter", "gauge", "histogram"]
Labels = tuple[tuple[str, str], ...]
"""Sorted by name."""

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Default upper bounds of buckets, in seconds."""
MAX_SERIES = 1_000
"""Most combinations of labels of one metric."""
MAX_METRICS = 1_000
RESERVED = "agentool_"
"""Prefix of the toolkit's own metrics, which do not count towards the limit of metrics."""
_PARTS = ("_bucket", "_sum", "_count")
"""Suffixes of a histogram's exported names."""


class Number:
    """A counter or a gauge with one combination of labels."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def add(self, amount: float) -> None:
        self.value += amount


class Histogram:
    """Observations with one combination of labels, counted by size."""

    __slots__ = ("_bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        """Observations of each bucket alone, by upper bound; the last bucket is unbounded."""
        self.total = 0.0

    def observe(self, value: float) -> None:
        # A bound is part of its bucket, so the first bound that is not below the value is the one.
        self.counts[bisect_left(self._bounds, value)] += 1
        self.total += value

    @property
    def count(self) -> int:
        return sum(self.counts)


Series = Number | Histogram
S = TypeVar("S", Number, Histogram)


@dataclass(slots=True)
class Metric:
    """A metric with all of its series."""

    name: str
    kind: Kind
    help: str = ""
    buckets: tuple[float, ...] = ()
    series: dict[Labels, Series] = field(default_factory=dict[Labels, Series])


class Registry:
    """All metrics of a process.

    Args:
        most_series: Combinations of labels that one metric may have.
        most_metrics: Largest number of metrics.
    """

    def __init__(self, most_series: int = MAX_SERIES, most_metrics: int = MAX_METRICS) -> None:
        self.most_series = most_series
        self.resets = 0
        """Raised by each reset. Code that caches a series must look it up again after a change."""
        self._most_metrics = most_metrics
        self._metrics: dict[str, Metric] = {}

    def counter(self, name: str, labels: Mapping[str, str] | None = None, help: str = "") -> Number:
        """Return a counter; create a missing one. The caller may cache it and add to it.

        Raises:
            MetricConflict, TooManySeries: See their descriptions.
        """
        return self._series(self._metric(Metric(name, "counter", help)), labels, Number)

    def gauge(self, name: str, labels: Mapping[str, str] | None = None, help: str = "") -> Number:
        """Return a gauge; create a missing one. Raises as `counter`."""
        return self._series(self._metric(Metric(name, "gauge", help)), labels, Number)

    def histogram(
        self, name: str, labels: Mapping[str, str] | None = None, help: str = "", buckets: Sequence[float] | None = None
    ) -> Histogram:
        """Return a histogram; create a missing one, by default with `BUCKETS`. Raises as `counter`."""
        there = self._metrics.get(name)
        bounds = tuple(buckets) if buckets is not None else there.buckets if there else BUCKETS
        metric = self._metric(Metric(name, "histogram", help, bounds))
        return self._series(metric, labels, lambda: Histogram(metric.buckets))

    def find(self, name: str) -> Metric:
        """Return a metric. Raises `MetricNotFound`."""
        try:
            return self._metrics[name]
        except KeyError:
            raise MetricNotFound.among(name, self._metrics) from None

    def all(self) -> list[Metric]:
        """Return every metric by name."""
        return [self._metrics[name] for name in sorted(self._metrics)]

    def reset(self, name: str | None = None) -> int:
        """Delete a metric, or all; return their number. Raises `MetricNotFound`."""
        self.resets += 1
        if name is not None:
            del self._metrics[self.find(name).name]
            return 1
        number = len(self._metrics)
        self._metrics.clear()
        return number

    def replace(self, name: str, help: str, rows: Iterable[tuple[Mapping[str, str], float]]) -> None:
        """Replace all series of a gauge by current values, up to the limit of series."""
        metric = self._metric(Metric(name, "gauge", help))
        metric.series.clear()
        for labels, value in islice(rows, self.most_series):
            self._series(metric, labels, Number).value = float(value)

    def _metric(self, wanted: Metric) -> Metric:
        metric = self._metrics.get(wanted.name)
        if metric is None:
            others = sum(not other.startswith(RESERVED) for other in self._metrics)
            if others >= self._most_metrics and not wanted.name.startswith(RESERVED):
                raise _too_many(f"There are {self._most_metrics:,} metrics", "name", wanted.name, "metrics_count")
            self._check_exported_names(wanted)
            metric = self._metrics[wanted.name] = wanted
        if metric.kind != wanted.kind or metric.buckets != wanted.buckets:
            has = metric.kind if metric.kind != wanted.kind else f"histogram with the buckets {metric.buckets}"
            remedy = "Use another name, or 'reset' this one."
            raise MetricConflict(f"{wanted.name!r} is a {has}.", field="name", value=wanted.name, remedy=remedy)
        metric.help = metric.help or wanted.help
        return metric

    def _check_exported_names(self, wanted: Metric) -> None:
        """Refuse a metric whose exported name another metric has."""
        name = wanted.name
        taken = [f"{name}{part}" for part in _PARTS if wanted.kind == "histogram" and f"{name}{part}" in self._metrics]
        bases = (name.removesuffix(part) for part in _PARTS if name.endswith(part))
        taken += [base for base in bases if base in self._metrics and self._metrics[base].kind == "histogram"]
        if taken:
            problem = f"{name!r} and {taken[0]!r} would be exported under one name."
            raise MetricConflict(problem, field="name", value=name, remedy="Use another name, or 'reset' the other one.")

    def _series(self, metric: Metric, labels: Mapping[str, str] | None, make: Callable[[], S]) -> S:
        key = sorted_labels(labels)
        series = metric.series.get(key)
        if series is None:
            if len(metric.series) >= self.most_series:
                said = f"{metric.name!r} has {self.most_series:,} combinations of labels"
                raise _too_many(said, "labels", labels, "metrics_series")
            series = metric.series[key] = make()
        return cast("S", series)  # all series of a metric are of one kind


def sorted_labels(labels: Mapping[str, str] | None) -> Labels:
    """Return labels in a canonical form. To Prometheus an empty label is the same as none."""
    return tuple(sorted((name, value) for name, value in labels.items() if value)) if labels else ()


def cumulated(histogram: Histogram, buckets: Sequence[float]) -> list[tuple[float, int]]:
    """Return the number of observations up to each bound, infinity last."""
    so_far = 0
    rows: list[tuple[float, int]] = []
    for bound, count in zip((*buckets, math.inf), histogram.counts, strict=True):
        so_far += count
        rows.append((bound, so_far))
    return rows


def _too_many(said: str, field: str, value: object, setting: str) -> TooManySeries:
    remedy = f"Put no ids, times or free text into names and labels; or raise the setting `{setting}`."
    return TooManySeries(f"{said}, and no more are made.", field=field, value=value, remedy=remedy)
