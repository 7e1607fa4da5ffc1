"""Suites that others wrote, in Node: the conformance suite of the protocol, and the inspector's command line.

The long form only: `npm install` in `tests/npm`, then `AGENTOOL_FULL=1 pytest tests/mcp_door/test_outside_suites.py`.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.mcp_door.processes import PROGRAM, environment, http_server

pytestmark = pytest.mark.long_form

BINARIES = Path(__file__).parent.parent / "npm" / "node_modules" / ".bin"

_TOOLS = "calls a tool of the suite's own fixture server"
_RESOURCES = "reads or watches a resource of the suite's own fixture server"
_PROMPTS = "asks for a prompt of the suite's own fixture server"
_COMPLETION = "asks to complete an argument; no argument of ours has values to complete"
_LOGGING = "sets a log level; logging is deprecated in the protocol and not offered"
_FIXTURES = {
    "completion-complete": _COMPLETION,
    "tools-call-simple-text": _TOOLS,
    "tools-call-image": _TOOLS,
    "tools-call-audio": _TOOLS,
    "tools-call-embedded-resource": _TOOLS,
    "tools-call-mixed-content": _TOOLS,
    "tools-call-error": _TOOLS,
    "tools-call-with-progress": _TOOLS,
    "resources-read-text": _RESOURCES,
    "resources-read-binary": _RESOURCES,
    "resources-templates-read": _RESOURCES,
    "prompts-get-simple": _PROMPTS,
    "prompts-get-with-args": _PROMPTS,
    "prompts-get-embedded-resource": _PROMPTS,
    "prompts-get-with-image": _PROMPTS,
}
BASELINE = {
    "2026-07-28": {
        **_FIXTURES,
        "server-stateless": "4 of its 28 checks call diagnostic tools of the suite's own fixture server",
        "input-required-result-basic-elicitation": _TOOLS,
        "input-required-result-basic-sampling": _TOOLS,
        "input-required-result-basic-list-roots": _TOOLS,
        "input-required-result-request-state": _TOOLS,
        "input-required-result-multiple-input-requests": _TOOLS,
        "input-required-result-multi-round": _TOOLS,
        "input-required-result-non-tool-request": _PROMPTS,
        "input-required-result-result-type": _TOOLS,
        "input-required-result-tampered-state": _TOOLS,
        "input-required-result-capability-check": _TOOLS,
    },
    "2025-11-25": {
        **_FIXTURES,
        "logging-set-level": _LOGGING,
        "tools-call-with-logging": _TOOLS,
        "tools-call-sampling": _TOOLS,
        "tools-call-elicitation": _TOOLS,
        "elicitation-sep1034-defaults": _TOOLS,
        "elicitation-sep1330-enums": _TOOLS,
        "resources-subscribe": _RESOURCES,
        "resources-unsubscribe": _RESOURCES,
    },
}
"""Scenarios that fail, and why; every other one has to pass."""


@pytest.fixture(scope="module")
def node() -> list[str]:
    """Node 22, from its npm package."""
    if not (BINARIES / "node").exists():
        pytest.skip("Run `npm install` in tests/npm: it brings Node 22, the conformance suite and the inspector")
    return [str(BINARIES / "node")]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with http_server(tmp_path_factory.mktemp("home")) as address:
        yield address


@pytest.mark.parametrize("revision", BASELINE)
def test_the_conformance_suite_fails_nothing_but_its_own_fixtures(node: list[str], address: str, revision: str) -> None:
    """Every scenario that the revision requires, but for those that want the suite's own fixture server."""
    command = [*node, str(BINARIES / "conformance"), "server", "--url", address, "--requirements", revision]
    told = subprocess.run(command, capture_output=True, text=True, timeout=300).stdout
    summary = told.partition("=== SUMMARY ===")[2]
    assert summary, told[-2_000:]
    results, _, unscored = summary.partition("Not scored for")
    aside = set(re.findall(r"^\s+[✓✗] ([\w-]+)", unscored, re.MULTILINE))
    failed = set(re.findall(r"^✗ ([\w-]+)", results, re.MULTILINE)) - aside
    assert failed == set(BASELINE[revision])


def inspect(node: list[str], *words: str, home: Path) -> dict[str, object]:
    """Run the inspector's command line and read what it prints."""
    command = [*node, str(BINARIES / "mcp-inspector"), "--cli", *words, "--connect-timeout", "60000"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment(home))
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


@pytest.mark.parametrize("transport", ["stdio", "http"])
def test_the_inspector_lists_calls_and_reads(node: list[str], address: str, transport: str, tmp_path: Path) -> None:
    """A client that is not ours, over each transport."""
    server = [address, "--transport", "http"] if transport == "http" else [*PROGRAM, "mcp"]
    tools = inspect(node, *server, "--method", "tools/list", home=tmp_path)["tools"]
    assert len(tools) == 12  # type: ignore[arg-type]
    when = ["--tool-name", "scheduler_preview", "--tool-arg", "when=every weekday at 9:00"]
    called = inspect(node, *server, "--method", "tools/call", *when, home=tmp_path)
    assert called["structuredContent"]["schedule"] == "0 9 * * 1-5"  # type: ignore[index]
    assert "resources" in inspect(node, *server, "--method", "resources/list", home=tmp_path)
