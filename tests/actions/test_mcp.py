"""The AgenTool ``mcp`` with real servers: a program spoken to over stdio, and one that listens on 127.0.0.1."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
import traceback
import tracemalloc
from pathlib import Path

import psutil
import pytest
from pydantic import SecretStr, ValidationError

from agentool import ConfigurationError, Injector, InvalidInput, MissingExtra
from agentoolkit.actions.mcp import create_mcp_agent
from agentoolkit.actions.mcp_servers import McpAnswerTooLarge, McpFailed, McpTimedOut, McpToolFailed
from agentoolkit.settings import McpServer, McpSettings

from .servers import Answer, HttpServer, listening

SERVER = str(Path(__file__).with_name("time_server.py"))
BOUNDLESS = str(Path(__file__).with_name("boundless_server.py"))
STDIO = McpServer(command=sys.executable, args=(SERVER,))


def mcp(timeout=30.0, answer_size=10_000_000, **servers):
    injector = Injector()
    settings = McpSettings(servers=servers or {"time": STDIO}, timeout=timeout, answer_size=answer_size)
    agentool = create_mcp_agent(settings, injector=injector)

    async def ask(operation, **fields):
        return await injector.run("mcp", {"operation": operation, **fields})

    ask.check = lambda **fields: agentool.check({"operation": "call", "tool_name": "say", **fields})
    return ask


def programs():
    """Processes of this one's that are the test's server, spoken to over stdio."""
    return [child for child in psutil.Process(os.getpid()).children(recursive=True) if child.cmdline()[-1:] == [SERVER]]


def wait_for(port):
    """Wait until a port is listened on, ten seconds at most."""
    for _ in range(1000):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)
    pytest.fail("the server did not start")


@pytest.fixture(scope="module")
def http_server():
    """A server that listens, and its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = psutil.Popen([sys.executable, SERVER, str(port)])
    wait_for(port)
    yield f"http://127.0.0.1:{port}/mcp"
    process.terminate()
    process.wait(10)


@pytest.fixture(params=["stdio", "http"])
def server(request):
    if request.param == "stdio":
        return STDIO
    return McpServer(url=request.getfixturevalue("http_server"), headers={"Authorization": SecretStr("Bearer k")})


async def test_a_tool_s_structured_result_is_kept_as_json(server):
    """A tool is called with its arguments, and its result comes back as values."""
    answer = await mcp(time=server)("call", server_name="time", tool_name="get_current_time", arguments={"timezone": "Asia/Tokyo"})
    assert answer.data == {"timezone": "Asia/Tokyo", "time": "12:00"}


async def test_a_tool_s_text_is_kept(server):
    """A tool without a structured result answers with text."""
    answer = await mcp(time=server)("call", server_name="time", tool_name="say", arguments={"text": "hello"})
    assert (answer.text, answer.data) == ("hello", None)
    assert answer.content == [{"type": "text", "text": "hello"}]


async def test_the_tools_of_a_server_are_listed(server):
    """A tool is listed with its description and the schema of its input."""
    tools = {tool.name: tool for tool in (await mcp(time=server)("list_tools", server_name="time")).tools}
    assert set(tools) == {"get_current_time", "say", "fail", "sleep"}
    assert tools["say"].description == "Say something."
    assert tools["say"].input_schema["required"] == ["text"]


async def test_a_tool_that_fails_is_a_failure_with_its_text(server):
    """What the server says about a failed tool is what the error says."""
    with pytest.raises(McpToolFailed, match="the clock stands still"):
        await mcp(time=server)("call", server_name="time", tool_name="fail")


@pytest.mark.parametrize(("tool", "arguments"), [("no_such_tool", {}), ("say", {"text": 5, "other": 1}), ("say", {})])
async def test_a_call_that_is_wrong_is_a_failure(server, tool, arguments):
    """An unknown tool, and arguments that it does not take, are refused by the server."""
    with pytest.raises(McpFailed):
        await mcp(time=server)("call", server_name="time", tool_name=tool, arguments=arguments)


async def test_a_slow_tool_is_ended_by_the_timeout(server):
    """A call takes no longer than its timeout."""
    began = time.monotonic()
    with pytest.raises(McpTimedOut, match="within 3 s"):
        await mcp(time=server)("call", server_name="time", tool_name="sleep", timeout=3)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("stubborn", ["term", "fork", "leave"])
async def test_what_a_server_started_ends_with_the_call(tmp_path, stubborn):
    """Children of a server end with it, whether the call ends well or by its timeout, and however stubborn they are."""
    program = (
        "import os, signal, subprocess, sys\n"
        "code = 'import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)'\n"
        f"child = [sys.executable, '-c', code, {str(tmp_path)!r}]\n"
        f"subprocess.Popen(child, start_new_session={stubborn == 'leave'}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)\n"
        f"{'signal.signal(signal.SIGTERM, signal.SIG_IGN)' if stubborn == 'term' else ''}\n"
        f"sys.argv = [{SERVER!r}]; exec(open({SERVER!r}).read())\n"
    )
    ask = mcp(time=McpServer(command=sys.executable, args=("-c", program)))
    await ask("call", server_name="time", tool_name="say", arguments={"text": "a"})
    assert alive(tmp_path) == 0
    began = time.monotonic()
    with pytest.raises(McpTimedOut):
        await ask("call", server_name="time", tool_name="sleep", timeout=3)
    assert (alive(tmp_path), time.monotonic() - began < 10) == (0, True)


