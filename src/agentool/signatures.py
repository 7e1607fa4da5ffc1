"""What a callable takes, where it says so."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any


def signature_of(function: Callable[..., Any]) -> inspect.Signature | None:
    """Return the signature of a callable; None where it has none to show, as some written in C, or where its own code raises."""
    try:
        return inspect.signature(function)
    except Exception:
        return None
