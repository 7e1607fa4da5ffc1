"""The AgenTool ``after``: in a job that comes after another one, ``!ref:after:result`` is what that one returned."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from agentool.agentool import AgenTool, create_agentool
from agentool.base import BaseOperationInput
from agentool.context import RunContext
from agentool.core.injector import Injector
from agentool.errors import InvalidInput
from agentoolkit.json_values import NothingThere, value_at
from agentoolkit.system.scheduler import views
from agentoolkit.system.scheduler.decisions.downstream import upstream_execution_id
from agentoolkit.system.scheduler.engine.attempts import current_execution
from agentoolkit.system.scheduler.ports import JobStore

NAME = "after"

DESCRIPTION = """\
Tells a job that comes after another one what became of that one. Made for references in its input: '!ref:after:result',
'!ref:after:result.rows.0.name', '!ref:after:error.message', '!ref:after:status'."""


class AfterInput(BaseOperationInput):
    """Input of the AgenTool ``after``."""

    operation: Literal["get"] = Field(description="The operation to perform")
    key: str = Field(description="A field of the record of the execution before, as get_execution gives it; dotted into what it holds")


class AfterValue(BaseModel):
    """Answer to ``get``."""

    value: Any = Field(description="What stands there")


async def after_get(ctx: RunContext[JobStore], key: str) -> AfterValue:
    """Return what stands in the record of the execution that the running one comes after.

    Raises:
        InvalidInput: Nothing runs here that comes after another execution, or there is nothing at this place.
    """
    running = current_execution()
    before = upstream_execution_id(running) if running is not None else ""
    if not before:
        remedy = "Use '!ref:after:…' in a job with a schedule like 'after extract'; to run it by hand, give input_data of its own."
        raise InvalidInput("Nothing runs here that comes after another execution.", field="key", value=key, remedy=remedy)
    if (found := await ctx.deps.execution(before)) is None:
        remedy = "The newest hundred of each job are kept: let this job run sooner after the other, or hand on a path instead."
        raise InvalidInput(f"The record of the execution before, {before!r}, is no longer kept.", field="key", value=key, remedy=remedy)
    record = views.execution_info(found).model_dump(mode="json")
    try:
        return AfterValue(value=value_at(record, key.split("."), "the record of an execution"))
    except NothingThere as error:
        raise InvalidInput(error.problem, field="key", value=key, remedy=error.remedy) from None


def create_after_agent(store: JobStore, *, injector: Injector) -> AgenTool[JobStore]:
    """Make the AgenTool ``after`` and register it.

    Args:
        store: Where executions are found.
        injector: Where to register it.

    Raises:
        ConfigurationError: Another AgenTool named ``after`` is registered.
    """
    example = {"operation": "get", "key": "result"}
    return create_agentool(
        NAME, AfterInput, {"get": after_get}, deps=store, description=DESCRIPTION, examples=(example,), injector=injector
    )
