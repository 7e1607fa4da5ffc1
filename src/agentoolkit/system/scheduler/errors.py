"""The errors of the scheduler. Each is also the builtin that its documentation names.

    SchedulerError (RuntimeError)
    ├── JobNotFound       (KeyError)
    ├── ExecutionNotFound (KeyError)
    ├── DamagedJob        what the database holds of it cannot be read (in `ports`)
    ├── JobExists         the job's id or name is taken by a different job
    ├── InvalidSchedule   (ValueError)
    ├── InvalidJob        (InvalidInput, so ValueError): input for the target, or a policy, that cannot be
    ├── UnknownTarget     (UnknownAgenTool, so LookupError): there is nothing to run by this name
    ├── NotPermitted      (PermissionError): the caller may not do this
    ├── LimitExceeded     (ValueError): the caller's jobs would be too many or too frequent
    ├── GateFailed        the gate of a job raised, or gave no answer
    └── ExecutionFailed   an AgenTool that was run at once did not succeed

Source: the table "Exceptions" of *Scheduler AgenToolkit*.
"""

from __future__ import annotations

from functools import lru_cache

from agentool.errors import AgenToolError, InvalidInput, UnknownAgenTool, excerpt


class SchedulerError(AgenToolError, RuntimeError):
    """The scheduler could not do what was asked."""


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
        """Name the other job, and the field that was to be like its."""
        remedy = "Change it with operation 'update' or with replace, cancel it first, or choose another job_id and job_name."
        return cls(f"A different job has the id {job_id!r} and the name {job_name!r}.", field=field, value=value, remedy=remedy)


class InvalidSchedule(SchedulerError, ValueError):
    """The schedule, its zone or its bounds cannot be read, or would never fire."""

    correctable = True

    def __str__(self) -> str:
        """Say what was given, where the problem itself quotes none of it: people see no more of an error than its text."""
        if self.value is None or "'" in self.problem or str(self.value) in self.problem:
            return super().__str__()
        return self._message(self.field, f"{self.problem.rstrip('.')} (given: {excerpt(self.value)}).")


class InvalidJob(SchedulerError, InvalidInput):
    """A job's input would be refused when the time comes, or one of its fields is out of range."""


@lru_cache(maxsize=64)
def invalid_job_as(kind: type[AgenToolError]) -> type[InvalidJob]:
    """Return a class of `InvalidJob` that is also what a target's own check raises, such as ``CommandNotAllowed``.

    Callers catch it as what they know: a `PermissionError`, or a `KeyError` of something that is not there.
    """
    if not issubclass(kind, (PermissionError, LookupError)):
        return InvalidJob
    return type(kind.__name__, (InvalidJob, kind), {"__doc__": kind.__doc__, "__module__": kind.__module__})


class UnknownTarget(SchedulerError, UnknownAgenTool):
    """No AgenTool has the name that is to be run, or ``queue`` is missing and an outcome is to be sent to one."""


class GateFailed(SchedulerError):
    """The AgenTool that is asked whether an execution is to run raised, or answered neither yes nor no."""


class ExecutionFailed(SchedulerError):
    """An AgenTool that was run at once did not succeed; ``__cause__`` is what it raised."""


class NotPermitted(SchedulerError, PermissionError):
    """The caller may not do this; other input does not help."""


class LimitExceeded(SchedulerError, ValueError):
    """The caller's jobs would become too many, too frequent or too deep."""

    correctable = True


def changed_meanwhile(job_id: str, version: int | None) -> SchedulerError:
    """Return the refusal of a change that somebody else came before; `version` is what the caller had read."""
    expected = "" if version is None else f", and it is no longer version {version}"
    return SchedulerError(
        f"Job {job_id!r} was changed meanwhile{expected}.",
        field="job_id" if version is None else "version",
        value=job_id if version is None else version,
        remedy="Read it again with operation 'get_job' and repeat the change.",
    )
