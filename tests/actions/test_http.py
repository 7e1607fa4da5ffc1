"""The AgenTool ``http`` against a real server on 127.0.0.1: what is sent, what is a failure, and where it may go."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import hmac
import json
import traceback
from ipaddress import ip_address

import pytest
from pydantic import SecretStr

from agentool import ConfigurationError, Injector, InvalidInput
from agentoolkit.actions.addresses import AddressNotAllowed, is_public
from agentoolkit.actions.http import HttpFailed, HttpRejected, create_http_agent
from agentoolkit.actions.web import TooSlow, Unreachable, UnreadableAnswer
from agentoolkit.settings import HttpSettings
from agentoolkit.testing import toolkit

from .servers import Answer, HttpServer, listening


def http(**rules):
    injector = Injector()
    agentool = create_http_agent(HttpSettings(**{"allow": ("127.0.0.0/8",), **rules}), injector=injector)

    async def request(url, **fields):
        return await injector.run("http", {"operation": "request", "url": url, **fields})

    request.check = lambda url, **fields: agentool.check({"operation": "request", "url": url, **fields})
    return request


@pytest.fixture
async def server():
    async with listening(HttpServer()) as server:
        yield server


def answering(server, *answers):
    """Let a server give these answers, the last one for ever."""
    left = list(answers)
    server.answer = lambda request: left.pop(0) if len(left) > 1 else left[0]


# What is sent and what comes back


async def test_json_is_sent_and_read(server):
    """A JSON body goes out with its type, and a JSON answer comes back as values."""
    answering(server, Answer(201, {"Content-Type": "application/json", "Set-Cookie": "a=b"}, b'{"id": 7}'))
    output = await http()(f"{server.url}/things?a=1", method="POST", json_data={"name": "ä"}, headers={"X-Key": "k"})
    (sent,) = server.requests
    assert (sent.method, sent.path, json.loads(sent.body)) == ("POST", "/things?a=1", {"name": "ä"})
    assert {"content-type": "application/json", "x-key": "k"}.items() <= sent.headers.items()
    assert (output.status, output.data, "set-cookie" in output.headers) == (201, {"id": 7}, False)


async def test_text_is_sent_and_read(server):
    """A text body goes out as it is, and text comes back in the encoding it names."""
    answering(server, Answer(200, {"Content-Type": "text/plain; charset=latin-1"}, "ä".encode("latin-1")))
    output = await http()(server.url, method="PUT", body="plain ö")
    assert (server.requests[0].body.decode(), output.text, output.data) == ("plain ö", "ä", None)


async def test_a_body_is_signed_for_the_host_that_has_a_secret(server):
    """The signature is HMAC-SHA256 over the body, in a header."""
    signing = {"127.0.0.1": SecretStr("key")}
    await http(signing=signing)(server.url, method="POST", json_data={"a": 1})
    (sent,) = server.requests
    assert sent.headers["x-signature-256"] == "sha256=" + hmac.new(b"key", sent.body, hashlib.sha256).hexdigest()


async def test_a_long_answer_is_cut(server):
    """No more than the limit is read, and the answer says so."""
    answering(server, Answer(body=b"x" * 100_000))
    output = await http(response_limit=1000)(server.url)
    assert (len(output.text), output.truncated) == (1000, True)


async def test_a_caller_s_own_signature_is_not_sent(server):
    """Where we sign, a header of this name that came with the call is replaced, however it is written."""
    await http(signing={"127.0.0.1": SecretStr("key")})(server.url, method="POST", body="a", headers={"x-signature-256": "sha256=mine"})
    sent = hmac.new(b"key", b"a", hashlib.sha256).hexdigest()
    assert server.lines("x-signature-256") == [f"sha256={sent}"]


async def test_a_caller_s_own_type_of_json_is_the_only_one(server):
    """A type that the caller gives for JSON stands in the place of the usual one, however its name is written."""
    await http()(server.url, method="POST", json_data=[], headers={"content-type": "application/vnd.x+json"})
    assert server.lines("content-type") == ["application/vnd.x+json"]


@pytest.mark.parametrize("value", ["S3CRET\n", "S3CRET\r\nX: y", "S3CRET\0", " S3CRET", "S3CRET\xfc", "S3CRET\ud800"])
async def test_a_header_that_cannot_be_sent_is_refused_without_its_value(server, value):
    """The refusal names the header; its value, which may be a secret with a line break, is nowhere in it."""
    with pytest.raises(InvalidInput, match="Authorization") as refused:
        await http()(server.url, headers={"Authorization": value})
    assert "S3CRET" not in "".join(traceback.format_exception(refused.value))
    assert (refused.value.field, refused.value.value, server.requests) == ("headers.Authorization", None, [])


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a\n", "ä"])
def test_a_header_s_name_is_one_word(name):
    """A name that is none is refused when scheduled."""
    with pytest.raises(InvalidInput, match="header"):
        http().check("https://example.com/", headers={name: "a"})


def test_a_body_that_no_text_can_be_is_refused():
    """Half a character in a body is refused before anything is sent, by its field."""
    with pytest.raises(InvalidInput) as refused:
        http().check("https://example.com/", body="a\ud800")
    assert refused.value.field == "body"


@pytest.mark.parametrize("charset", ["punycode", "zlib", "undefined", "idna", "utf-7", "unicode_escape", "base64", "x" * 50_000])
async def test_an_encoding_that_is_none_for_pages_is_read_as_utf_8(server, charset):
    """What is no encoding of text, or takes for ever, is not tried: what is not UTF-8 is replaced."""
    answering(server, Answer(200, {"Content-Type": f"text/plain; charset={charset}"}, b"-b999\xff" * 100_000))
    output = await http()(server.url, method="POST")
    assert (output.status, output.text[:6]) == (200, "-b999\ufffd")


@pytest.mark.parametrize(
    "charset",
    [
        "UTF-8",
        "us-ascii",
        "ISO-8859-15",
        "windows-1252",
        "utf-16",
        "UTF-16LE",
        "utf-32",
        "Shift_JIS",
        "EUC-JP",
        "gb18030",
        "Big5",
        "KOI8-R",
    ],
)
async def test_an_encoding_of_pages_is_read(server, charset):
    """The encodings that pages have are those that are read."""
    text = "plain"
    answering(server, Answer(200, {"Content-Type": f"text/plain; charset={charset}"}, text.encode(charset)))
    assert (await http()(server.url)).text == text


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b"[" * 150 + b"]" * 150, b'{"a":' * 150 + b"1" + b"}" * 150, b'{"a":"\\ud800"}', b"1" * 5000]
)
async def test_json_that_cannot_be_kept_is_text(server, body):
    """The request has been answered, so JSON too deep or with half a character is no failure; the text is there."""
    answering(server, Answer(200, {"Content-Type": "application/json"}, body))
    output = await http()(server.url, method="POST")
    assert (output.status, output.data, output.text) == (200, None, body.decode())


@pytest.mark.parametrize(
    "rubbish", [Answer(200, {"Content-Type": "application/json"}, b"{"), Answer(200, {"Content-Type": "text/plain; charset=no"}, b"\xff")]
)
async def test_an_answer_that_is_not_what_it_says_is_text(server, rubbish):
    """Broken JSON and an unknown encoding are no failure of the request."""
    answering(server, rubbish)
    assert (await http()(server.url)).data is None


async def test_json_with_a_byte_order_mark_is_read(server):
    """Which some servers send; it is no part of the text."""
    answering(server, Answer(200, {"Content-Type": "application/json"}, '\ufeff{"a": 1}'.encode()))
    output = await http()(server.url)
    assert (output.data, output.text) == ({"a": 1}, '{"a": 1}')


@pytest.mark.parametrize("packing", ["br", "zstd", "gzip, br"])
async def test_a_body_that_is_packed_unasked_is_not_taken_for_text(server, packing):
    """A page of signs would look like an answer. Without a body the header means nothing."""
    answering(server, Answer(200, {"Content-Encoding": packing}, b""), Answer(200, {"Content-Encoding": packing}, b"\x8b\x02\x80"))
    assert (await http()(server.url)).text == ""
    with pytest.raises(UnreadableAnswer, match=r"packed as|decoded"):
        await http()(server.url)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), {"deep": [float("-inf")]}])
async def test_a_number_that_json_does_not_have_is_not_sent(server, number):
    """No server could read it."""
    with pytest.raises(InvalidInput, match="json_data"):
        await http()(server.url, method="POST", json_data={"a": number})
    assert server.requests == []


@pytest.mark.parametrize("place", ["file:///etc/passwd", "ftp://127.0.0.1/"])
async def test_a_redirect_to_another_protocol_is_not_tried_again(server, place):
    """No further try would help, so it is the request that is wrong."""
    answering(server, Answer(302, {"Location": place}))
    with pytest.raises(InvalidInput, match="cannot be sent") as refused:
        await http()(server.url)
    assert ".." not in str(refused.value)


# Failure, by class


@pytest.mark.parametrize("status", [400, 401, 404, 410, 422])
async def test_a_request_that_is_wrong_is_rejected(server, status):
    """Most of 400 to 499 is the caller's to correct, which an InvalidInput says, and which is never tried again."""
    answering(server, Answer(status, body=b"no such thing"))
    with pytest.raises(HttpRejected, match=f"{status}: no such thing") as rejected:
        await http()(server.url)
    assert isinstance(rejected.value, InvalidInput)
    assert rejected.value.status == status


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
async def test_what_may_pass_is_a_failure_to_try_again(server, status):
    """A server in trouble, or one that asks to wait, is worth another try."""
    answering(server, Answer(status))
    with pytest.raises(HttpFailed) as failed:
        await http()(server.url)
    assert not isinstance(failed.value, HttpRejected)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("120", 120.0),
        ("99999999", 86_400.0),
        ("9" * 500, 86_400.0),
        ("soon", None),
        ("Fri, 31 Dec 2027 23:59:59 GMT", "2027-12-31T23:59:59+00:00"),
        ("Fri, 31 Dec 2027 23:59:59 -0000", "2027-12-31T23:59:59+00:00"),
        ("Fri Dec 31 23:59:59 2027", "2027-12-31T23:59:59+00:00"),
        (f"Fri, 31 Dec {'9' * 30} 23:59:59 GMT", None),
    ],
)
async def test_when_to_try_again_is_read(server, said, meant):
    """Retry-After, in seconds or as a time, is carried by the error; seconds are at most a day."""
    answering(server, Answer(429, {"Retry-After": said}))
    with pytest.raises(HttpFailed) as failed:
        await http()(server.url)
    found = failed.value.retry_after
    assert (found.isoformat() if hasattr(found, "isoformat") else found) == meant


