"""The simulation of fleets: what it must say by plain arithmetic, and how far it is from what was measured."""

from __future__ import annotations

import pytest
from bench.simulate_fleet import POINTS, Costs, Fleet, Point, most, simulate


def test_one_worker_does_what_one_message_takes():
    """A worker that holds all back does one message after the other."""
    costs = Costs()
    rate, busiest = most(Fleet(1, 1))
    assert (busiest, rate) == ("workers", pytest.approx(1 / (costs.work_message + costs.commits * costs.commit), rel=0.1))


def test_a_fleet_that_keeps_up_does_what_falls_due():
    """Below its limit a fleet ends as many as begin, and begins each soon."""
    outcome = simulate(Fleet(8, 50), 2_000)
    assert outcome.rate == pytest.approx(2_000, rel=0.2)
    assert outcome.late < 0.5


def test_two_databases_do_twice_as_much():
    """Split by queue each part has all of its own."""
    assert most(Fleet(128, 1, databases=2))[0] == pytest.approx(2 * most(Fleet(64, 1))[0], rel=0.15)


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.what)
def test_it_is_within_a_factor_of_two_of_what_was_measured(point: Point):
    """As far as the measured points scatter themselves."""
    assert 0.5 < most(point.fleet, point.costs)[0] / point.measured < 2
