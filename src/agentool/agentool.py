"""What an AgenTool is: a name, one input model, and a handler for each of its operations."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, cast

from pydantic import ValidationError

from agentool.base import BaseOperationInput, read_without
from agentool.context import Deps, RunContext
from agentool.core.injector import Injector, get_injector
from agentool.errors import AgenToolError, ConfigurationError, InvalidInput, Tried, are_values_shown, did_you_mean, excerpt, sentence
from agentool.hints import Hints
from agentool.operations import Handler, Operation, read_operations

if TYPE_CHECKING:
    from pydantic_ai import Agent

logger = logging.getLogger(__name__)

Precheck = Callable[[Any, Any], None]
"""Called with an AgenTool's deps and validated input; raises what is wrong with it."""
Trial = Callable[[Any, Any], "tuple[Any, BaseOperationInput] | None"]
"""Called with an AgenTool's deps and validated input; returns those of a call that refuses the same and does nothing.

None: there is no such call. Its handler may raise `Tried` where it would begin to do something.
"""


@dataclass(frozen=True, slots=True)
class AgenTool(Generic[Deps]):
    """A named tool that people, schedules and language models call in the same way."""

    name: str
    input_type: type[BaseOperationInput]
    operations: Mapping[str, Operation]
    deps: Deps
    description: str = ""
    examples: tuple[Mapping[str, Any], ...] = field(default=())
    """Inputs that work, for catalogues and for language models."""
    precheck: Precheck | None = None
    """Refuses, before anything is called, what the input model alone cannot: a program or path that is not allowed."""
    refusal: type[InvalidInput] = InvalidInput
    """What is raised where the input does not fit; a class of the AgenTool's own lets its callers catch one base."""
    hints: Mapping[str, Hints] = field(default_factory=dict[str, Hints])
    """For operations: what a person may be told before they are called."""
    trial: Trial | None = None
    """How to find out what else is refused of a call that has a field at fault; see `Trial`."""

    def validate(self, data: object) -> BaseOperationInput:
        """Turn a dict, a model or JSON text into this AgenTool's input model.

        Raises:
            InvalidInput: The data does not fit; every problem is listed, and what is wrong with the rest is told with it.
        """
        input_type = self.input_type
        if type(data) is input_type:
            return data
        try:
            if isinstance(data, (str, bytes)):
                return input_type.model_validate_json(data)
            return input_type.__pydantic_validator__.validate_python(data)  # model_validate, without its options
        except ValidationError as error:
            refused = self.refusal.from_validation(self.name, error, input_type.model_fields)
            refused.also = self._also_refused(data, refused)
            raise refused from (error if are_values_shown() else None)

    async def refused_besides(self, data: object, refused: InvalidInput, injector: Injector) -> tuple[AgenToolError, ...]:
        """Return what a trial refuses of input besides the fields that were refused already."""
        left = self._without_faults(data, refused)
        found = () if left is None else await self.refused_in_trial(left, injector)
        return tuple(other for error in found for other in _of_the_rest(error, cast("Mapping[str, Any]", data)))

    async def refused_in_trial(self, asked: BaseOperationInput, injector: Injector) -> tuple[AgenToolError, ...]:
        """Return what is refused of a call that does nothing, where there is one for what is asked."""
        if self.trial is None or (tried := self.trial(self.deps, asked)) is None:
            return ()
        deps, instead = tried
        try:
            operation = self.operation(instead)
            await operation.handler(RunContext(deps, injector, self.name), **operation.arguments(instead))
        except AgenToolError as error:
            return (error,)
        except Tried:
            pass
        except Exception:  # what was refused before is told all the same
            logger.exception("A trial of %s failed", self.name)
        return ()

    def _without_faults(self, data: object, refused: InvalidInput) -> BaseOperationInput | None:
        """Return input without the fields that were refused; None where nothing can be told of the others."""
        faulty = {problem.field.partition(".")[0] for problem in refused.problems}
        return None if "operation" in faulty else read_without(faulty, data, self.input_type)

    def _also_refused(self, data: object, refused: InvalidInput) -> tuple[AgenToolError, ...]:
        """Return what is wrong with input besides the fields that were refused."""
        left = self._without_faults(data, refused)
        if left is None:
            return ()
        try:
            self._check_validated(left)
        except AgenToolError as error:
            return _of_the_rest(error, cast("Mapping[str, Any]", data))
        return ()

    def operation(self, data: BaseOperationInput) -> Operation:
        """Return the operation that validated input asks for.

        Raises:
            InvalidInput: There is none, as can be with a model that was changed or made without validation.
        """
        try:
            return self.operations[data.operation]
        except (KeyError, AttributeError, TypeError):
            asked = getattr(data, "operation", None)
            remedy = did_you_mean(str(asked), self.operations)
            problem = f"AgenTool {self.name!r} has no operation {excerpt(asked)}."
            raise self.refusal(problem, field="operation", value=asked, remedy=remedy) from None

    def check(self, data: object) -> BaseOperationInput:
        """Validate completely, the operation's required fields and the precheck included, without calling the handler.

        Raises:
            InvalidInput: As `validate`, or a field is missing for, or foreign to, the operation.
            AgenToolError: As the precheck of this AgenTool.
        """
        validated = self.validate(data)
        self._check_validated(validated)
        return validated

    def _check_validated(self, validated: BaseOperationInput) -> None:
        self.operation(validated).arguments(validated)
        if self.precheck is not None:
            self.precheck(self.deps, validated)

    def as_agent(self, injector: Injector | None = None) -> Agent[None, Any]:
        """Return a pydantic-ai agent that needs no model: its prompt is this AgenTool's input as JSON text, its output the AgenTool's.

        Args:
            injector: Where this AgenTool is registered; the current one when the agent runs, by default.
        """
        from agentool.core.model import as_agent

        return as_agent(self, injector)

    def output_types(self) -> tuple[Any, ...]:
        """Return the distinct types that the handlers declare to return."""
        return tuple(dict.fromkeys(operation.output_type for operation in self.operations.values()))


