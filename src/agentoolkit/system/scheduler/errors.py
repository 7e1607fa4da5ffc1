"""The errors of the scheduler. Each is also the builtin that its documentation names.

    SchedulerError (RuntimeError)
    ├── SchedulerStopped  nothing can be run now
    ├── JobNotFound       (KeyError)
    ├── ExecutionNotFound (KeyError)
    ├── DamagedJob        its row in the database cannot be read (in `ports`)
    ├── JobExists         a different job has its id or name
    ├── InvalidSchedule   (ValueError)
    ├── InvalidJob        (InvalidInput, so ValueError): an invalid input for the target, or an invalid policy
    ├── UnknownTarget     (UnknownAgenTool, so LookupError): there is nothing to run by this name
    ├── NotPermitted      (PermissionError): the caller may not do this
    ├── LimitExceeded     (ValueError): the caller's jobs would be too many or too frequent
    ├── GateFailed        the gate of a job raised, or gave no answer
    └── ExecutionFailed   an AgenTool that was run at once failed

Source: the table "Exceptions" of *Scheduler AgenToolkit*.
"""

from __future__ import annotations

from functools import lru_cache

from agentool.errors import AgenToolError, InvalidInput, UnknownAgenTool, excerpt


class SchedulerError(AgenToolError, RuntimeError):
    """The scheduler could not do what was asked."""


class SchedulerStopped(SchedulerError):
    """Nothing can be run while the scheduler is stopped."""


class JobNotFound(SchedulerError, KeyError):
    """No job has this id or name."""

    correctable = True


class ExecutionNotFound(SchedulerError, KeyError):
    """No execution has this id, or it is no longer kept."""

    correctable = True


class JobExists(SchedulerError):
    """The id or name belongs to another job already."""

    correctable = True

    @classmethod
    def taken(cls, job_id: str, job_name: str, field: str, value: str) -> JobExists:
        """Return the refusal of an id or name that another job has."""
        remedy = "Change it with operation 'update' or with replace, cancel it first, or choose another job_id and job_name."
        return cls(f"A different job has the id {job_id!r} and the name {job_name!r}.", field=field, value=value, remedy=remedy)


class InvalidSchedule(SchedulerError, ValueError):
    """The schedule, its zone or its bounds cannot be read, or would never fire."""

    correctable = True

    def __str__(self) -> str:
        """Add the given value unless the problem quotes it: people see only the text of an error."""
        if self.value is None or "'" in self.problem or str(self.value) in self.problem:
            return super().__str__()
        return self._message(self.field, f"{self.problem.rstrip('.')} (given: {excerpt(self.value)}).")


class InvalidJob(SchedulerError, InvalidInput):
    """A job's input would be refused at the run, or one of its fields is out of range."""


@lru_cache(maxsize=64)
def invalid_job_as(kind: type[AgenToolError]) -> type[InvalidJob]:
    """Return a subclass of `InvalidJob` and of the error of a target's own check, such as ``CommandNotAllowed``.

    Callers can catch it as a `PermissionError` or a `LookupError`.
    """
    if not issubclass(kind, (PermissionError, LookupError)):
        return InvalidJob
    return type(kind.__name__, (InvalidJob, kind), {"__doc__": kind.__doc__, "__module__": kind.__module__})


class UnknownTarget(SchedulerError, UnknownAgenTool):
    """No AgenTool has the target's name, or outcomes go to a queue and the AgenTool ``queue`` is missing."""


class GateFailed(SchedulerError):
    """A job's gate raised, or answered neither yes nor no."""


class ExecutionFailed(SchedulerError):
    """An AgenTool that was run at once did not succeed; ``__cause__`` is its exception."""


class NotPermitted(SchedulerError, PermissionError):
    """The caller may not do this; other input does not help."""


class LimitExceeded(SchedulerError, ValueError):
    """The caller's jobs would become too many, too frequent or too deep."""

    correctable = True


def changed_meanwhile(job_id: str, version: int | None) -> SchedulerError:
    """Return the refusal of a change to a job that was changed meanwhile; `version` is the version that the caller read."""
    expected = "" if version is None else f", and it is no longer version {version}"
    return SchedulerError(
        f"Job {job_id!r} was changed meanwhile{expected}.",
        field="job_id" if version is None else "version",
        value=job_id if version is None else version,
        remedy="Read it again with operation 'get_job' and repeat the change.",
    )
