"""What `decide` does with due times, for any job, any delay and any number of executions under way."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agentoolkit.system.scheduler.decisions import due_or_late
from agentoolkit.system.scheduler.decisions.due_or_late import GRACE, decide
from agentoolkit.system.scheduler.execution_records import ExecutionStatus
from agentoolkit.system.scheduler.jobs import Job, JobState, JobStatus, Policies
from agentoolkit.system.scheduler.schedules import read_schedule

START = datetime(2030, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class Case(NamedTuple):
    """A job that is looked at late."""

    job: Job
    first: datetime
    now: datetime
    unfinished: int
    due: list[datetime]
    """Every due time from `first` to `now`, counted out by hand."""


def make(schedule: str, policies: Policies, end: datetime | None = None) -> Job:
    reading = read_schedule(schedule, now=START, timezone="UTC", end_at=end)
    return Job(
        job_id="job",
        job_name="job",
        agentool_name="probe",
        input_data={},
        schedule=reading.schedule,
        policies=policies,
        created_at=START,
    )


policies = st.builds(
    Policies,
    max_instances=st.integers(1, 4),
    misfire_grace_time=st.none() | st.integers(0, 3600),
    coalesce=st.booleans(),
    max_runs=st.none() | st.integers(1, 5),
    overlap=st.sampled_from(["skip", "queue_one", "queue_all", "cancel_running", "allow"]),
    catch_up=st.sampled_from([None, "latest", "all", "none"]),
    catch_up_window=st.none() | st.integers(0, 3600),
)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Jobs every so many minutes, as interval or crontab, that were last looked at a while ago."""
    step = draw(st.sampled_from([1, 2, 5, 10, 15, 30]))
    text = f"{step} minutes" if draw(st.booleans()) else f"*/{step} * * * *"
    end = draw(st.none() | st.integers(31, 300).map(lambda minutes: START + minutes * MINUTE))
    first = START + step * MINUTE
    now = first + timedelta(seconds=draw(st.integers(0, 40_000)))
    moments = (START + number * step * MINUTE for number in range(1, 1000))
    due = [moment for moment in moments if moment <= now and (end is None or moment <= end)]
    return Case(make(text, draw(policies), end), first, now, draw(st.integers(0, 6)), due)


def decided(case: Case, runs: int = 0):
    return decide(case.job, JobState(next_run_at=case.first, runs=runs), case.now, case.unfinished)


@given(cases())
def test_every_due_time_is_accounted_for_exactly_once(case: Case):
    """The records of a decision count each due time once: all of them, unless max_runs ended the job before."""
    executions, state = decided(case)
    counted = sum(execution.due_count for execution in executions)
    if state.runs == case.job.policies.max_runs:
        assert counted <= len(case.due)
    else:
        assert counted == len(case.due)
    moments = [execution.scheduled_at for execution in executions]
    assert len(set(moments)) == len(moments)
    assert set(moments) <= set(case.due)


@given(cases())
def test_nothing_later_than_now_is_claimed(case: Case):
    """No record is of a time to come, and the job is due next at a time to come, or never again."""
    executions, state = decided(case)
    assert all(execution.scheduled_at <= case.now for execution in executions)
    assert state.next_run_at is None or state.next_run_at > case.now
    assert (state.next_run_at is None) == (state.status is JobStatus.DONE)


@given(cases())
def test_no_more_than_max_instances_start(case: Case):
    """Where overlapping runs are skipped, no more start than max_instances leaves room for, unless each runs in its turn."""
    catch_up = None if case.job.policies.catch_up == "all" else case.job.policies.catch_up
    skipping = replace(case.job.policies, overlap="skip", catch_up=catch_up, coalesce=True)
    executions, _ = decided(case._replace(job=replace(case.job, policies=skipping)))
    starting = [execution for execution in executions if execution.status is ExecutionStatus.QUEUED]
    assert len(starting) <= max(0, case.job.policies.max_instances - case.unfinished)


