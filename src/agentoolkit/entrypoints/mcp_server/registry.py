"""The twelve tools for a program of one's own, without a protocol between: the scheduler starts with the registry, in a thread.

    registry = ToolRegistry()
    await registry.execute("scheduler_daemon_status", {})

Source: *Scheduler Daemon Implementation*, "Auto-Start Behavior" and "Troubleshooting".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentool.errors import AgenToolError
from agentoolkit.entrypoints.background import BackgroundToolkit
from agentoolkit.entrypoints.mcp_server.confirmation import ConfirmationNeeded
from agentoolkit.entrypoints.mcp_server.host import ThreadHost
from agentoolkit.entrypoints.mcp_server.task_tools import TaskDesk
from agentoolkit.entrypoints.mcp_server.tools import TaskTools, ToolReply
from agentoolkit.settings import Settings
from agentoolkit.wiring import Toolkit


class ToolRefused(AgenToolError, RuntimeError):
    """A tool did not do what it was asked; the message says why, and what would be right."""


class ToolRegistry:
    """The tools of the MCP server, called by their names. What it runs ends with the process, or by `close`.

    Args:
        settings: Read from the environment by default.
        background: A toolkit that others use as well, in the place of one on these settings.

    Raises:
        AgenToolError: The toolkit cannot be opened.
    """

    def __init__(self, settings: Settings | None = None, *, background: BackgroundToolkit | None = None) -> None:
        self._background = background if background is not None else BackgroundToolkit(settings)
        self._background.start()
        self._host = ThreadHost(self._background)
        self._tools = TaskTools(TaskDesk(None, host=self._host))

    async def execute(self, name: str, arguments: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Call a tool as the current caller, and return its data. Code that removes a task is not asked whether it means it.

        Raises:
            UnknownAgenTool: There is no such tool.
            ToolRefused: It was not done.
        """
        self._tools.check_name(name)

        async def call(kit: Toolkit) -> ToolReply:
            given = dict(arguments or {})
            try:
                return await self._tools.call(name, given)
            except ConfirmationNeeded as needed:
                return await self._tools.call(name, {**given, "confirm": needed.code})

        reply = await self._host.call(call)
        if reply.is_error:
            raise ToolRefused(reply.text, field="arguments")
        return reply.data or {}

    def close(self) -> None:
        """End the scheduler and its thread, within five seconds."""
        self._background.stop()
