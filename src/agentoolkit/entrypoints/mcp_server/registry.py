"""The twelve tools for use in a Python program, without the protocol. The scheduler starts with the registry, in a thread.

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
from agentoolkit.settings import Settings, own_database
from agentoolkit.wiring import Toolkit


class ToolRefused(AgenToolError, RuntimeError):
    """A tool refused a call; the message says why, and the way out."""


class ToolRegistry:
    """The tools of the MCP server by name. Its scheduler ends with the process, or by `close`.

    Args:
        settings: Read from the environment by default; tasks are then kept, in the command line's database if none is named.
        background: A shared toolkit, instead of a new one with these settings.

    Raises:
        AgenToolError: The toolkit cannot be opened.
    """

    def __init__(self, settings: Settings | None = None, *, background: BackgroundToolkit | None = None) -> None:
        self._background = background if background is not None else BackgroundToolkit(settings or _kept_settings())
        self._background.start()
        self._host = ThreadHost(self._background)
        self._tools = TaskTools(TaskDesk(None, host=self._host))

    async def execute(self, name: str, arguments: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Call a tool as the current caller, and return its data. Confirmations are given automatically.

        Raises:
            UnknownAgenTool: There is no such tool.
            ToolRefused: The tool refused the call.
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


def _kept_settings() -> Settings:
    settings = Settings()
    return settings.model_copy(update={"database": settings.database or own_database()})