async def test_expected_statuses_replace_the_usual_ones(server):
    """With expected_status a 404 can be a success, and a 200 a failure."""
    answering(server, Answer(404), Answer(200))
    assert (await http()(server.url, expected_status=[404])).status == 404
    with pytest.raises(HttpFailed, match="200"):
        await http()(server.url, expected_status=[404])


@pytest.mark.parametrize(("cut", "said"), [(slice(0, -12), "cut short"), (slice(4, None), "cannot be decoded")])
async def test_a_damaged_answer_is_no_success(server, cut, said):
    """A packed answer that ends too early, or is broken, is an error to try again, and is not blamed on the request."""
    answering(server, Answer(200, {"Content-Encoding": "gzip"}, gzip.compress(b"hello " * 1_000)[cut]))
    with pytest.raises(UnreadableAnswer, match=said) as failed:
        await http()(server.url)
    assert not isinstance(failed.value, InvalidInput)


@pytest.mark.parametrize("body", [gzip.compress(b"hello", mtime=0), b""])
async def test_a_packed_answer_is_unpacked(server, body):
    """A server that packs its answer without being asked is understood; an answer without a body too."""
    answering(server, Answer(200, {"Content-Encoding": "gzip"}, body))
    assert (await http()(server.url)).text == ("hello" if body else "")


