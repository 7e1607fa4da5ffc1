"""What references with a secret's name stood for, kept out of what an execution leaves behind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from agentool.references import PREFIX, Resolved
from agentoolkit.redaction import REDACTED, is_secret
from agentoolkit.system.scheduler.jobs import ErrorRecord, Execution

_SHORTEST = 4
"""Characters from which on a text is looked for: shorter ones are part of too much."""


def secrets_in(given: Any, filled: Any) -> frozenset[str]:
    """Return the texts that references with a secret's name became, as ``!ref:storage_kv:api_key``.

    Args:
        given: The input of a job.
        filled: The same with its references replaced.
    """
    return frozenset(_secrets(given, filled)) if isinstance(filled, Resolved) else frozenset()


def without_secrets(execution: Execution, secrets: frozenset[str]) -> Execution:
    """Return the record of an execution without these texts, in its result and its error."""
    longest_first = sorted(secrets, key=len, reverse=True)
    result, error = _hidden(execution.result, longest_first), execution.error
    if error is not None:
        error = ErrorRecord(error.type, _hidden(error.message, longest_first), _hidden(error.traceback, longest_first))
    return execution._replace(result=result, error=error)


def _secrets(given: Any, filled: Any) -> Iterator[str]:
    if isinstance(given, str):
        if given.startswith(PREFIX) and is_secret(given.rpartition(":")[2]):
            yield from (text for text in _texts(filled) if len(text) >= _SHORTEST)
    elif isinstance(given, Mapping):
        for key, value in cast("Mapping[str, Any]", given).items():
            yield from _secrets(value, filled[key])
    elif isinstance(given, (list, tuple)):
        for value, became in zip(cast("list[Any]", given), filled, strict=True):
            yield from _secrets(value, became)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield str(value)
    elif isinstance(value, (dict, list)):
        held = cast("dict[str, Any]", value).values() if isinstance(value, dict) else cast("list[Any]", value)
        for item in held:
            yield from _texts(item)


def _hidden(value: Any, secrets: list[str]) -> Any:
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, REDACTED)
        return value
    if isinstance(value, dict):
        return {key: _hidden(item, secrets) for key, item in cast("dict[str, Any]", value).items()}
    return [_hidden(item, secrets) for item in cast("list[Any]", value)] if isinstance(value, list) else value
