"""What `agentool mcp config` prints for each client."""

from __future__ import annotations

import json
import shlex
import tomllib

import pytest
from tests.entrypoints.conftest import Cli


@pytest.mark.parametrize(("client", "key"), [("claude-desktop", "mcpServers"), ("cursor", "mcpServers"), ("vscode", "servers")])
def test_the_block_is_json_that_names_a_program(cli: Cli, client: str, key: str) -> None:
    """A client can be given it as it is."""
    server = json.loads(cli("mcp", "config", client).stdout)[key]["scheduler"]
    assert server["args"][-1] == "mcp"
    assert server["command"]


@pytest.mark.parametrize(("client", "key"), [("claude-desktop", "mcpServers"), ("cursor", "mcpServers"), ("vscode", "servers")])
def test_a_server_over_http_is_named_by_its_address(cli: Cli, client: str, key: str) -> None:
    """Without a program to start."""
    server = json.loads(cli("mcp", "config", client, "--url", "http://127.0.0.1:8765/mcp").stdout)[key]["scheduler"]
    assert server["url"] == "http://127.0.0.1:8765/mcp"
    assert "command" not in server


def test_the_block_for_codex_is_toml(cli: Cli) -> None:
    """With the option that was asked for."""
    server = tomllib.loads(cli("mcp", "config", "codex", "--keep").stdout)["mcp_servers"]["scheduler"]
    assert server["args"][-2:] == ["mcp", "--keep"]


def test_claude_code_is_told_by_a_command(cli: Cli) -> None:
    """One line for a terminal."""
    words = shlex.split(cli("mcp", "config", "claude-code").stdout)
    assert words[:5] == ["claude", "mcp", "add", "scheduler", "--"]
    assert words[-1] == "mcp"


def test_without_a_client_all_are_shown(cli: Cli) -> None:
    """Each with the file it belongs into."""
    shown = cli("mcp", "config").stdout
    for title in ("Claude Code", "Claude Desktop", "Cursor", "VS Code", "Codex"):
        assert title in shown


def test_an_unknown_client_is_told_the_nearest(cli: Cli) -> None:
    """In one line."""
    assert "Did you mean 'cursor'?" in cli("mcp", "config", "curser", code=2).stderr


def test_an_address_that_others_reach_needs_a_token(cli: Cli) -> None:
    """Where nothing is kept there can be none."""
    assert "agentool token create" in cli("mcp", "--http", "--host", "0.0.0.0", "--memory", code=2).stderr


def test_nothing_can_be_left_behind_of_what_is_not_kept(cli: Cli) -> None:
    """``--keep`` and ``--memory`` contradict one another."""
    assert "Leave out --memory" in cli("mcp", "--keep", "--memory", code=2).stderr
