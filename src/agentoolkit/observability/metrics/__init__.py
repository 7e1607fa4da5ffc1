"""Counters, gauges and histograms, for people and for Prometheus."""

from agentoolkit.observability.metrics.agentool import Metrics, MetricsInput, create_metrics_agent
from agentoolkit.observability.metrics.collecting import SchedulerFigures
from agentoolkit.observability.metrics.errors import MetricConflict, MetricNotFound, TooManySeries
from agentoolkit.observability.metrics.registry import Registry

__all__ = [
    "MetricConflict",
    "MetricNotFound",
    "Metrics",
    "MetricsInput",
    "Registry",
    "SchedulerFigures",
    "TooManySeries",
    "create_metrics_agent",
]