def alive(mark):
    """Count the processes that were started with this argument."""
    count = 0
    for process in psutil.process_iter(["cmdline", "status"]):
        count += (process.info["cmdline"] or [])[-1:] == [str(mark)] and process.info["status"] != psutil.STATUS_ZOMBIE
    return count


async def test_no_program_is_left_after_a_call():
    """The server that was started for a call ends with it, also when it is cancelled."""
    await mcp()("call", server_name="time", tool_name="say", arguments={"text": "a"})
    assert programs() == []
    call = asyncio.ensure_future(mcp()("call", server_name="time", tool_name="sleep"))
    for _ in range(500):
        if programs():
            break
        await asyncio.sleep(0.01)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert programs() == []


@pytest.mark.parametrize(
    ("server", "said"),
    [
        (
            {"command": "/no/such/program"},
            "its program '/no/such/program' cannot be started: No such file or directory. Correct its 'command'",
        ),
        ({"command": "/"}, "its program '/' cannot be started: Permission denied. Correct its 'command'"),
        (
            {"command": sys.executable, "cwd": "/no/folder"},
            "its folder '/no/folder' cannot be entered: No such file or directory. Correct its 'cwd'",
        ),
    ],
)
async def test_a_program_that_cannot_be_started_is_a_failure(server, said):
    """The failure names the server, what is not there, and the setting."""
    with pytest.raises(McpFailed, match=f"MCP server 'time': {said}.*`mcp_servers`"):
        await mcp(time=McpServer(**server))("list_tools", server_name="time")


def boundless(kind):
    return mcp(boundless=McpServer(command=sys.executable, args=(BOUNDLESS, kind)))


@pytest.mark.parametrize(("kind", "said"), [("pages", "100 pages"), ("tools", "1,000 tools"), ("descriptions", "10,000,000 characters")])
async def test_a_list_of_tools_that_does_not_end_is_refused(kind, said):
    """Pages, tools and what is said of them are each bounded, and the failure says which was too much."""
    with pytest.raises(McpAnswerTooLarge, match=said):
        await boundless(kind)("list_tools", server_name="boundless")


@pytest.mark.parametrize("kind", ["list", "text"])
async def test_a_message_is_limited_before_it_is_read(kind):
    """Of a list of 20 MB no more than twice the limit is held, and the failure names the setting."""
    ask = mcp(answer_size=1_000_000, boundless=McpServer(command=sys.executable, args=(BOUNDLESS, kind)))
    operation = ("list_tools", {}) if kind == "list" else ("call", {"tool_name": "t0"})

    async def refused() -> None:
        with pytest.raises(McpAnswerTooLarge, match=r"longer than 1,000,000 bytes.*`mcp_answer_size`"):
            await ask(operation[0], server_name="boundless", **operation[1])

    await refused()  # what the first call imports is not what an answer takes
    tracemalloc.start()
    try:
        await refused()
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", ["text", "failure"])
async def test_a_result_that_is_too_large_is_refused(kind):
    """A result beyond the limit is a failure that says so, and no further try is made of a tool that has run."""
    with pytest.raises(McpAnswerTooLarge, match="10,000,000 bytes") as failed:
        await boundless(kind)("call", server_name="boundless", tool_name="t0")
    assert isinstance(failed.value, InvalidInput)


async def test_a_response_that_is_too_large_is_not_read_to_its_end():
    """A server that is reached by an address sends so much at most."""
    large = Answer(200, {"Content-Type": "application/json"}, b" " * 10_000_001)
    async with listening(HttpServer(answer=lambda request: large)) as server:
        with pytest.raises(McpFailed, match="longer than 10,000,000 bytes"):
            await mcp(web=McpServer(url=server.url))("list_tools", server_name="web")


async def test_a_long_error_is_cut():
    """Of what a server says of a failure the beginning is told."""
    with pytest.raises(McpFailed) as failed:
        await boundless("error")("call", server_name="boundless", tool_name="t0")
    assert len(str(failed.value)) < 3_000


async def test_a_program_that_writes_without_end_is_told_by_its_end():
    """However much a program writes beside its answers, its end is shown, and nothing of it is kept in a file."""
    with pytest.raises(McpFailed, match=r"It wrote: x{400,}the end$") as failed:
        await boundless("stderr")("call", server_name="boundless", tool_name="t0")
    assert len(str(failed.value)) < 1_000


async def test_lines_that_are_no_messages_do_not_fill_the_log(caplog):
    """Of a server that writes rubbish a few lines are logged, at each call anew, and its answer comes all the same."""
    for _ in range(2):
        caplog.clear()
        assert (await boundless("garbage")("call", server_name="boundless", tool_name="t0")).text == "y"
        assert 0 < len(caplog.records) <= 10


