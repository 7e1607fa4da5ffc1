"""The errors of the framework, and who must act on each.

    AgenToolError
    ├── ConfigurationError    the application's developer must act
    │   └── MissingExtra      an optional dependency is not installed (also ImportError)
    ├── UnknownAgenTool       nothing is registered under this name (also LookupError)
    ├── InvalidInput          the caller must correct the input (also ValueError)
    └── InvalidOutput         a handler broke its own contract (also TypeError)

Every error carries data, so that people, programs and language models can act on it:
``field`` and ``value`` name the fault, ``remedy`` the way out.
"""

from __future__ import annotations

import difflib
import re
from bisect import bisect_left
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import accumulate, chain, islice, zip_longest
from typing import ClassVar, TypeVar, cast

from pydantic import ValidationError

T = TypeVar("T")

MAX_PROBLEMS = 20
"""Problems that one refusal lists."""
MOST_NAMED = 30
"""Names that a remedy lists."""
_SHOWN = 120
"""Longest excerpt, in characters, of an offending value in a message."""
_COMPARED = 20_000
"""Characters of known names that are compared with an unknown one. More would hold up an event loop noticeably."""
_WHY_UNSHOWN = "not shown, as the input held references"


class Unshown:
    """Replaces a value in an error if it may have come out of a reference, and so may be a secret."""

    def __repr__(self) -> str:
        return f"({_WHY_UNSHOWN})"


UNSHOWN = Unshown()

_unshown: ContextVar[bool] = ContextVar("agentool_values_unshown", default=False)


@contextmanager
def values_unshown() -> Generator[None]:
    """Keep values of the input out of every error created inside a ``with`` block, nested calls included."""
    token = _unshown.set(True)
    try:
        yield
    finally:
        _unshown.reset(token)


def are_values_shown() -> bool:
    """Tell whether an error may show values of the input."""
    return not _unshown.get()


