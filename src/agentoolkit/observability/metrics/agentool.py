"""The AgenTool ``metrics``: its input, its operations, and how it is made."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field

from agentool.agentool import AgenTool, create_agentool
from agentool.base import BaseOperationInput
from agentool.context import RunContext
from agentool.core.injector import Injector, get_injector
from agentool.errors import InvalidInput
from agentoolkit.failure_log import log_again
from agentoolkit.observability.metrics.collecting import Collect
from agentoolkit.observability.metrics.errors import MetricNotFound
from agentoolkit.observability.metrics.forms import CONTENT_TYPE, as_json, as_prometheus, series_as_json
from agentoolkit.observability.metrics.registry import RESERVED, Histogram, Kind, Number, Registry, sorted_labels

logger = logging.getLogger(__name__)

NAME = "metrics"

DESCRIPTION = """\
Counts, measures and times, by name and labels, and shows the figures as JSON or for Prometheus; the scheduler's own
figures are among them."""


def _not_reserved(name: str) -> str:
    if name == "le" or name.startswith("__"):
        raise ValueError("'le' and names that begin with '__' are Prometheus' own")
    return name


LabelName = Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$", max_length=100), AfterValidator(_not_reserved)]
LabelValue = Annotated[str, Field(max_length=500)]
GivenLabels = dict[LabelName, LabelValue]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class MetricsInput(BaseOperationInput):
    """Input of the AgenTool ``metrics``. Which fields an operation takes, and needs, is said by its handler."""

    operation: Literal["increment", "set", "observe", "time", "get", "list", "reset", "export"]
    name: str | None = Field(None, pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$", max_length=200, description="Letters, digits, '_' and ':'")
    value: Finite | None = Field(None, description="What is added, not negative, 1 by default; or what is set or observed")
    seconds: float | None = Field(None, ge=0, allow_inf_nan=False, description="For time: how long it took")
    labels: GivenLabels | None = Field(None, max_length=20, description="Few, with few values: each combination is a series")
    buckets: list[Finite] | None = Field(None, min_length=1, max_length=100, description="For the first observe: upper bounds, rising")
    help: str | None = Field(None, max_length=500, description="What it measures, with the unit; kept from the first that says it")
    format: Literal["json", "prometheus"] | None = Field("json", description="For export")


class Counted(BaseModel):
    """Answer to ``increment``, ``set``, ``observe`` and ``time``."""

    name: str
    value: float = Field(description="Of a counter or gauge, as it is now; of a histogram, what was observed")


class MetricSeries(BaseModel):
    """Answer to ``get``."""

    name: str
    kind: Kind
    help: str
    value: float | None = Field(description="Where there is but one series: its value; of a histogram, the mean")
    series: list[dict[str, Any]] = Field(description="Each with labels and value; of a histogram, also count, sum and buckets")


class MetricList(BaseModel):
    """Answer to ``list``."""

    metrics: list[str]
    count: int


class MetricsReset(BaseModel):
    """Answer to ``reset``."""

    count: int = Field(description="Metrics that were forgotten")


class MetricsExport(BaseModel):
    """Answer to ``export``: `metrics` with format 'json', `text` with 'prometheus'."""

    format: Literal["json", "prometheus"]
    content_type: str
    metrics: list[dict[str, Any]] | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Metrics:
    """The deps of the AgenTool ``metrics``."""

    registry: Registry = field(default_factory=Registry)
    collectors: list[Collect] = field(default_factory=list[Collect])
    """Called for current values before metrics are shown."""

    async def fresh(self) -> Registry:
        """Return the registry with current values. The metrics of a failing collector keep their last values."""
        for collect in self.collectors:
            try:
                await collect(self.registry)
            except Exception as error:
                log_again(logger, "Figures could not be collected: %s: %s", type(error).__name__, error)
        return self.registry


Context = RunContext[Metrics]


def _check_name(name: str) -> None:
    if name.startswith(RESERVED):
        problem = f"Names that begin with {RESERVED!r} are the toolkit's own."
        raise InvalidInput(problem, field="name", value=name, remedy="Begin it with the name of your application.")


async def metrics_increment(ctx: Context, name: str, value: float = 1, labels: GivenLabels | None = None, help: str = "") -> Counted:
    """Add to a counter, which starts at 0.

    Raises:
        InvalidInput, MetricConflict, TooManySeries: Nothing was counted.
    """
    _check_name(name)
    if value < 0:
        raise InvalidInput("A counter only grows.", field="value", value=value, remedy="Use 'set' for what also falls.")
    counter = ctx.deps.registry.counter(name, labels, help)
    counter.add(value)
    return Counted(name=name, value=counter.value)


async def metrics_set(ctx: Context, name: str, value: float, labels: GivenLabels | None = None, help: str = "") -> Counted:
    """Set a gauge.

    Raises:
        MetricConflict, TooManySeries: Nothing was set.
    """
    _check_name(name)
    ctx.deps.registry.gauge(name, labels, help).value = value
    return Counted(name=name, value=value)


async def metrics_observe(
    ctx: Context, name: str, value: float, labels: GivenLabels | None = None, buckets: list[Finite] | None = None, help: str = ""
) -> Counted:
    """Add an observation to a histogram. The first observation sets its buckets.

    Raises:
        MetricConflict, TooManySeries: Nothing was counted.
    """
    _check_name(name)
    if buckets is not None and buckets != sorted(set(buckets)):
        raise InvalidInput("The upper bounds do not rise.", field="buckets", value=buckets, remedy="Name each upper bound once, in order.")
    ctx.deps.registry.histogram(name, labels, help, buckets).observe(value)
    return Counted(name=name, value=value)


async def metrics_time(ctx: Context, name: str, seconds: float, labels: GivenLabels | None = None, help: str = "") -> Counted:
    """Add a duration to a histogram.

    Raises:
        MetricConflict, TooManySeries: Nothing was counted.
    """
    _check_name(name)
    ctx.deps.registry.histogram(name, labels, help).observe(seconds)
    return Counted(name=name, value=seconds)


async def metrics_get(ctx: Context, name: str, labels: GivenLabels | None = None) -> MetricSeries:
    """Show a metric: the series with exactly these labels, or all.

    Raises:
        MetricNotFound: The metric or series does not exist.
    """
    metric = (await ctx.deps.fresh()).find(name)
    if labels is None:
        chosen = as_json(metric)["series"]
    else:
        key = sorted_labels(labels)
        held: Number | Histogram | None = metric.series.get(key)
        if held is None:
            remedy = "Leave out labels to see all series."
            raise MetricNotFound(f"{metric.name!r} has no series with these labels.", field="labels", value=labels, remedy=remedy)
        chosen = [series_as_json(metric, key, held)]
    value = chosen[0]["value"] if len(chosen) == 1 else None
    return MetricSeries(name=name, kind=metric.kind, help=metric.help, value=value, series=chosen)


async def metrics_list(ctx: Context) -> MetricList:
    """List the names of all metrics."""
    names = [metric.name for metric in (await ctx.deps.fresh()).all()]
    return MetricList(metrics=names, count=len(names))


async def metrics_reset(ctx: Context, name: str | None = None) -> MetricsReset:
    """Delete a metric, or all.

    Raises:
        MetricNotFound: The metric does not exist.
    """
    return MetricsReset(count=ctx.deps.registry.reset(name))


async def metrics_export(ctx: Context, format: Literal["json", "prometheus"] = "json") -> MetricsExport:
    """Show all metrics, as JSON or as the text that Prometheus reads."""
    metrics = (await ctx.deps.fresh()).all()
    if format == "prometheus":
        return MetricsExport(format=format, content_type=CONTENT_TYPE, text=as_prometheus(metrics))
    return MetricsExport(format=format, content_type="application/json", metrics=[as_json(metric) for metric in metrics])


HANDLERS = {
    "increment": metrics_increment,
    "set": metrics_set,
    "observe": metrics_observe,
    "time": metrics_time,
    "get": metrics_get,
    "list": metrics_list,
    "reset": metrics_reset,
    "export": metrics_export,
}


def create_metrics_agent(metrics: Metrics | None = None, *, injector: Injector | None = None) -> AgenTool[Metrics]:
    """Create the AgenTool ``metrics`` and register it, or return the registered one.

    Args:
        metrics: The deps; by default an empty registry.
        injector: The injector to register in; by default the current one.
    """
    injector = injector or get_injector()
    if metrics is None and NAME in injector:
        return injector.get(NAME)
    return create_agentool(
        NAME, MetricsInput, HANDLERS, deps=metrics or Metrics(), description=DESCRIPTION, examples=EXAMPLES, injector=injector
    )


EXAMPLES = (
    {"operation": "increment", "name": "reports_total", "labels": {"kind": "daily"}, "help": "Reports sent"},
    {"operation": "time", "name": "render_seconds", "seconds": 0.21},
    {"operation": "export", "format": "prometheus"},
)
