"""The AgenTool ``metrics``: counting, its limits and forms, and the scheduler's own figures."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentool import Injector, InvalidInput
from agentoolkit.endings import GoesOnLater
from agentoolkit.observability.metrics import MetricConflict, MetricNotFound, Metrics, Registry, TooManySeries, create_metrics_agent
from agentoolkit.observability.metrics.collecting import OTHERS, SchedulerFigures, queue_figures
from agentoolkit.observability.metrics.forms import as_prometheus
from agentoolkit.observability.metrics.registry import BUCKETS, Number
from agentoolkit.system.scheduler.events import Event
from agentoolkit.system.scheduler.execution_records import Execution, ExecutionStatus
from agentoolkit.testing import TestToolkit


class Asking:
    def __init__(self, registry: Registry | None = None) -> None:
        self.injector = Injector()
        create_metrics_agent(Metrics(registry or Registry()), injector=self.injector)

    async def __call__(self, operation: str, **fields: Any) -> Any:
        return await self.injector.run("metrics", {"operation": operation, **fields})

    async def text(self) -> str:
        return (await self("export", format="prometheus")).text


@pytest.fixture
def ask() -> Asking:
    return Asking()


def parsed(text: str) -> dict[str, float]:
    """Read the samples of an exposition by the grammar of its format, and refuse any other line."""
    label = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\\\|\\n|\\")*"'
    sample = re.compile(rf"([a-zA-Z_:][a-zA-Z0-9_:]*(?:\{{{label}(?:,{label})*\}})?) (\S+)")
    comment = re.compile(r"# (?:TYPE [a-zA-Z_:][a-zA-Z0-9_:]* (?:counter|gauge|histogram)|HELP [a-zA-Z_:][a-zA-Z0-9_:]* .*)")
    found: dict[str, float] = {}
    for line in text.split("\n")[:-1]:
        if not comment.fullmatch(line):
            match = sample.fullmatch(line)
            assert match, line
            assert match[1] not in found
            found[match[1]] = float(match[2])
    return found


# Counting


async def test_a_counter_counts(ask: Asking):
    """By one, or by what is given."""
    values = [(await ask("increment", name="a", **by)).value for by in ({}, {"value": 2.5})]
    assert values == [1, 3.5]


async def test_a_counter_does_not_fall(ask: Asking):
    """A negative step is refused, and 'set' is named."""
    with pytest.raises(InvalidInput, match="'set'"):
        await ask("increment", name="a", value=-1)


async def test_a_gauge_is_what_was_set_last(ask: Asking):
    """It rises and falls."""
    for value in (3, -2.5):
        await ask("set", name="a", value=value)
    assert (await ask("get", name="a")).value == -2.5


async def test_a_histogram_counts_by_bucket(ask: Asking):
    """A value on a bound belongs to it; what is above all bounds is counted too."""
    for value in (1, 1.5, 2, 3):
        await ask("observe", name="a", value=value, buckets=[1, 2])
    (series,) = (await ask("get", name="a")).series
    assert series == {"labels": {}, "value": 1.875, "count": 4, "sum": 7.5, "buckets": {"1": 1, "2": 3, "+Inf": 4}}


@given(st.lists(st.floats(0, 1e6)), st.lists(st.floats(0, 1e6), min_size=1, unique=True).map(sorted))
def test_a_histogram_is_what_counting_one_by_one_gives(values: list[float], buckets: list[float]):
    """Each bucket has as many as there are values not above its bound."""
    registry = Registry()
    for value in values or [0.0]:
        registry.histogram("a", buckets=buckets).observe(value)
    samples = parsed(as_prometheus(registry.all()))
    bounds = [float(name.split('"')[1]) for name in samples if "_bucket" in name]
    counts = [count for name, count in samples.items() if "_bucket" in name]
    assert counts == [sum(value <= bound for value in values or [0.0]) for bound in bounds]


async def test_time_is_a_histogram_of_seconds(ask: Asking):
    """A duration is observed with buckets made for seconds."""
    await ask("time", name="a", seconds=0.2)
    answer = await ask("get", name="a")
    assert (answer.kind, answer.value, len(answer.series[0]["buckets"])) == ("histogram", 0.2, len(BUCKETS) + 1)


async def test_labels_tell_series_apart(ask: Asking):
    """The order of labels does not matter, their values do."""
    await ask("increment", name="a", labels={"x": "1", "y": "2"})
    await ask("increment", name="a", labels={"y": "2", "x": "1"})
    await ask("increment", name="a", labels={"x": "2"})
    assert (await ask("get", name="a", labels={"x": "1", "y": "2"})).value == 2
    assert len((await ask("get", name="a")).series) == 2


async def test_a_name_has_one_kind(ask: Asking):
    """A counter is not set, and a histogram keeps its buckets; what was counted stays."""
    await ask("increment", name="a")
    await ask("observe", name="b", value=1, buckets=[1, 2])
    with pytest.raises(MetricConflict, match="counter"):
        await ask("set", name="a", value=5)
    with pytest.raises(MetricConflict, match="buckets"):
        await ask("observe", name="b", value=1, buckets=[1, 3])
    assert (await ask("get", name="a")).value == 1


async def test_observe_without_buckets_uses_those_there_are(ask: Asking):
    """Buckets are named once."""
    for fields in ({"buckets": [1]}, {}):
        await ask("observe", name="a", value=1, **fields)
    assert (await ask("get", name="a")).series[0]["count"] == 2


async def test_what_is_not_there_names_the_nearest(ask: Asking):
    """A misspelt name is a KeyError that names what was meant; so are labels that are not there."""
    await ask("increment", name="reports_total")
    with pytest.raises(MetricNotFound, match="'reports_total'"):
        await ask("get", name="report_total")
    with pytest.raises(KeyError):
        await ask("get", name="reports_total", labels={"x": "1"})


async def test_reset_forgets(ask: Asking):
    """One by its name, or all."""
    for name in "abc":
        await ask("increment", name=name)
    assert ((await ask("reset", name="a")).count, (await ask("list")).metrics, (await ask("reset")).count) == (1, ["b", "c"], 2)
    with pytest.raises(MetricNotFound):
        await ask("reset", name="a")


async def test_too_many_series_are_refused():
    """Beyond the limit no series is made and the way out is named; those that are there go on."""
    ask = Asking(Registry(most_series=2))
    for user in "ab":
        await ask("increment", name="a", labels={"user": user})
    with pytest.raises(TooManySeries, match="metrics_series"):
        await ask("increment", name="a", labels={"user": "c"})
    assert (await ask("increment", name="a", labels={"user": "a"})).value == 2


async def test_too_many_metrics_are_refused():
    """Beyond the limit no metric is made."""
    ask = Asking(Registry(most_metrics=1))
    await ask("increment", name="a")
    with pytest.raises(TooManySeries, match="metrics_count"):
        await ask("increment", name="b")


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "a.b"},
        {"name": "1a"},
        {"name": ""},
        {"name": "a", "labels": {"le": "1"}},
        {"name": "a", "labels": {"__x": "1"}},
        {"name": "a", "labels": {"a-b": "1"}},
        {"name": "a", "value": float("nan")},
        {"name": "a", "value": float("inf")},
        {"name": "a", "labels": {f"l{n}": "" for n in range(21)}},
    ],
)
async def test_what_cannot_be_exported_is_refused(ask: Asking, fields: dict[str, Any]):
    """Names, labels and numbers that Prometheus does not have are refused when they are given."""
    with pytest.raises(InvalidInput):
        await ask("increment", **fields)


@pytest.mark.parametrize("buckets", [[2, 1], [1, 1]])
async def test_buckets_rise(ask: Asking, buckets: list[float]):
    """Bounds out of order are refused."""
    with pytest.raises(InvalidInput, match="rise"):
        await ask("observe", name="a", value=1, buckets=buckets)


# Forms


async def test_prometheus_text_is_as_the_format_says(ask: Asking):
    """Help, type, escaped labels, buckets that add up, sum and count."""
    await ask("increment", name="a_total", labels={"path": 'C:\\"x"\n'}, help="Files\nread \\ written")
    await ask("observe", name="b_seconds", value=0.5, buckets=[0.25, 1], labels={"z": "1"})
    assert await ask.text() == (
        "# HELP a_total Files\\nread \\\\ written\n"
        "# TYPE a_total counter\n"
        'a_total{path="C:\\\\\\"x\\"\\n"} 1\n'
        "# TYPE b_seconds histogram\n"
        'b_seconds_bucket{z="1",le="0.25"} 0\n'
        'b_seconds_bucket{z="1",le="1"} 1\n'
        'b_seconds_bucket{z="1",le="+Inf"} 1\n'
        'b_seconds_sum{z="1"} 0.5\n'
        'b_seconds_count{z="1"} 1\n'
    )


@given(st.dictionaries(st.from_regex(r"[a-z]+", fullmatch=True), st.text(), max_size=3), st.text(), st.floats(allow_nan=False))
def test_any_text_is_escaped(labels: dict[str, str], said: str, value: float):
    """Whatever labels and help say, each line is one of the format, and the value is exact."""
    registry = Registry()
    registry.gauge("a", labels, said).value = value
    assert list(parsed(as_prometheus(registry.all())).values()) == [value]


async def test_json_has_the_same_figures(ask: Asking):
    """Names, kinds and values, by labels."""
    await ask("increment", name="a", labels={"x": "1"}, help="said")
    answer = await ask("export")
    assert answer.metrics == [{"name": "a", "kind": "counter", "help": "said", "series": [{"labels": {"x": "1"}, "value": 1.0}]}]
    assert answer.text is None


# The scheduler's figures


async def figures(kit: TestToolkit) -> dict[str, float]:
    exported = await kit.injector.run("metrics", {"operation": "export", "format": "prometheus"})
    return parsed(exported.text)


async def test_executions_are_counted_by_outcome(kit: TestToolkit, probe: Any, scheduler: Any):
    """Each execution that ends is counted once, with its status and AgenTool, and its duration is observed."""
    await scheduler.add("1 minute", job_id="a")
    await kit.advance(minutes=2)
    probe.raises = OSError("mine")
    await kit.advance(minutes=1)
    found = await figures(kit)
    assert found['agentool_executions_total{agentool="probe",status="success"}'] == 2
    assert found['agentool_executions_total{agentool="probe",status="failed"}'] == 1
    assert found['agentool_execution_duration_seconds_count{agentool="probe"}'] == 3


async def test_lateness_is_observed(kit: TestToolkit, probe: Any, scheduler: Any):
    """How long after its due time each scheduled execution started is a histogram."""
    await scheduler.add("1 minute", misfire_grace_time=60)
    kit.clock.jump(datetime(2030, 1, 1, 0, 1, 20, tzinfo=UTC))
    await kit.advance()
    found = await figures(kit)
    assert (found["agentool_execution_lateness_seconds_count"], found["agentool_execution_lateness_seconds_sum"]) == (1, 20)


async def test_retries_are_counted(kit: TestToolkit, probe: Any, scheduler: Any):
    """A failed attempt that another one follows is a retry, and no execution that ended."""
    probe.raises = OSError("mine")
    await scheduler.add("1 hour", max_retries=2, retry_backoff=1)
    await kit.advance(minutes=70)
    found = await figures(kit)
    assert found['agentool_execution_retries_total{agentool="probe"}'] == 2
    assert found['agentool_executions_total{agentool="probe",status="failed"}'] == 1


async def test_looks_at_what_goes_on_elsewhere_are_no_retries(kit: TestToolkit, probe: Any, scheduler: Any):
    """An attempt that only waits has not failed, and is not counted as one that another follows."""
    probe.raises = GoesOnLater("the mill grinds", 10)
    await scheduler.add("now")
    await kit.advance(minutes=1)
    assert len(probe.calls) > 5
    assert not [name for name in await figures(kit) if name.startswith("agentool_execution_retries_total")]


async def test_jobs_are_counted_by_state(kit: TestToolkit, probe: Any, scheduler: Any):
    """What is gone is not counted any more."""
    for name in "abc":
        await scheduler.add("1 minute", job_id=name)
    await scheduler("pause", job_id="a")
    await scheduler("cancel", job_id="b")
    found = await figures(kit)
    assert {name: value for name, value in found.items() if name.startswith("agentool_jobs")} == {
        'agentool_jobs{state="active"}': 1,
        'agentool_jobs{state="paused"}': 1,
    }


async def test_queues_are_measured_when_metrics_are_shown(kit: TestToolkit):
    """How many messages are where is as it is now."""
    for _ in range(2):
        await kit.injector.run("queue", {"operation": "enqueue", "queue_name": "q", "message": 1})
        found = await figures(kit)
    assert found['agentool_queue_messages{queue="q",state="ready"}'] == 2


async def test_after_a_reset_counting_goes_on(kit: TestToolkit, probe: Any, scheduler: Any):
    """The scheduler's figures begin anew after all metrics were forgotten."""
    await scheduler.add("1 minute")
    await kit.advance(minutes=1)
    await kit.injector.run("metrics", {"operation": "reset"})
    await kit.advance(minutes=1)
    assert (await figures(kit))['agentool_executions_total{agentool="probe",status="success"}'] == 1