@pytest.mark.parametrize(("unfinished", "max_instances"), [(0, 1), (1, 1), (2, 2)])
def test_without_coalescing_all_due_times_found_at_once_run(unfinished: int, max_instances: int):
    """Four due times of a 1-second job that were noticed together all run, also while an execution of the job runs."""
    job = make("1 second", Policies(coalesce=False, max_instances=max_instances))
    executions, _ = decide(job, JobState(next_run_at=START + timedelta(seconds=1)), START + timedelta(seconds=4), unfinished)
    assert [execution.status for execution in executions] == ["queued"] * 4


def test_without_coalescing_a_single_due_time_is_skipped_while_the_job_runs():
    """One due time that finds its job running is skipped, as overlap says."""
    job = make("1 second", Policies(coalesce=False))
    executions, _ = decide(job, JobState(next_run_at=START + timedelta(seconds=1)), START + timedelta(seconds=1), 1)
    assert [execution.status for execution in executions] == ["skipped"]


@given(cases())
def test_nothing_late_is_skipped_where_all_are_caught_up_on(case: Case):
    """With catch_up all, of several due times within the window, and of one more than half a minute late, none is skipped."""
    policies = replace(case.job.policies, catch_up="all")
    executions, _ = decided(case._replace(job=replace(case.job, policies=policies)))
    skipped = [execution.scheduled_at for execution in executions if execution.status is ExecutionStatus.SKIPPED]
    assert skipped in ([], [moment for moment in case.due[-1:] if case.now - moment <= timedelta(seconds=30)])
    assert not skipped or ExecutionStatus.QUEUED not in {execution.status for execution in executions}


@given(cases())
def test_runs_are_counted_and_never_exceed_max_runs(case: Case):
    """A job's runs grow by as many executions as start, and stop at max_runs."""
    executions, state = decided(case)
    assert state.runs == sum(execution.status is ExecutionStatus.QUEUED for execution in executions)
    assert case.job.policies.max_runs is None or state.runs <= case.job.policies.max_runs


@given(cases())
def test_second_decision_at_the_same_time_finds_nothing(case: Case):
    """What was decided is not decided again."""
    _, state = decided(case)
    assert decide(case.job, state, case.now, case.unfinished) == ((), state)


@given(cases(), st.integers(0, 40_000))
def test_looking_more_often_counts_the_same_due_times(case: Case, earlier: int):
    """Whether somebody looks once or twice, the same due times are counted, if max_runs does not end the job."""
    case = case._replace(job=replace(case.job, policies=replace(case.job.policies, max_runs=None)))
    between, state = decided(case._replace(now=min(case.now, case.first + timedelta(seconds=earlier))))
    after, _ = decide(case.job, state, case.now, case.unfinished)
    assert sum(execution.due_count for execution in [*between, *after]) == len(case.due)


@given(cases())
def test_what_runs_is_within_its_grace(case: Case):
    """No execution starts later than its grace, or its catch_up_window, allows; None allows any."""
    policies = case.job.policies
    grace = policies.misfire_grace_time
    if policies.catch_up == "none":
        grace = GRACE if grace is None else min(grace, GRACE)
    elif policies.catch_up is not None:
        grace = policies.catch_up_window
    for execution in decided(case).executions:
        if execution.status is not ExecutionStatus.MISSED and grace is not None:
            assert (case.now - execution.scheduled_at).total_seconds() <= grace


@given(cases())
def test_coalescing_leaves_one_to_run(case: Case):
    """With coalesce, or catch_up latest or none, at most one due time runs or is skipped, and it is the latest."""
    if case.job.policies.catch_up == "all" or (case.job.policies.catch_up is None and not case.job.policies.coalesce):
        return
    chosen = [execution for execution in decided(case).executions if execution.status is not ExecutionStatus.MISSED]
    assert [execution.scheduled_at for execution in chosen] in ([], case.due[-1:])


@given(cases())
def test_passed_over_due_times_say_why(case: Case):
    """Every record of a due time that does not run has a reason; several together name the first and the last."""
    for execution in decided(case).executions:
        assert bool(execution.reason) == (execution.status in (ExecutionStatus.MISSED, ExecutionStatus.SKIPPED))
        assert execution.due_count == 1 or " due times from " in execution.reason