def _of_the_rest(error: AgenToolError, given: Mapping[str, Any]) -> tuple[AgenToolError, ...]:
    """Leave out that a field is missing which was given: it was refused, and so it was not in what was tried."""
    if not isinstance(error, InvalidInput):
        return (error,)
    problems = tuple(problem for problem in error.problems if problem.field not in given or problem.value is not None)
    if problems == error.problems:
        return (error,)
    return (type(error)(sentence(problems), remedy=error.remedy, problems=problems),) if problems else ()


def create_agentool(
    name: str,
    input_type: type[BaseOperationInput],
    handlers: Mapping[str, Handler],
    *,
    deps: Deps = None,
    description: str = "",
    examples: tuple[Mapping[str, Any], ...] = (),
    precheck: Precheck | None = None,
    refusal: type[InvalidInput] = InvalidInput,
    hints: Mapping[str, Hints] | None = None,
    trial: Trial | None = None,
    injector: Injector | None = None,
) -> AgenTool[Deps]:
    """Make an AgenTool and register it.

    Args:
        name: The name it is called by.
        input_type: Its input model, with ``operation: Literal[...]``.
        handlers: An async function for each operation.
        deps: What the handlers share, reached as ``ctx.deps``.
        description: One or two sentences for catalogues and language models.
        examples: Inputs that work; each is checked, except by the precheck.
        precheck: See `AgenTool.precheck`.
        refusal: See `AgenTool.refusal`.
        hints: See `AgenTool.hints`.
        trial: See `AgenTool.trial`.
        injector: Where to register; the current one by default.

    Raises:
        ConfigurationError: Model and handlers do not fit each other, or the name is taken.
        InvalidInput: An example does not work.
    """
    operations = read_operations(input_type, handlers, refusal)
    if unknown := sorted((hints or {}).keys() - operations.keys()):
        raise ConfigurationError(f"Hints are given for {unknown}, which are no operations.", remedy=did_you_mean(unknown[0], operations))
    agentool = AgenTool(name, input_type, operations, deps, description, examples, precheck, refusal, hints or {}, trial)
    for example in examples:
        agentool.operation(validated := agentool.validate(example)).arguments(validated)
    return (injector or get_injector()).register(agentool)


__all__ = ["AgenTool", "create_agentool"]
