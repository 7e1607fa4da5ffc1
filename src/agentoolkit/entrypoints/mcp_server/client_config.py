"""The configurations with which MCP clients find the server, for ``agentool mcp config``."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agentool.errors import InvalidInput, did_you_mean

NAME = "scheduler"


@dataclass(frozen=True, slots=True)
class ClientConfig:
    """The configuration of one client: its title, its place, and the block to put there."""

    title: str
    place: str
    block: str


def client_configs(arguments: Sequence[str] = (), url: str | None = None) -> Mapping[str, ClientConfig]:
    """Return the configuration of each known client.

    Args:
        arguments: Options of ``agentool mcp`` that the client passes.
        url: URL of a server over HTTP; without it each client starts its own server.
    """
    found = shutil.which("agentool")  # an absolute path: a client does not have this PATH
    words = [*([found] if found else [sys.executable, "-m", "agentool"]), "mcp", *arguments]
    started: dict[str, Any] = {"url": url} if url else {"command": words[0], "args": words[1:]}
    kind: dict[str, Any] = {"type": "http" if url else "stdio", **started}
    add = f"claude mcp add --transport http {NAME} {url}" if url else f"claude mcp add {NAME} -- {shlex.join(words)}"
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in started.items()]
    return {
        "claude-code": ClientConfig("Claude Code", "a terminal", add),
        "claude-desktop": ClientConfig("Claude Desktop", "claude_desktop_config.json", _json({"mcpServers": {NAME: started}})),
        "cursor": ClientConfig("Cursor", "~/.cursor/mcp.json", _json({"mcpServers": {NAME: started}})),
        "vscode": ClientConfig("VS Code", ".vscode/mcp.json", _json({"servers": {NAME: kind}})),
        "codex": ClientConfig("Codex", "~/.codex/config.toml", "\n".join([f"[mcp_servers.{NAME}]", *lines])),
    }


def client_config(client: str, arguments: Sequence[str] = (), url: str | None = None) -> ClientConfig:
    """Return the configuration of one client.

    Raises:
        InvalidInput: The client is not known; the message names the nearest one.
    """
    known = client_configs(arguments, url)
    if client not in known:
        raise InvalidInput(f"Unknown client {client!r}.", field="client", value=client, remedy=did_you_mean(client, known))
    return known[client]


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