@settings(deadline=None)
@given(cases(), st.integers(0, 4), st.integers(0, 40))
def test_the_short_way_decides_as_the_long_way(case: Case, runs: int, late: int):
    """What is decided at once for one due time that is in time is what all the rules together say."""
    first = case.due[-1] if case.due else case.first
    state, now = JobState(next_run_at=first, runs=runs, version=3), first + timedelta(seconds=late)
    asked = (case.job, state, now, case.unfinished, "owner")
    short = decide(*asked)
    with patch.object(due_or_late, "_start_one", return_value=None):
        long = decide(*asked)
    assert (list(short.executions), short.state) == (list(long.executions), long.state)


@given(st.integers(0, 40), st.integers(0, 3))
def test_the_short_way_is_taken_only_in_time(late: int, unfinished: int):
    """With default policies it is taken up to the grace of thirty seconds, if nothing of the job is under way."""
    job = make("1 hour", Policies())
    first = START + timedelta(hours=1)
    taken = due_or_late._start_one(job, JobState(next_run_at=first), first + timedelta(seconds=late), None, unfinished, "")
    assert (taken is not None) == (late <= 30 and unfinished == 0)


def test_reasons_name_whole_seconds():
    """What was missed or coalesced together is told in seconds, however fine the times of an interval are."""
    fine = START + timedelta(microseconds=123_456)
    job = make("1 second", Policies())
    job = replace(job, schedule=replace(job.schedule, anchor=fine))
    executions, _ = decide(job, JobState(next_run_at=fine + timedelta(seconds=1)), fine + timedelta(seconds=40), 0)
    assert [execution.reason for execution in executions] == [
        "noticed more than 30 s late; 9 due times from 2030-01-01T00:00:01+00:00 to 2030-01-01T00:00:09+00:00",
        "coalesced into the run due 2030-01-01T00:00:40+00:00; 30 due times from 2030-01-01T00:00:10+00:00 to 2030-01-01T00:00:39+00:00",
        "",
    ]


@given(st.integers(1, 10**7))
@settings(max_examples=30)
@example(10**9)
def test_long_absence_is_decided_quickly(late: int):
    """However long nobody looked, at most 99 late due times run, one record counts the others, and it takes no walk."""
    job = make("1 second", Policies(misfire_grace_time=None, coalesce=False, max_instances=1000))
    first = START + timedelta(seconds=1)
    executions, _ = decide(job, JobState(next_run_at=first), first + timedelta(seconds=late), 0)
    assert sum(execution.due_count for execution in executions) == late + 1
    assert len(executions) <= 100


@pytest.mark.parametrize("status", [JobStatus.PAUSED, JobStatus.DONE, JobStatus.BROKEN])
def test_inactive_job_gets_no_decision(status: JobStatus):
    """A job that is not active is left as it is, however overdue."""
    state = JobState(status, START)
    assert decide(make("1 minute", Policies()), state, START + 60 * MINUTE, 0) == ((), state)


def test_pause_that_is_over_ends():
    """After the end of its pause a job is active; due times within the pause are not its own."""
    state = JobState(JobStatus.PAUSED, START + MINUTE, paused_until=START + timedelta(minutes=10.5))
    executions, after = decide(make("1 minute", Policies()), state, START + 11 * MINUTE, 0)
    assert ([execution.scheduled_at for execution in executions], after.status) == ([START + 11 * MINUTE], JobStatus.ACTIVE)


def test_queue_one_lets_one_wait():
    """With overlap queue_one a due time waits while another runs, and the next is skipped and says why."""
    job = make("1 minute", Policies(overlap="queue_one"))
    statuses = [decide(job, JobState(next_run_at=START), START, unfinished).executions[0] for unfinished in (0, 1, 2)]
    assert [execution.status for execution in statuses] == [ExecutionStatus.QUEUED, ExecutionStatus.QUEUED, ExecutionStatus.SKIPPED]
    assert "queue_one" in statuses[2].reason