def test_more_agentools_than_labels_are_counted_together():
    """Beyond the room there is, AgenTools are counted as others, and no event is lost or raises."""
    registry = Registry(most_series=40)
    listener, now = SchedulerFigures(registry), datetime(2030, 1, 1, tzinfo=UTC)
    for number in range(100):
        ended = Execution("e", "j", f"tool{number}", now, status=ExecutionStatus.SUCCESS, finished_at=now, duration=0.1)
        listener([Event("scheduler.task.success", "j", execution=ended)])
    samples = parsed(as_prometheus(registry.all()))
    counted = {name: value for name, value in samples.items() if name.startswith("agentool_executions_total")}
    assert sum(counted.values()) == 100
    assert counted[f'agentool_executions_total{{agentool="{OTHERS}",status="success"}}'] > 90


# The toolkit's own names


@pytest.mark.parametrize("call", [{"operation": "increment"}, {"operation": "set", "value": 1}, {"operation": "observe", "value": 1}])
@pytest.mark.parametrize("name", ["agentool_jobs", "agentool_mine"])
async def test_names_of_the_toolkit_s_own_are_refused(ask: Asking, call: dict[str, Any], name: str):
    """A metric of a caller cannot take the place of one of the toolkit's."""
    with pytest.raises(InvalidInput, match="'agentool_' are the toolkit's own"):
        await ask(name=name, **call)


