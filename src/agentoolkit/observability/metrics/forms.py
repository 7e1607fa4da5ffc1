"""Metrics as JSON values, and as the text that Prometheus reads (exposition format 0.0.4)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

from agentoolkit.observability.metrics.registry import Histogram, Labels, Metric, Series, cumulated

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def as_json(metric: Metric) -> dict[str, Any]:
    """Return a metric as JSON values."""
    series = [series_as_json(metric, labels, held) for labels, held in sorted(metric.series.items())]
    return {"name": metric.name, "kind": metric.kind, "help": metric.help, "series": series}


def series_as_json(metric: Metric, labels: Labels, held: Series) -> dict[str, Any]:
    """Return one series as JSON values; `value` of a histogram is its mean."""
    if not isinstance(held, Histogram):
        return {"labels": dict(labels), "value": held.value}
    count = held.count
    buckets = {_number(bound): number for bound, number in cumulated(held, metric.buckets)}
    mean = held.total / count if count else None
    return {"labels": dict(labels), "value": mean, "count": count, "sum": held.total, "buckets": buckets}


def as_prometheus(metrics: Iterable[Metric]) -> str:
    """Return metrics as text for Prometheus."""
    return "".join(f"{line}\n" for metric in metrics for line in _lines(metric))


def _lines(metric: Metric) -> Iterator[str]:
    if metric.help:
        yield f"# HELP {metric.name} {_escaped(metric.help)}"
    yield f"# TYPE {metric.name} {metric.kind}"
    for labels, held in sorted(metric.series.items()):
        if isinstance(held, Histogram):
            for bound, count in cumulated(held, metric.buckets):
                yield f"{metric.name}_bucket{_labels((*labels, ('le', _number(bound))))} {count}"
            yield f"{metric.name}_sum{_labels(labels)} {_number(held.total)}"
            yield f"{metric.name}_count{_labels(labels)} {held.count}"
        else:
            yield f"{metric.name}{_labels(labels)} {_number(held.value)}"


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    written = ",".join(f'{name}="{_quoted(value)}"' for name, value in labels)
    return f"{{{written}}}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _quoted(text: str) -> str:
    return _escaped(text).replace('"', '\\"')


def _number(value: float) -> str:
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if math.isnan(value):
        return "NaN"
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
