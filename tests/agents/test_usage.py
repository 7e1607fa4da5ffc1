"""What runs of agents have used, by day, owner and job; and what was said in them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic_ai import Agent
from pydantic_ai.models.test import TestModel

from agentool.caller import OWN, Caller, acting_as
from agentoolkit.actions.agent import register_agent
from agentoolkit.agent_settings import Budget
from agentoolkit.agents.ledger import Ledger, RunEntry
from agentoolkit.agents.ledger_in_database import SqlLedger
from agentoolkit.agents.ledger_in_memory import MemoryLedger
from agentoolkit.agents.run_summaries import MAX_MESSAGES, MAX_TEXT, transcript
from agentoolkit.database.database import Database
from agentoolkit.database.dialects import dialect_for
from agentoolkit.database.migrations import MIGRATIONS
from agentoolkit.testing import TestToolkit

RUNS = (
    RunEntry("r1", "assistant", "maria", "digest", "2026-11-28", 100, Decimal("0.01")),
    RunEntry("r2", "assistant", "maria", "digest", "2026-11-29", 200, Decimal("0.02")),
    RunEntry("r3", "assistant", "maria", "digest", "2026-11-29", 300, None),
    RunEntry("r4", "assistant", "paul", "watch", "2026-11-29", 50, Decimal("0.50")),
    RunEntry("r5", "assistant", "paul", "", "2026-10-01", 50, Decimal("9.00")),
)


@pytest.fixture(params=["memory", "sqlite"])
async def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Ledger]:
    """Either ledger, with some runs in it."""
    database = Database(dialect_for(str(tmp_path / "agentool.db")), MIGRATIONS) if request.param == "sqlite" else None
    made: Ledger = MemoryLedger() if database is None else SqlLedger(database)
    for run in RUNS:
        await made.book(run)
    yield made
    if database is not None:
        await database.close()


async def test_usage_is_summed_by_day_and_job(ledger: Ledger) -> None:
    """The latest day first, the dearest job of it before others; runs without a price are counted apart."""
    used = await ledger.used("2026-11-01", None, 10)
    assert [(each.day, each.job_id, each.runs, each.tokens, each.cost, each.unpriced) for each in used] == [
        ("2026-11-29", "watch", 1, 50, Decimal("0.50"), 0),
        ("2026-11-29", "digest", 2, 500, Decimal("0.02"), 1),
        ("2026-11-28", "digest", 1, 100, Decimal("0.01"), 0),
    ]


async def test_usage_of_one_owner(ledger: Ledger) -> None:
    """Nobody else's is in it, and there is no more than is asked for."""
    assert {each.owner for each in await ledger.used("2026-01-01", "maria", 10)} == {"maria"}
    assert len(await ledger.used("2026-01-01", None, 2)) == 2


async def run(kit: TestToolkit, **fields: Any) -> dict[str, Any]:
    """Run the agent once in a job, and return its result."""
    job = {"agentool_name": "agent", "input_data": {"operation": "run", "agent": "assistant", "prompt": "Look", **fields}}
    answer = await kit.injector.run("scheduler", {"operation": "run_now", **job})
    return answer.data["result"]


async def test_others_usage_is_not_shown(kit: TestToolkit) -> None:
    """A caller without the scope ``admin`` is told of its own runs; the day's budget is named."""
    register_agent("assistant", Agent(TestModel()), injector=kit.injector, per_day=Budget(runs=9))
    await run(kit)
    assert [each.owner for each in (await kit.injector.run("agent", {"operation": "usage"})).used] == ["code"]
    with acting_as(Caller("maria", door="rest", scopes=OWN)):
        assert (await kit.injector.run("agent", {"operation": "usage"})).used == []


async def test_a_run_keeps_what_was_said(kit: TestToolkit) -> None:
    """The prompt, the calls of tools with their answers, and the answer."""
    agent = Agent(TestModel(custom_output_text="Nothing new."))

    @agent.tool_plain
    def search_mail(since: str) -> str:
        return f"2 mails since {since}"

    register_agent("assistant", agent, injector=kit.injector)
    messages = (await run(kit))["messages"]
    assert [(each["by"], each["tool"], each["text"]) for each in messages] == [
        ("user", "", "Look"),
        ("agent", "search_mail", '{"since":"a"}'),
        ("tool", "search_mail", "2 mails since a"),
        ("agent", "", "Nothing new."),
    ]


def test_long_conversations_are_cut() -> None:
    """After fifty messages, and each after two thousand characters."""
    from pydantic_ai.messages import ModelResponse, TextPart

    kept = transcript([ModelResponse(parts=[TextPart("x" * 5_000)])] * 80)
    assert (len(kept), len(kept[0]["text"])) == (MAX_MESSAGES, MAX_TEXT + 1)