async def test_as_many_metrics_as_there_may_be_leave_room_for_the_toolkit_s_own(kit: TestToolkit):
    """A thousand metrics of callers end neither `list` nor `export`, and executions are still counted."""
    run = kit.injector.run
    for number in range(1_000):
        await run("metrics", {"operation": "increment", "name": f"m{number}"})
    with pytest.raises(TooManySeries):
        await run("metrics", {"operation": "increment", "name": "one_more"})
    job = {"agentool_name": "metrics", "input_data": {"operation": "list"}}
    await run("scheduler", {"operation": "run_now", **job})
    text = (await run("metrics", {"operation": "export", "format": "prometheus"})).text
    assert 'agentool_execution_duration_seconds_count{agentool="metrics"} 1' in text
    assert "agentool_jobs" in (await run("metrics", {"operation": "list"})).metrics


async def test_a_collector_that_fails_costs_one_line(ask: Asking, caplog: pytest.LogCaptureFixture):
    """Its own figures are missing, and what else there is can be shown."""

    async def fail(registry: Registry) -> None:
        raise ConnectionError("the database is away")

    ask.injector.get("metrics").deps.collectors.append(fail)
    await ask("increment", name="a")
    assert (await ask("list")).metrics == ["a"]
    assert "the database is away" in caplog.text