async def test_a_packed_answer_is_not_unpacked_beyond_the_limit(server):
    """Ten million characters in ten thousand bytes are cut where the limit is."""
    answering(server, Answer(200, {"Content-Encoding": "gzip"}, gzip.compress(b"a" * 10_000_000)))
    output = await http(response_limit=1_000)(server.url)
    assert (len(output.text), output.truncated) == (1_000, True)


async def test_nobody_there_is_unreachable():
    """A refused connection is an error to try again."""
    with pytest.raises(Unreachable, match="cannot be reached"):
        await http()("http://127.0.0.1:9/")


async def test_a_slow_answer_is_too_slow(server):
    """All of it has to happen within the timeout; the setting's is the longest."""

    async def wait(reader, writer):
        await reader.read()
        writer.close()

    server.serve = wait
    async with await asyncio.start_server(wait, "127.0.0.1", 0) as slow:
        with pytest.raises(TooSlow, match=r"0\.1 s"):
            await http(timeout=0.1)(f"http://127.0.0.1:{slow.sockets[0].getsockname()[1]}/", timeout=60)


async def test_a_wish_to_wait_is_honoured_by_a_job_s_retries(server):
    """The scheduler's next attempt comes when the server said."""
    answering(server, Answer(429, {"Retry-After": "120"}), Answer(200))
    async with toolkit() as kit:
        if "http" not in kit.injector:
            create_http_agent(HttpSettings(allow=("127.0.0.1",)), injector=kit.injector)
        with kit.injector.override("http", create_http_agent(HttpSettings(allow=("127.0.0.1",)), injector=Injector())):
            fields = {"schedule": "1 hour", "agentool_name": "http", "input_data": {"operation": "request", "url": server.url}}
            await kit.injector.run("scheduler", {"operation": "schedule", "job_id": "fetch", "max_retries": 1, **fields})
            await kit.advance(hours=1)
            await until(lambda: len(server.requests) == 1)
            (execution,) = await until_history(kit, "retrying")
            assert execution["retry_at"] == "2030-01-01T01:02:00+00:00"
            await kit.advance(minutes=2)
            assert await until_history(kit, "success")


