"""Read the signature of any callable."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any


def signature_of(function: Callable[..., Any]) -> inspect.Signature | None:
    """Return the signature of a callable; None if it has none, as some written in C, or if reading it raises."""
    try:
        return inspect.signature(function)
    except Exception:
        return None