@pytest.mark.parametrize("part", ["bucket", "sum", "count"])
@pytest.mark.parametrize("first", ["counter", "histogram"])
async def test_no_name_is_exported_twice(ask: Asking, part: str, first: str):
    """A histogram `x` and a counter `x_count` cannot both be there, whichever comes first."""
    calls = [{"operation": "increment", "name": f"x_{part}"}, {"operation": "observe", "name": "x", "value": 1}]
    one, other = calls if first == "counter" else reversed(calls)
    await ask(**one)
    with pytest.raises(MetricConflict, match="exported under one name"):
        await ask(**other)
    parsed(await ask.text())


async def test_an_empty_label_is_none(ask: Asking):
    """`e` and `e` with an empty label are one series."""
    await ask("increment", name="e")
    assert (await ask("increment", name="e", labels={"a": ""})).value == 2
    assert "e 2\n" in await ask.text()


def test_what_is_not_counted_costs_no_other_of_its_moment():
    """Where there may be no further series, others that began or ended at that moment are counted all the same."""
    registry = Registry(2, 10)
    now, statuses = datetime(2030, 1, 1, tzinfo=UTC), [ExecutionStatus(name) for name in ("success", "failed", "cancelled", "success")]
    ended = [Execution(f"job@{number}", "job", "x", now, status=status, finished_at=now) for number, status in enumerate(statuses)]
    SchedulerFigures(registry)([Event("scheduler.task.success", "job", None, execution) for execution in ended])
    counted = next(metric for metric in registry.all() if metric.name == "agentool_executions_total")
    assert sum(series.value for series in counted.series.values()) == 3


@pytest.mark.parametrize(("room", "names"), [(12, ["q0", "q1", "q2"]), (8, ["q0", OTHERS]), (4, [OTHERS]), (1, [OTHERS])])
async def test_queues_beyond_the_limit_are_counted_together(kit: TestToolkit, room: int, names: list[str]) -> None:
    """No message is missing from the figures: what has no label of its own is among the others."""
    for number in range(3):
        for message in range(number + 1):
            await kit.injector.run("queue", {"operation": "enqueue", "queue_name": f"q{number}", "message": message})
    registry = Registry(room)
    await queue_figures(kit.queue.queues)(registry)
    shown = {
        dict(labels)["queue"]: held
        for labels, held in registry.find("agentool_queue_messages").series.items()
        if ("state", "ready") in labels
    }
    assert list(shown) == names
    assert sum(held.value for held in shown.values() if isinstance(held, Number)) == 6
