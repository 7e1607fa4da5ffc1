"""A simulation fires when the scheduler does: by the same settings, with the same calendars."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agentoolkit.settings import Settings
from agentoolkit.system.scheduler import InvalidSchedule
from agentoolkit.system.scheduler.execution_records import ExecutionStatus
from agentoolkit.testing import simulate, toolkit

NOW = datetime(2026, 3, 26, 4, 30, tzinfo=UTC)
"""Three days before the clocks go forward in Berlin."""
DAYS = 5
END = NOW + timedelta(days=DAYS, microseconds=1)
"""The end of a simulation does not count, and the end of a test does."""
CALL = {"job_name": "job", "agentool_name": "queue", "input_data": {"operation": "list_queues"}}
SETTINGS: dict[str, Any] = {
    "timezone": "Europe/Berlin",
    "day_parts": {"morning": "06:30"},
    "calendars": {"closed": ["2026-03-27"]},
    "languages": ["de"],
}


@pytest.mark.parametrize(
    "task",
    [
        {"schedule": "every morning"},
        {"schedule": "30 2 * * *"},
        {"schedule": "0 9 * * *", "exclude": ["closed"]},
        {"schedule": "0 9 * * *", "only": ["closed"]},
        {"schedule": "jeden Tag um 9 Uhr"},
        {"schedule": ["0 9 * * *", "0 12 * * 6"]},
        {"schedule": "0 9 * * *; every morning"},
        {"schedule": "7 hours"},
        {"schedule": "now"},
        {"schedule": "tomorrow at 9am"},
        {"schedule": "0 9 * * *", "timezone": "Asia/Tokyo", "max_runs": 2},
        {"schedule": "0 9 * * *", "jitter": 600.0},
        {"schedule": "30 5 26 3 *"},
        {"schedule": "H H * * *"},
    ],
    ids=str,
)
async def test_a_simulation_fires_when_the_scheduler_does(task: dict[str, Any]) -> None:
    """Zone, day parts, languages and calendars are those of the settings; the first and the last instant count alike."""
    async with toolkit(NOW, Settings.from_values(SETTINGS)) as kit:
        await kit.injector.run("scheduler", {"operation": "schedule", **CALL, **task})
        await kit.advance(days=DAYS)
        history = await kit.scheduler.store.executions("job", 100)
        ran = sorted(execution.scheduled_at for execution in history if execution.status is ExecutionStatus.SUCCESS)
        service = kit.scheduler
        found = simulate([{**CALL, **task}], NOW, END, habits=service.habits, calendars=service.calendars)
    assert [firing.due for firing in found] == ran
    assert ran


async def test_a_calendar_that_the_settings_do_not_have_is_refused() -> None:
    """As the scheduler refuses it, with the task's name."""
    with pytest.raises(InvalidSchedule, match="Task 'job': no calendar is called 'clsed'"):
        simulate(
            [{**CALL, "schedule": "0 9 * * *", "exclude": ["clsed"]}], NOW, NOW + timedelta(days=1), calendars={"closed": ["2026-03-27"]}
        )
