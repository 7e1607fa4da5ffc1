"""The class AgenTool: a name, one input model, and a handler for each of its operations."""

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
from agentool.handlers import read_operations
from agentool.hints import Hints
from agentool.operations import NAME, Handler, Operation

if TYPE_CHECKING:
    from pydantic_ai import Agent

logger = logging.getLogger(__name__)

Precheck = Callable[[Any, Any], None]
"""Called with an AgenTool's deps and validated input. Raises an `AgenToolError` if the input must be refused."""
Trial = Callable[[Any, Any], "tuple[Any, BaseOperationInput] | None"]
"""Called with an AgenTool's deps and validated input. Returns deps and input of a call that does nothing and refuses the same input.

Returns None if there is no such call. The call's handler may raise `Tried` where the real call would begin to act.
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
    """Refuses input that fits the model, such as a program or path that is not allowed. It runs before the handler."""
    refusal: type[InvalidInput] = InvalidInput
    """The error raised if the input does not fit. With a class of the AgenTool's own, its callers can catch one base."""
    hints: Mapping[str, Hints] = field(default_factory=dict[str, Hints])
    """Hints for a person, by operation, shown before a call."""
    trial: Trial | None = None
    """Finds further refusals of a call that has an invalid field; see `Trial`."""

    def validate(self, data: object) -> BaseOperationInput:
        """Turn a dict, a model or JSON text into this AgenTool's input model.

        Raises:
            InvalidInput: The data does not fit. All problems are listed; refusals of the valid fields are in its ``also``.
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
            refused.also = self._check_other_fields(data, refused)
            raise refused from (error if are_values_shown() else None)

    async def refused_besides(self, data: object, refused: InvalidInput, injector: Injector) -> tuple[AgenToolError, ...]:
        """Try the call without its refused fields, and return the further refusals."""
        valid = self._drop_refused_fields(data, refused)
        errors = () if valid is None else await self.refused_in_trial(valid, injector)
        return tuple(other for error in errors for other in _drop_false_missing(error, cast("Mapping[str, Any]", data)))

    async def refused_in_trial(self, asked: BaseOperationInput, injector: Injector) -> tuple[AgenToolError, ...]:
        """Run the trial of a call, which does nothing, and return its refusals. Without a trial there are none."""
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
        except Exception:  # the caller still gets the first refusal
            logger.exception("A trial of %s failed", self.name)
        return ()

    def _drop_refused_fields(self, data: object, refused: InvalidInput) -> BaseOperationInput | None:
        """Return the input without its refused fields; None if the other fields cannot be checked alone."""
        faulty = {problem.field.partition(".")[0] for problem in refused.problems}
        return None if "operation" in faulty else read_without(faulty, data, self.input_type)

    def _check_other_fields(self, data: object, refused: InvalidInput) -> tuple[AgenToolError, ...]:
        """Check the fields that were not refused, and return the errors."""
        valid = self._drop_refused_fields(data, refused)
        if valid is None:
            return ()
        try:
            self._check_validated(valid)
        except AgenToolError as error:
            return _drop_false_missing(error, cast("Mapping[str, Any]", data))
        return ()

    def operation(self, data: BaseOperationInput) -> Operation:
        """Return the operation named in validated input.

        Raises:
            InvalidInput: There is no such operation: the model was changed, or made without validation.
        """
        try:
            return self.operations[data.operation]
        except (KeyError, AttributeError, TypeError):
            asked = getattr(data, "operation", None)
            remedy = did_you_mean(str(asked), self.operations)
            problem = f"AgenTool {self.name!r} has no operation {excerpt(asked)}."
            raise self.refusal(problem, field="operation", value=asked, remedy=remedy) from None

    def with_operation(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return fields of a call with its ``operation``, which people may leave out if there is only one."""
        only = {"operation": next(iter(self.operations))} if len(self.operations) == 1 else {}
        return {**only, **fields}

    def check(self, data: object) -> BaseOperationInput:
        """Validate the input, check the operation's required fields and run the precheck. The handler is not called.

        Raises:
            InvalidInput: As `validate`; or the operation misses a field, or does not take a given one.
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
        """Return a pydantic-ai agent that needs no model. Its prompt is the AgenTool's input as JSON text, its output the AgenTool's.

        Args:
            injector: The injector that has this AgenTool; by default the current one when the agent runs.
        """
        from agentool.core.model import as_agent

        return as_agent(self, injector)

    def output_types(self) -> tuple[Any, ...]:
        """Return the distinct types that the handlers declare to return."""
        return tuple(dict.fromkeys(operation.output_type for operation in self.operations.values()))


def _drop_false_missing(error: AgenToolError, given: Mapping[str, Any]) -> tuple[AgenToolError, ...]:
    """Drop the problem "missing" of each given field. Such a field was refused, so the checked input lacked it."""
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
    """Create an AgenTool and register it.

    Args:
        name: Its name, unique in the injector: letters, digits, ``_``, ``-`` and ``.``.
        input_type: Its input model, with ``operation: Literal[...]``.
        handlers: An async function for each operation.
        deps: State that the handlers share; they read it as ``ctx.deps``.
        description: One or two sentences for catalogues and language models.
        examples: Inputs that work; each is checked, except by the precheck.
        precheck: See `AgenTool.precheck`.
        refusal: See `AgenTool.refusal`.
        hints: See `AgenTool.hints`.
        trial: See `AgenTool.trial`.
        injector: The injector to register it in; by default the current one.

    Raises:
        ConfigurationError: Model and handlers do not fit each other, or another AgenTool has this name.
        InvalidInput: An example does not work.
    """
    _check_name(name)
    operations = read_operations(input_type, handlers, refusal)
    if unknown := sorted((hints or {}).keys() - operations.keys()):
        raise ConfigurationError(f"Hints are given for unknown operations {unknown}.", remedy=did_you_mean(unknown[0], operations))
    agentool = AgenTool(name, input_type, operations, deps, description, examples, precheck, refusal, hints or {}, trial)
    _check_examples(agentool)
    return (injector or get_injector()).register(agentool)


def _check_name(name: object) -> None:
    if not (isinstance(name, str) and NAME.fullmatch(name)):
        problem = f"An AgenTool's name has letters, digits, '_', '-' and '.', and is not {excerpt(name)}."
        raise ConfigurationError(problem, field="name", value=name, remedy="Choose a noun in snake_case, such as 'stock'.")


def _check_examples(agentool: AgenTool[Any]) -> None:
    """Refuse an example that does not work: callers and language models copy them."""
    if isinstance(agentool.examples, (Mapping, str)):
        raise ConfigurationError("The examples must be a list of inputs, not one.", field="examples", remedy="Write examples=[{…}].")
    for example in agentool.examples:
        agentool.operation(validated := agentool.validate(example)).arguments(validated)


__all__ = ["AgenTool", "create_agentool"]
