"""The errors of agents that run without anybody there.

    AgentError
    ├── UnknownAgent       (InvalidInput): no agent is registered by this name
    ├── NoSuchApproval     (InvalidInput): nothing waits for approval under this id, or no longer
    ├── NotAllowed         (PermissionError): the caller may not decide this
    ├── LimitReached       a run used up what one run may use; never tried again
    ├── BudgetReached      a day's or a job's budget is used up; nothing was run, and the job is paused
    │   └── BudgetReserved   runs under way hold it: a scheduled run waits for them, and no job is paused
    ├── ModelUnavailable   the model could not be reached now: worth another try, at the time it named if it did
    ├── ModelRefused       the same request would be refused again: key, model's name, size, content
    ├── AgentTimeout       (TimeoutError): the run took too long
    └── AgentFailed        the run ended without an answer
Each has ``result``: usage, cost and tool calls so far, which the history keeps.
"""

from __future__ import annotations

from typing import Any

from agentool.errors import AgenToolError, InvalidInput

OVER_BUDGET = "The budget of the "
"""How the reason begins for which a job is paused whose budget is used up; pages find such jobs by it."""


class AgentError(AgenToolError):
    """An agent did not do what was asked."""

    retryable: bool = True
    """Is another attempt worth its price?"""
    retry_after: float | None = None
    """Seconds after which the provider asks to try again."""
    result: Any = None
    ran: Any = None
    """A `RunSummary`: what the run used before; None where nothing is known."""


class UnknownAgent(AgentError, InvalidInput):
    """No agent is registered by this name."""


class NoSuchApproval(AgentError, InvalidInput):
    """Nothing waits for approval under this id, or no longer."""


class NotAllowed(AgentError, PermissionError):
    """The caller may not decide this."""


class LimitReached(AgentError):
    """A run used up what one run may use."""

    retryable = False


class BudgetReached(AgentError):
    """The budget of a day or of a job is used up; nothing was run."""

    retryable = False


class BudgetReserved(BudgetReached):
    """The budget of a day or of a job is held by runs under way, which may leave enough of it."""

    retryable = True


class ModelUnavailable(AgentError):
    """The model could not be reached, or was too busy."""


class ModelRefused(AgentError):
    """The model's provider refused the request, and would again."""

    retryable = False


class AgentTimeout(AgentError, TimeoutError):
    """The run took longer than it may."""


class AgentFailed(AgentError):
    """The run ended without an answer."""
