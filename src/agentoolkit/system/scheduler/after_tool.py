"""The AgenTool ``after``: in a downstream job, ``!ref:after:result`` is the result of the upstream execution."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from agentool.agentool import AgenTool, create_agentool
from agentool.base import BaseOperationInput
from agentool.context import RunContext
from agentool.core.injector import Injector
from agentool.errors import InvalidInput
from agentoolkit.json_values import NothingThere, value_at
from agentoolkit.system.scheduler import answers
from agentoolkit.system.scheduler.engine.attempts import current_execution
from agentoolkit.system.scheduler.execution_ids import upstream_of
from agentoolkit.system.scheduler.ports import JobStore

NAME = "after"

DESCRIPTION = """\
Gives a job that comes after another one the record of that one's execution. Made for references in its input:
'!ref:after:result', '!ref:after:result.rows.0.name', '!ref:after:error.message', '!ref:after:status'."""


class AfterInput(BaseOperationInput):
    """Input of the AgenTool ``after``."""

    operation: Literal["get"] = Field(description="The operation to perform")
    key: str = Field(description="A field of the upstream execution's record, as get_execution gives it; dots lead into its value")


class AfterValue(BaseModel):
    """Answer to ``get``."""

    value: Any = Field(description="The value of the field")


async def after_get(ctx: RunContext[JobStore], key: str) -> AfterValue:
    """Return a value from the record of the upstream execution.

    Raises:
        InvalidInput: The running execution has no upstream execution, or the record has no such value.
    """
    running = current_execution()
    before = upstream_of(running.execution_id) if running is not None else None
    if before is None:
        remedy = "Use '!ref:after:…' in a job with a schedule like 'after extract'; to run it by hand, give input_data of its own."
        raise InvalidInput("Nothing runs here that comes after another execution.", field="key", value=key, remedy=remedy)
    if (found := await ctx.deps.execution(before)) is None:
        remedy = "The newest hundred of each job are kept: let this job run sooner after the other, or hand on a path instead."
        raise InvalidInput(f"The record of the execution before, {before!r}, is no longer kept.", field="key", value=key, remedy=remedy)
    record = answers.execution_info(found).model_dump(mode="json")
    try:
        return AfterValue(value=value_at(record, key.split("."), "the record of an execution"))
    except NothingThere as error:
        raise InvalidInput(error.problem, field="key", value=key, remedy=error.remedy) from None


def create_after_agent(store: JobStore, *, injector: Injector) -> AgenTool[JobStore]:
    """Create the AgenTool ``after`` and register it.

    Args:
        store: The store of executions.
        injector: Where to register it.

    Raises:
        ConfigurationError: Another AgenTool named ``after`` is registered.
    """
    example = {"operation": "get", "key": "result"}
    return create_agentool(
        NAME, AfterInput, {"get": after_get}, deps=store, description=DESCRIPTION, examples=(example,), injector=injector
    )
