"""Removes the values of secret references from the records of executions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from agentool.references import PREFIX, FilledText, Resolved
from agentool.secrets_here import without_texts, without_texts_in
from agentoolkit.redaction import is_secret, is_secret_option, redacted_text, written_forms
from agentoolkit.system.scheduler.execution_records import ErrorRecord, Execution

_SHORTEST = 4
"""Minimum length of a text that is removed: shorter ones occur in too many words."""


def secrets_in(given: Any, filled: Any) -> frozenset[str]:
    """Return the values of secret references, in every form in which they may be written.

    A reference is secret by its own name, as ``!ref:storage_kv:api_key``, by its field, as in ``{"password": "!ref:…"}``, or by
    the text before it, as in ``--token=!ref:…``.

    Args:
        given: The input of a job.
        filled: The same input with its references resolved.
    """
    if not isinstance(filled, Resolved):
        return frozenset()
    return frozenset(form for text in _secrets(given, filled) if len(text) >= _SHORTEST for form in written_forms(text))


def without_secrets(execution: Execution, secrets: Sequence[str]) -> Execution:
    """Return the record of an execution without the secrets in result, error and reason. `secrets` has the longest first."""
    error = execution.error
    if error is not None:
        error = ErrorRecord(error.type, without_texts(error.message, secrets), without_texts(error.traceback, secrets))
    return execution._replace(
        result=without_texts_in(execution.result, secrets), error=error, reason=without_texts(execution.reason, secrets)
    )


def _secrets(given: Any, filled: Any, *, is_named: bool = False) -> Iterator[str]:
    """Yield the values of secret references. Below a secret name, every reference is secret."""
    if isinstance(given, str):
        values = _values(given, filled)
        hidden = redacted_text(given) if values else given
        for reference, value in values.items():
            if is_named or is_secret(reference.rpartition(":")[2]) or reference not in hidden:
                yield from list(_named_texts(value)) or _texts(value)
    elif isinstance(given, Mapping):
        for key, value in cast("Mapping[str, Any]", given).items():
            yield from _secrets(value, filled[key], is_named=is_named or is_secret(str(key)))
    elif isinstance(given, (list, tuple)):
        items = cast("list[Any]", given)
        for before, value, became in zip(("", *items), items, filled, strict=False):
            yield from _secrets(value, became, is_named=is_named or is_secret_option(before))


def _values(given: str, filled: Any) -> Mapping[str, Any]:
    """Return what each reference in a text stood for."""
    if isinstance(filled, FilledText):
        return filled.values
    return {given: filled} if given.startswith(PREFIX) and filled != given else {}


def _named_texts(value: Any) -> Iterator[str]:
    """Yield the texts under secret names. In an object with a password, user and host are not secret."""
    if isinstance(value, dict):
        for key, item in cast("dict[str, Any]", value).items():
            yield from _texts(item) if is_secret(key) else _named_texts(item)
    elif isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from _named_texts(item)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield str(value)
    elif isinstance(value, (dict, list)):
        held = cast("dict[str, Any]", value).values() if isinstance(value, dict) else cast("list[Any]", value)
        for item in held:
            yield from _texts(item)