async def test_what_a_broken_program_wrote_is_shown():
    """A program that ends at once is a failure with the end of what it wrote."""
    broken = McpServer(command=sys.executable, args=("-c", "import sys; sys.exit('no licence')"))
    with pytest.raises(McpFailed, match="no licence"):
        await mcp(time=broken)("list_tools", server_name="time")


@pytest.mark.parametrize(
    "server",
    [
        {"args": ("--api-key", "S3CRET-VALUE")},
        {"args": ("--token=S3CRET-VALUE",)},
        {"args": ("-v",), "env": {"KEY": SecretStr("S3CRET-VALUE")}},
    ],
)
async def test_what_a_server_was_given_is_not_shown(server):
    """A server that writes out its arguments or its environment and ends, puts no secret into the error."""
    script = "import os, sys; sys.exit(f'cannot start with {sys.argv} {os.environ}'[-400:] + ' S3CRET-VALUE')"
    loud = McpServer(**{**server, "command": sys.executable, "args": ("-c", script, *server["args"])})
    with pytest.raises(McpFailed, match="It wrote") as failed:
        await mcp(time=loud)("list_tools", server_name="time")
    assert "S3CRET-VALUE" not in str(failed.value)


@pytest.mark.parametrize("shown", [6, 500, 2_000 - 6])
async def test_no_part_of_what_a_server_was_given_is_shown(shown: int):
    """Also where the end that is shown, or that is kept, begins within it."""
    script = f"import os, sys; sys.stderr.write('.' * 3_000 + os.environ['KEY'] + '.' * {shown - 6}); sys.exit(1)"
    loud = McpServer(command=sys.executable, args=("-S", "-c", script), env={"KEY": SecretStr("S3CRET-VALUE")})
    with pytest.raises(McpFailed, match="It wrote") as failed:
        await mcp(time=loud)("list_tools", server_name="time")
    assert [part for part in ("S3CR", "CRET", "VALU", "ALUE") if part in str(failed.value)] == []


async def test_an_address_where_nobody_listens_is_a_failure():
    """A server that is down is a failure, and a job may try again. It names the address, without what may be secret in it."""
    with pytest.raises(McpFailed, match=r"nothing answers at http://127\.0\.0\.1:9/mcp: .*Correct its 'url'") as failed:
        await mcp(time=McpServer(url="http://me:S3CRET@127.0.0.1:9/mcp?key=S3CRET"))("list_tools", server_name="time")
    assert "S3CRET" not in str(failed.value)


async def test_a_header_that_ends_in_a_line_break_is_sent_without_it(http_server):
    """A secret that was read from a file may end in a line break; it is no part of the header."""
    server = McpServer(url=http_server, headers={"Authorization": SecretStr("Bearer k\r\n")})
    assert (await mcp(time=server)("list_tools", server_name="time")).tools


async def test_a_header_that_cannot_be_sent_is_refused_without_its_value(http_server):
    """The refusal names the server and the header, and shows the secret nowhere."""
    server = McpServer(url=http_server, headers={"X-Key": SecretStr("S3C\nRET")})
    with pytest.raises(ConfigurationError, match=r"mcp_servers\.time\.headers: .*'X-Key'") as refused:
        await mcp(time=server)("list_tools", server_name="time")
    assert "S3C" not in "".join(traceback.format_exception(refused.value))


async def test_a_server_s_address_is_not_shown():
    """An address may hold a key, so a failure names the server only."""
    server = McpServer(url="http://127.0.0.1:9/mcp?token=S3CRET")
    with pytest.raises(McpFailed) as failed:
        await mcp(time=server)("list_tools", server_name="time")
    assert "S3CRET" not in "".join(traceback.format_exception(failed.value))


async def test_servers_are_listed_without_what_they_are_reached_with():
    """A list names servers and no command, address or secret."""
    answer = await mcp(time=STDIO, web=McpServer(url="http://127.0.0.1:9/", headers={"A": SecretStr("k")}))("list_servers")
    assert answer.model_dump() == {"servers": [{"server_name": "time", "transport": "stdio"}, {"server_name": "web", "transport": "http"}]}


def test_a_server_that_is_not_set_up_is_refused_when_scheduled():
    """The refusal names the near miss, or the setting."""
    with pytest.raises(InvalidInput, match="Did you mean 'time'"):
        mcp().check(server_name="tme")
    with pytest.raises(InvalidInput, match="`mcp_servers`"):
        create_mcp_agent(injector=Injector()).check({"operation": "list_tools", "server_name": "time"})


async def test_without_the_sdk_the_extra_is_named(monkeypatch):
    """A call without the library is one clear sentence."""
    monkeypatch.setattr("agentoolkit.actions.mcp_servers.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"agentool\[mcp\]"):
        await mcp()("list_tools", server_name="time")


@pytest.mark.parametrize("fields", [{}, {"command": "a", "url": "http://a"}, {"comand": "a"}])
def test_a_server_is_a_program_or_an_address(fields):
    """Neither, both or a misspelt word is refused when settings are read."""
    with pytest.raises(ValidationError):
        McpServer(**fields)
