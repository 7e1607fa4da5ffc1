"""What is kept in Redis: chosen by a setting, shared by toolkits."""

from __future__ import annotations

from typing import Any

import pytest

from agentool import ConfigurationError
from agentoolkit.redis_server import RedisServer
from agentoolkit.settings import Settings
from agentoolkit.wiring import Toolkit


def settings(**given: Any) -> Settings:
    return Settings.from_values({"timezone": "UTC", "log_console": False, **given})


async def test_toolkits_share_the_event_bus_of_a_server(redis_url: str) -> None:
    """With ``events_backend = "redis"`` a subscriber is told what another toolkit publishes, though neither has a database."""
    given = settings(events_backend="redis", redis_url=redis_url)
    async with Toolkit(given, runs_jobs=False) as here, Toolkit(given, runs_jobs=False) as there:
        subscription = here.events.subscribe("report.*")
        await here.events.wait_idle()
        there.events.publish("report.sent", "other", {"report": "daily"})
        told = await subscription.next(timeout=10)
        assert told is not None
        assert (told.event_type, told.payload) == ("report.sent", {"report": "daily"})


async def test_events_outlive_their_toolkit(redis_url: str) -> None:
    """What was published is on the server when its toolkit is closed, to be read by the next one."""
    given = settings(events_backend="redis", redis_url=redis_url)
    async with Toolkit(given, runs_jobs=False) as kit:
        kit.events.publish("report.sent", "me")
    async with Toolkit(given, runs_jobs=False) as kit:
        assert [each.event_type for each in await kit.events.read(0)] == ["report.sent"]


async def test_a_server_may_be_used_after_it_was_closed(redis_url: str) -> None:
    """As a toolkit does whose first start has failed."""
    server = RedisServer(redis_url)
    for _ in range(2):
        assert await server.run(lambda client: client.ping())
        server.close()


def test_redis_without_an_address_is_refused() -> None:
    """The error says which setting is missing."""
    with pytest.raises(ConfigurationError, match="AGENTOOL_REDIS_URL"):
        Toolkit(settings(events_backend="redis"))
