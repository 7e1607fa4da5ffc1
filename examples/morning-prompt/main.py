"""A prompt within a budget: the third run of a day is refused, and the job is paused with the reason."""

from __future__ import annotations

import asyncio

from pydantic_ai import Agent

from agentoolkit.actions.agent import register_agent
from agentoolkit.agent_settings import Budget
from agentoolkit.testing import toolkit


async def main() -> None:
    """Let three hours pass, and show what became of each run."""
    async with toolkit(at="2026-11-30T08:00:00+00:00") as kit:
        register_agent("assistant", Agent("test"), per_day=Budget(runs=2))
        prompt = {"operation": "run", "agent": "assistant", "prompt": "What is new?"}
        job = {"job_name": "news", "schedule": "every 1 hour", "agentool_name": "agent", "input_data": prompt}
        await kit.injector.run("scheduler", {"operation": "schedule", **job})
        await kit.advance(hours=3)
        news = (await kit.injector.run("scheduler", {"operation": "get_job", "job_id": "news"})).data
        for run in reversed(news["recent_history"]):
            print(run["scheduled_at"], run["status"], run["reason"])
        print(news["info"]["state"], "because:", news["info"]["reason"])


if __name__ == "__main__":
    asyncio.run(main())
