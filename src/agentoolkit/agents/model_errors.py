"""Turn pydantic-ai's errors into errors that tell the scheduler whether a retry is worth its price."""

from __future__ import annotations

from pydantic_ai import exceptions

from agentoolkit.agents.errors import AgentError, AgentFailed, AgentTimeout, LimitReached, ModelRefused, ModelUnavailable

_PASSING = (
    exceptions.ModelRateLimitError,
    exceptions.ModelUnavailableError,
    exceptions.ModelServerError,
    exceptions.ModelConnectionError,
    exceptions.ModelRequestTimeout,
)
"""Temporary errors of a model."""
_FINAL = (exceptions.ModelRequestRejectedError, exceptions.ContentFilterError)
"""Errors that the same request would cause again: key, model's name, size, content."""


def to_agent_error(error: exceptions.AgentRunError) -> AgentError:
    """Return an error that tells whether, and when, a failed run is worth a retry."""
    told = f"{type(error).__name__}: {error}"
    if isinstance(error, exceptions.UsageLimitExceeded):
        failed: AgentError = LimitReached(f"The run used up what one run may use. {error}", remedy="Raise its limits, or ask for less.")
    elif isinstance(error, exceptions.RunTimedOut):
        failed = AgentTimeout(told)
    elif isinstance(error, exceptions.ModelQuotaExceededError):
        # An exhausted quota stays exhausted unless the provider names the time of its reset.
        failed = ModelUnavailable(told) if error.retry_after is not None else ModelRefused(told, remedy="Top up the provider's account.")
    elif isinstance(error, _FINAL):
        failed = ModelRefused(told, remedy="Look at the key, the model's name, and the length of the conversation.")
    elif isinstance(error, _PASSING):
        failed = ModelUnavailable(told)
    else:
        failed = AgentFailed(told)
    failed.retry_after = getattr(error, "retry_after", None)
    return failed