async def until(condition):
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it did not happen within five seconds")


async def until_history(kit, status):
    """Wait for real input and output, which takes real time: five seconds at most."""
    for _ in range(500):
        answer = await kit.injector.run("scheduler", {"operation": "get_history", "job_id": "fetch"})
        if [execution["status"] for execution in answer.data["history"]] == [status]:
            return answer.data["history"]
        await asyncio.sleep(0.01)
    return pytest.fail(f"the execution did not become {status}")


# Where it may go

PRIVATE = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.100.100.200",
    "168.63.129.16",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "fd00:ec2::254",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "::7f00:1",
    "::ffff:0:7f00:1",
    "64:ff9b:1::7f00:1",
    "fec0::1",
    "3fff::1",
    "5f00::1",
    "192.0.0.8",
    "192.88.99.1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_is_not_public_is_refused_when_scheduled(address):
    """Private, local, multicast and metadata addresses are refused in every form, and the refusal names the setting."""
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(AddressNotAllowed, match="`http_allow`"):
        http(allow=()).check(f"http://{host}/")


@pytest.mark.parametrize("address", ["93.184.216.34", "1.1.1.1", "2606:4700:4700::1111", "64:ff9b::101:101"])
def test_a_public_address_is_public(address):
    """Addresses of the internet at large may be reached by default."""
    assert is_public(ip_address(address))


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "a.localhost"])
def test_a_name_of_this_machine_is_refused_when_scheduled(host):
    """Names that mean this machine need no looking up."""
    with pytest.raises(AddressNotAllowed):
        http(allow=()).check(f"http://{host}/")


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f000001", "0177.0.0.1"])
async def test_other_ways_to_write_an_address_are_refused_when_it_is_found(host):
    """What counts is the address that a host turns out to have."""
    with pytest.raises((AddressNotAllowed, InvalidInput)):
        await http(allow=())(f"http://{host}/")