class AgenToolError(Exception):
    """Base of all errors of AgenTools.

    Args:
        problem: One sentence, without the field's name.
        field: The input field concerned, dotted if it is nested.
        value: The offending value; `UNSHOWN` if it may not be shown.
        remedy: What to do instead.
    """

    correctable: ClassVar[bool] = False
    """True if other input would succeed at once; a language model is then asked to try again."""
    also: tuple[AgenToolError, ...] = ()
    """Further refusals of the same call."""

    def __init__(self, problem: str, *, field: str | None = None, value: object = None, remedy: str | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.field = field
        self.value = value if are_values_shown() or value is None else UNSHOWN
        self.remedy = remedy

    def __str__(self) -> str:
        return self._message(self.field, self.problem)

    def one_by_one(self) -> Iterable[AgenToolError]:
        """Return this refusal and all further ones of the same call, each without those after it."""
        others, self.also = self.also, ()
        return (self, *(each for other in others for each in other.one_by_one()))

    def _message(self, field: str | None, problem: str) -> str:
        where = f"{field}: " if field else ""
        is_said_later = any(other.remedy == self.remedy for other in self.also)
        way_out = f" {self.remedy}" if self.remedy and not is_said_later else ""
        return " ".join([f"{where}{problem}{way_out}", *map(str, self.also)])


class Refusals:
    """Collects the refusals of one call, so that its caller gets them all at once."""

    def __init__(self) -> None:
        self._errors: list[AgenToolError] = []

    def collect(self) -> Refusals:
        """Catch an `AgenToolError` of a ``with`` block and go on after the block."""
        return self

    def __enter__(self) -> None:
        """Begin a check."""

    def __exit__(self, kind: object, error: BaseException | None, where: object) -> bool:
        if not isinstance(error, AgenToolError):
            return False
        self._errors.append(error)
        return True

    def raise_all(self) -> None:
        """Raise the first refusal, with the others as its ``also``, each once. Without refusals do nothing."""
        told: dict[tuple[str | None, str], AgenToolError] = {}
        for error in (each for found in self._errors for each in found.one_by_one()):
            told.setdefault((error.field, error.problem), error)
        if told:
            first, *others = told.values()
            first.also = tuple(others)
            raise first


class Tried(Exception):
    """Raised in a trial where the real call would begin to act: nothing is refused."""


class ConfigurationError(AgenToolError):
    """The application is configured wrongly; other input cannot help."""


class MissingExtra(ConfigurationError, ImportError):
    """A needed optional dependency is not installed."""


class UnknownAgenTool(AgenToolError, LookupError):
    """No AgenTool is registered under this name."""

    correctable = True


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One problem of one input field. Its `value` is `UNSHOWN` where errors may show no values."""

    field: str
    value: object
    problem: str

    def __post_init__(self) -> None:
        if self.value is not None and not are_values_shown():
            object.__setattr__(self, "value", UNSHOWN)

    def __str__(self) -> str:
        field = self.field if len(self.field) <= _SHOWN else f"{self.field[:_SHOWN]}…"
        return f"{field}: {self.problem}"


class InvalidInput(AgenToolError, ValueError):
    """The input does not fit the AgenTool. ``problems`` lists the problems; ``field`` and ``value`` are those of the first."""

    correctable = True

    def __init__(
        self,
        problem: str,
        *,
        field: str | None = None,
        value: object = None,
        remedy: str | None = None,
        problems: tuple[FieldProblem, ...] = (),
    ) -> None:
        if problems:
            field, value = field or problems[0].field, problems[0].value if value is None else value
        super().__init__(problem, field=field, value=value, remedy=remedy)
        self.problems = problems

    def __str__(self) -> str:
        # Problems name their fields themselves.
        return self._message(None if self.problems else self.field, self.problem)

    @classmethod
    def from_validation(cls, agentool_name: str, error: ValidationError, known: Iterable[str] = ()) -> InvalidInput:
        """Turn pydantic's errors into one sentence that names fields, values and the way out."""
        problems = problems_in(error.errors(include_url=False, include_context=False), known)
        problem = f"AgenTool {agentool_name!r} refused its input: {sentence(problems)}"
        return cls(problem, remedy=examples_for(problems, known), problems=problems)


class InvalidOutput(AgenToolError, TypeError):
    """A handler returned something other than the type it declares."""


def problems_in(found: Sequence[object], known: Iterable[str]) -> tuple[FieldProblem, ...]:
    """Describe what pydantic found wrong: field, value, and the nearest of the known names."""
    return name_problems(found, lambda detail: _field_problem(detail, known))


def examples_for(problems: Iterable[FieldProblem], known: Iterable[str]) -> str | None:
    """Return ``Give for example x: 1.`` for the fields concerned; None where no example is declared.

    Args:
        problems: What is wrong.
        known: The fields; by their names, if they have examples.
    """
    fields: Mapping[str, object] = cast("Mapping[str, object]", known) if isinstance(known, Mapping) else dict[str, object]()
    concerned = dict.fromkeys(problem.field.partition(".")[0] for problem in problems)
    examples = {name: getattr(fields.get(name), "examples", None) for name in concerned}
    said = [f"{name}: {values[0]!r}" for name, values in examples.items() if values]
    return f"Give for example {', '.join(said)}." if said else None


def name_problems(found: Sequence[T], name: Callable[[T], FieldProblem]) -> tuple[FieldProblem, ...]:
    """Describe the first `MAX_PROBLEMS` problems and count the others. An input can have any number of them."""
    problems = [name(each) for each in found[:MAX_PROBLEMS]]
    if more := len(found) - len(problems):
        problems.append(FieldProblem("…", None, f"and {more:,} more"))
    return tuple(problems)


def sentence(problems: Iterable[FieldProblem]) -> str:
    """Join problems into one sentence."""
    said = "; ".join(str(problem).rstrip(".") for problem in problems)
    return said if said.endswith("?") else f"{said}."


def excerpt(value: object) -> str:
    """Show a value in a message: its repr, cut to a readable length. Of a text that is cut, its own characters are counted."""
    text = _repr_of(value if are_values_shown() else UNSHOWN)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(value if isinstance(value, str) else text):,} characters)"


