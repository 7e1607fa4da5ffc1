"""The errors of agents that run unattended.

    AgentError
    ├── UnknownAgent       (InvalidInput): no agent has this name
    ├── NoSuchApproval     (InvalidInput): no run waits for approval under this id
    ├── NotAllowed         (PermissionError): the caller may not decide this
    ├── LimitReached       a run reached one of its limits; never retried
    ├── BudgetReached      a day's or a job's budget is used up; nothing was run, and the job is paused
    │   └── BudgetReserved   runs under way hold it: a scheduled run waits for them, and no job is paused
    ├── ModelUnavailable   the model could not be reached now: worth another try, at the time it named if it did
    ├── ModelRefused       the same request would be refused again: key, model's name, size, content
    ├── AgentTimeout       (TimeoutError): the run took too long
    └── AgentFailed        the run ended without an answer
Each has ``result``: usage, cost and tool calls so far, for the history.
"""

from __future__ import annotations

from typing import Any

from agentool.errors import AgenToolError, InvalidInput

OVER_BUDGET = "The budget of the "
"""First words of the pause reason of a job whose budget is used up. Pages find such jobs by them."""


class AgentError(AgenToolError):
    """Base of the errors of agents."""

    retryable: bool = True
    """True if a retry is worth its price."""
    retry_after: float | None = None
    """The provider's delay for a retry, in seconds."""
    result: Any = None
    ran: Any = None
    """A `RunSummary` of the run before the error; None if it is unknown."""


class UnknownAgent(AgentError, InvalidInput):
    """No agent has this name."""


class NoSuchApproval(AgentError, InvalidInput, KeyError):
    """No run waits for approval under this id."""


class NotAllowed(AgentError, PermissionError):
    """The caller may not decide this."""


class LimitReached(AgentError):
    """A run reached one of its limits."""

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