@pytest.mark.parametrize("entry", ["127.0.0.1", "127.0.0.0/8", "localhost"])
async def test_what_the_setting_names_may_be_reached(server, entry):
    """An address, a network or a host name can be allowed."""
    host = "localhost" if entry == "localhost" else "127.0.0.1"
    assert (await http(allow=(entry,))(f"http://{host}:{server.port}/")).status == 200


@pytest.fixture
def names(monkeypatch):
    """Names and the addresses they have, one lookup after the other."""
    known: dict[str, list[str]] = {}
    real = asyncio.BaseEventLoop.getaddrinfo

    async def getaddrinfo(self, host, port, **fields):
        if host in known:
            host = known[host].pop(0)
        return await real(self, host, port, **fields)

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)
    return known


async def test_a_name_that_leads_to_a_private_address_is_refused(names, server):
    """A public name with a private address is refused, and nothing is sent."""
    names["public.example"] = ["127.0.0.1"]
    with pytest.raises(AddressNotAllowed, match=r"'public.example' is 127\.0\.0\.1"):
        await http(allow=())(f"http://public.example:{server.port}/")
    assert server.requests == []


async def test_the_address_that_was_checked_is_the_one_connected_to(names, server):
    """A name that has another address a moment later leads nowhere else: it is looked up once."""
    names["changing.example"] = ["127.0.0.1", "127.0.0.9"]
    await http(allow=("127.0.0.1",))(f"http://changing.example:{server.port}/")
    assert names["changing.example"] == ["127.0.0.9"]
    assert server.requests[0].headers["host"] == f"changing.example:{server.port}"


@pytest.mark.parametrize("dead", [["127.0.0.9"], ["127.0.0.9", "127.0.0.8"], ["::1"]])
async def test_a_host_with_a_dead_address_is_reached_at_another(monkeypatch, server, dead):
    """The addresses of a host are tried one after the other, and the body is sent once."""

    async def getaddrinfo(host, port, **more):
        return [(0, 0, 0, "", (address, port)) for address in [*dead, "127.0.0.1"]]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    await http(allow=("dual.example",))(f"http://dual.example:{server.port}/", method="POST", body="once")
    assert [sent.body for sent in server.requests] == [b"once"]


async def test_no_address_is_tried_that_is_not_allowed(monkeypatch, server):
    """Of a host's addresses only the allowed ones are connected to, also when these are dead."""

    async def getaddrinfo(host, port, **more):
        return [(0, 0, 0, "", (address, port)) for address in ["127.0.0.9", "127.0.0.1"]]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    with pytest.raises(Unreachable):
        await http(allow=("127.0.0.9",))(f"http://dual.example:{server.port}/")
    assert server.requests == []


async def test_a_redirect_is_followed(server):
    """The answer is that of the address it leads to."""
    answering(server, Answer(302, {"Location": "/there"}), Answer(200, body=b"here"))
    output = await http()(f"{server.url}/")
    assert (output.text, output.url) == ("here", f"{server.url}/there")


@pytest.mark.parametrize("status", [301, 302])
async def test_a_redirect_that_drops_the_body_is_no_success(server, status):
    """A POST that is sent on as a GET, as to a login page, has not arrived: it is not followed, and not tried again."""
    answering(server, Answer(status, {"Location": "/login"}), Answer(200))
    with pytest.raises(HttpFailed, match=f"answered {status}"):
        await http()(f"{server.url}/hook", method="POST", json_data={"done": True})
    assert [sent.path for sent in server.requests] == ["/hook"]


async def test_after_a_303_the_answer_is_got(server):
    """A POST answered 303 is posted once; the page it names is got without the body and what described it."""
    signing = {"127.0.0.1": SecretStr("key")}
    answering(server, Answer(303, {"Location": "/done"}), Answer(200, body=b"done"))
    output = await http(signing=signing)(f"{server.url}/hook", method="POST", json_data={"a": 1}, headers={"X-Key": "k"})
    posted, got = server.requests
    assert [(sent.method, sent.path) for sent in (posted, got)] == [("POST", "/hook"), ("GET", "/done")]
    assert {"content-type", "content-length", "x-signature-256"} & got.headers.keys() == set()
    assert (got.body, got.headers["x-key"], output.text) == (b"", "k", "done")


