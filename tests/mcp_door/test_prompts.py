"""The prompt that a person can pick in a client."""

from __future__ import annotations

import pytest
from mcp.shared.exceptions import MCPError
from tests.mcp_door.conftest import Connect


async def test_the_prompt_holds_what_is_asked_for(connect: Connect) -> None:
    """And asks the model to show the reading before it schedules."""
    async with connect() as client:
        (prompt,) = (await client.list_prompts()).prompts
        got = await client.get_prompt(prompt.name, {"request": "water the plants every friday"})
    text = got.messages[0].content.text
    assert text.startswith("Schedule this for me: water the plants every friday\n")
    assert "scheduler_preview" in text


@pytest.mark.parametrize(("name", "arguments"), [("schedul", {"request": "x"}), ("schedule", {}), ("schedule", {"request": " "})])
async def test_another_name_or_nothing_to_schedule_is_refused(connect: Connect, name: str, arguments: dict[str, str]) -> None:
    """As an error of the protocol."""
    async with connect() as client:
        with pytest.raises(MCPError):
            await client.get_prompt(name, arguments)
