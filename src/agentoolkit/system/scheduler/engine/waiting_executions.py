"""Keeps the executions that wait in this process: for its first turns, the answer to their claim, a retry, or their AgenTool.

Those that wait for room are with the executor, from which they can be withdrawn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agentoolkit.system.scheduler.engine.active_executions import ActiveExecution
from agentoolkit.system.scheduler.engine.clock_interface import Alarms
from agentoolkit.system.scheduler.engine.missing_tools import MissingTools
from agentoolkit.system.scheduler.engine.parts import Parts
from agentoolkit.system.scheduler.engine.reserved_executions import ReservedExecutions
from agentoolkit.system.scheduler.engine.retries import Retries
from agentoolkit.system.scheduler.execution_records import Execution
from agentoolkit.system.scheduler.ports import Claimed, Executor


class WaitingExecutions:
    """The executions that have not started here, wherever they wait.

    Args:
        parts: The store, the time, and what an execution needs to run here.
        clock: Rings when a retry is due.
        executor: Has the executions that wait for room.
        reserved: The executions that are being claimed.
        start: Called with each execution that need not wait any more.
    """

    def __init__(
        self, parts: Parts, clock: Alarms, executor: Executor, reserved: ReservedExecutions, start: Callable[[Claimed], None]
    ) -> None:
        self._clock = clock
        self._executor = executor
        self.reserved = reserved
        self.retries = Retries(parts.store, parts.time, clock, start)
        self.missing_tools = MissingTools(parts, start)
        self.early: dict[str, ActiveExecution] | None = {}
        """Executions that wait for `open`, by id; None after it."""

    def __contains__(self, execution_id: str) -> bool:
        return execution_id in self.retries or execution_id in self.missing_tools or execution_id in self.reserved

    @property
    def without_room(self) -> Sequence[Execution]:
        """Executions that wait for a retry or for their AgenTool: they do not wait for room yet."""
        return [*self.retries.values(), *self.missing_tools.executions]

    def open(self) -> None:
        """Submit the executions that waited: by now the caller had a turn of the event loop to register AgenTools."""
        early, self.early = self.early or {}, None
        for active in early.values():
            self._executor.submit(active.order)  # as it is now: its job may have been changed meanwhile
        self.missing_tools.look()

    def withdraw(self, execution_id: str) -> bool:
        """Remove an execution that waits for `open` or for room. Tell whether there was one."""
        return (self.early or {}).pop(execution_id, None) is not None or self._executor.withdraw(execution_id)

    def silence(self, execution_id: str) -> None:
        """Remove an execution's alarm. It is still kept, so that no take-over starts it."""
        self._clock.set_alarm(execution_id, None)

    def remove(self, execution_id: str) -> None:
        """Forget an execution that has ended."""
        self.retries.pop(execution_id, None)
        self.missing_tools.remove(execution_id)

    def clear(self) -> None:
        """Forget the executions that wait for a retry or for their AgenTool: they are released."""
        self.missing_tools.clear()
        self.retries.remove_all()