@pytest.mark.parametrize("status", [300, 301, 302, 304])
async def test_a_redirect_that_is_not_followed_is_final(server, status):
    """No further try is made of a POST whose answer leads elsewhere, or nowhere."""
    answering(server, Answer(status, {"Location": "/login"} if status in (301, 302) else {}))
    with pytest.raises(HttpRejected, match=f"answered {status}"):
        await http()(f"{server.url}/hook", method="POST", json_data={"done": True})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_expected_redirect_is_the_answer(server, status, method):
    """A redirect that is expected is not followed."""
    answering(server, Answer(status, {"Location": "/there"}), Answer(200))
    output = await http()(f"{server.url}/", method=method, expected_status=[status])
    assert (output.status, output.headers["location"], len(server.requests)) == (status, "/there", 1)


@pytest.mark.parametrize("status", [307, 308])
async def test_a_redirect_that_keeps_the_body_is_followed(server, status):
    """A POST that is sent on as a POST arrives."""
    answering(server, Answer(status, {"Location": "/there"}), Answer(200))
    await http()(f"{server.url}/hook", method="POST", json_data={"done": True})
    assert [(sent.method, sent.path, sent.body) for sent in server.requests][1] == ("POST", "/there", b'{"done":true}')


async def test_a_redirect_to_a_private_address_is_refused(names, server):
    """Every hop is checked as the first one is."""
    names["public.example"] = ["127.0.0.1"]
    answering(server, Answer(302, {"Location": f"http://127.0.0.2:{server.port}/"}))
    with pytest.raises(AddressNotAllowed, match=r"127\.0\.0\.2"):
        await http(allow=("public.example",))(f"http://public.example:{server.port}/")
    assert len(server.requests) == 1


async def test_a_redirect_to_another_host_takes_no_headers_along(names, server):
    """A key for one host is not given to another; on the same one it stays."""
    names["other.example"] = ["127.0.0.1"]
    answering(server, Answer(302, {"Location": "/same"}), Answer(302, {"Location": f"http://other.example:{server.port}/"}), Answer())
    await http()(f"{server.url}/", headers={"X-Api-Key": "k", "Authorization": "Bearer k"})
    assert ["x-api-key" in sent.headers for sent in server.requests] == [True, True, False]
    assert ["authorization" in sent.headers for sent in server.requests] == [True, True, False]


async def test_redirects_are_bounded(server):
    """A circle of redirects ends."""
    answering(server, Answer(302, {"Location": "/again"}))
    with pytest.raises(InvalidInput, match="more than 2 times"):
        await http(redirects=2)(server.url)
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    "url",
    ["ftp://example.com/", "file:///etc/passwd", "example.com", "http://", "http://[::1", "http://a:b@example.com/", "http://a:99999/"],
)
def test_what_is_no_address_is_refused(url):
    """Only http and https, with a host, and without a password that would be written everywhere."""
    with pytest.raises(InvalidInput) as refused:
        http().check(url)
    assert refused.value.field == "url"


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding", "Connection", "TE", "Upgrade", "Keep-Alive", "Expect"])
def test_headers_of_the_connection_are_refused_by_name(name):
    """What frames a body or belongs to one connection is set when the request is sent; the refusal names it, without its value."""
    with pytest.raises(InvalidInput, match=rf"headers\.{name}: .*'{name}' belongs to the connection") as refused:
        http().check("https://example.com/", headers={name: "S3CRET"})
    assert "S3CRET" not in str(refused.value)


def test_two_bodies_are_refused():
    """A request has one body."""
    with pytest.raises(InvalidInput, match="Two bodies"):
        http().check("https://example.com/", body="a", json_data={})


def test_a_network_that_is_none_is_refused_at_the_start():
    """A slip of the pen in the setting shows when the application starts."""
    with pytest.raises(ConfigurationError, match=r"'10\.0\.0\.0/33'"):
        create_http_agent(HttpSettings(allow=("10.0.0.0/33",)), injector=Injector())
