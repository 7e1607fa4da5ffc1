"""Whether calls are traced by OpenTelemetry, and by what."""

from __future__ import annotations

import os
import sys
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

_names_tracing = "OTEL_PYTHON_TRACER_PROVIDER" in os.environ
"""True if an environment variable asks OpenTelemetry for a tracer provider."""


def is_traced() -> bool:
    """Tell whether a tracer provider is set. Without one a span is useless, and would double the cost of a call.

    OpenTelemetry is looked up, not imported: code that sets a provider has imported it. Another thread may be in the middle of that.
    """
    return _names_tracing or getattr(sys.modules.get("opentelemetry.trace"), "_TRACER_PROVIDER", None) is not None


@cache
def tracer() -> Tracer:
    """Return this package's tracer. The first call imports OpenTelemetry."""
    from opentelemetry import trace

    return trace.get_tracer("agentool")