def _repr_of(value: object) -> str:
    """Return the repr of a value; its own code may fail, Python writes no integer of 4,301 digits, and no refusal may be lost by that."""
    try:
        return repr(value)
    except Exception as error:
        return f"({type(value).__name__}, which cannot be shown: {type(error).__name__})"


def text_of(value: object) -> str:
    """Return a value as text. An error's own code may fail, and nothing may be lost because an error cannot be told."""
    try:
        return str(value)
    except Exception as error:
        return f"(its text cannot be written: {type(error).__name__})"


def encodable(text: str) -> str:
    """Return the text with its lone surrogates as escapes, such as ``\\ud800``: UTF-8, and so no message and no answer, has them."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def did_you_mean(word: str, known: Iterable[str], *, is_whole: bool = True) -> str:
    """Return ``Did you mean 'x'?`` for a near miss, else the first `MOST_NAMED` known names and the number of the others.

    Args:
        word: The unknown name.
        known: Names to choose from.
        is_whole: False if there are names besides these; the text then ends in "and more", without a number.
    """
    names = sorted(map(str, known))  # members of an enumeration by their values
    beside = _beside(word, names)
    other_case = [name for name in beside if name.casefold() == word.casefold()]
    near = other_case or difflib.get_close_matches(word[:_SHOWN], beside, n=1)
    if near:
        return f"Did you mean {near[0]!r}?"
    left = len(names) - MOST_NAMED
    more = " and more" if not is_whole else f" and {left:,} more" if left > 0 else ""
    return f"Known: {', '.join(names[:MOST_NAMED])}{more}." if names else ""


def _beside(word: str, names: Sequence[str]) -> Sequence[str]:
    """Return all of some sorted names; of very many, those that stand beside a word, up to `_COMPARED` characters."""
    if sum(map(len, names)) <= _COMPARED:
        return names
    place = bisect_left(names, word)
    outward = chain.from_iterable(zip_longest(names[place:], reversed(names[:place])))
    found = [name for name in islice(outward, _COMPARED) if name is not None]
    lengths = accumulate(map(len, found))
    return [name for name, length in zip(found, lengths, strict=True) if length <= _COMPARED]


_OBJECT_KINDS = frozenset({"dict_type", "model_type", "model_attributes_type", "dataclass_type", "mapping_type"})
"""Pydantic's kinds of error for a value that is no object. Its messages name Python's classes."""


def _no_object(value: object) -> str:
    is_quoted = isinstance(value, str) and value.lstrip().startswith("{")
    return f"input should be an object{', without quotes around it' if is_quoted else ''}"


def _field_problem(detail: object, known: Iterable[str]) -> FieldProblem:
    found: dict[str, object] = dict(detail)  # type: ignore[call-overload]
    location: tuple[object, ...] = found["loc"]  # type: ignore[assignment]
    field = ".".join(map(str, location)) or "input"
    kind, value = str(found["type"]), found.get("input")
    if kind == "missing":
        return FieldProblem(field, None, "is required and missing")
    if kind == "extra_forbidden":
        # The known names are those of the outer model.
        advice = did_you_mean(field, known) if len(location) == 1 else ""
        return FieldProblem(field, value, f"is not a field. {advice}".rstrip())
    if not are_values_shown():
        # Not pydantic's own message: some messages quote the value.
        return FieldProblem(field, value, f"is not accepted ({kind}); its value is {_WHY_UNSHOWN}")
    said = str(found["msg"]).removeprefix("Value error, ") if kind not in _OBJECT_KINDS else _no_object(value)
    if not location:  # the whole input is no excerpt
        return FieldProblem(field, value, said)
    near = did_you_mean(value, re.findall("'([^']+)'", said)) if kind == "literal_error" and isinstance(value, str) else ""
    advice = f". {near}" if near.startswith("Did") else ""
    return FieldProblem(field, value, f"{said[:1].lower()}{said[1:]}, got {excerpt(value)}{advice}")
