"""An AgenTool as a pydantic-ai agent that needs no language model."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import pytest
from pydantic_ai import ToolDefinition, UserError
from pydantic_ai.messages import ModelRequest, ModelResponse, SystemPromptPart
from pydantic_ai.models import ModelRequestParameters

from agentool import AgenTool, Injector, InvalidInput
from agentool.core.model import PassThroughModel, as_agent

TOOL = ToolDefinition(name="counter")
ADD = '{"operation": "add", "name": "a", "by": 2}'


async def test_the_prompt_is_the_input_and_the_output_is_typed(counter: AgenTool[Any]) -> None:
    """JSON text goes in as the prompt, and what the handler returned comes out."""
    assert (await as_agent(counter).run(ADD)).output.value == 2


def test_an_agent_runs_synchronously(counter: AgenTool[Any]) -> None:
    """The agent's own synchronous door works too."""
    with asyncio.Runner() as runner:
        runner.get_loop()  # which pydantic-ai would otherwise make, and leave open
        assert as_agent(counter).run_sync(ADD).output.value == 2


async def test_the_agent_has_the_agentools_name(counter: AgenTool[Any]) -> None:
    """An AgenTool's agent is called by the same name."""
    assert as_agent(counter).name == "counter"


async def test_the_agent_calls_through_the_given_injector(counter: AgenTool[Any]) -> None:
    """An injector given to the agent is where it calls the AgenTool."""
    other = Injector()
    other.register(counter)
    with Injector().activate():
        assert (await as_agent(counter, other).run(ADD)).output.value == 2


async def test_the_agent_calls_through_the_current_injector(injector: Injector, counter: AgenTool[Any]) -> None:
    """Without one, the injector that is current at the time of the run is used, overrides included."""
    agent = as_agent(counter)
    with injector.activate():
        assert (await agent.run(ADD)).output.value == 2


async def test_invalid_input_is_the_frameworks_own_error(counter: AgenTool[Any]) -> None:
    """Input that does not fit is an InvalidInput, not a text of the agent's."""
    with pytest.raises(InvalidInput, match="Did you mean 'name'"):
        await as_agent(counter).run('{"operation": "add", "nam": "a"}')


async def test_what_the_handler_raises_comes_unchanged(counter: AgenTool[Any]) -> None:
    """An exception of the handler reaches the caller of the agent."""
    with pytest.raises(ZeroDivisionError):
        await as_agent(counter).run('{"operation": "break"}')


async def test_of_a_conversation_the_last_prompt_counts(counter: AgenTool[Any]) -> None:
    """With a history of messages, the newest prompt is the input."""
    agent = as_agent(counter)
    first = await agent.run(ADD)
    second = await agent.run('{"operation": "add", "name": "b", "by": 9}', message_history=first.all_messages())
    assert (second.output.name, second.output.value) == ("b", 9)


async def test_no_tokens_are_used(counter: AgenTool[Any]) -> None:
    """No language model takes part, so no token is counted."""
    assert (await as_agent(counter).run(ADD)).usage.total_tokens == 0


async def test_a_prompt_in_parts_is_refused(counter: AgenTool[Any]) -> None:
    """An agent made from an AgenTool says that it takes one JSON text."""
    with pytest.raises(UserError, match="one JSON text"):
        await as_agent(counter).run(["two", "parts"])


def test_the_framework_does_not_import_pydantic_ai() -> None:
    """Who does not ask for an agent does not wait for pydantic-ai to be imported."""
    code = "import sys, agentool; sys.exit('pydantic_ai' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_messages_without_a_prompt_are_refused() -> None:
    """Messages that hold no prompt give the model nothing to hand on."""
    answered = ModelResponse(parts=[])
    instructed = ModelRequest(parts=[SystemPromptPart("Be brief.")])
    with pytest.raises(UserError, match="one JSON text"):
        asyncio.run(PassThroughModel().request([instructed, answered], None, ModelRequestParameters(output_tools=[TOOL])))


async def test_an_agentool_is_an_agent(counter: AgenTool[Any]) -> None:
    """An AgenTool makes its own agent: JSON in, its typed output out."""
    assert (await counter.as_agent().run(ADD)).output.value == 2


async def test_streaming_is_refused_in_one_sentence(counter: AgenTool[Any]) -> None:
    """An AgenTool answers once, and says so to whoever wants to watch it."""
    with pytest.raises(UserError, match="nothing to stream: call `run`"):
        async with counter.as_agent().run_stream(ADD):
            pass
