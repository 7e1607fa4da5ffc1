"""Send HTTP requests to public addresses, and to hosts that the application allows."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal, cast
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, JsonValue
from pydantic_core import from_json
from typing_extensions import TypedDict, Unpack

from agentool.agentool import AgenTool, create_agentool
from agentool.base import BaseOperationInput
from agentool.context import RunContext
from agentool.core.injector import Injector
from agentool.errors import AgenToolError, InvalidInput, excerpt
from agentool.secrets_here import beginning_of
from agentoolkit.actions.addresses import AddressRules, check_allowed
from agentoolkit.actions.web import SIGNATURE, Answered, Asked, Web, framing_header, wrong_header
from agentoolkit.settings import HttpSettings

DEEPEST_JSON = 100
"""Deepest nesting of lists and objects for which an answer's JSON is returned as values."""
_SHOWN = 300
_MAX_WAIT = 86_400.0
_PASSING = frozenset({408, 425, 429})
"""Statuses below 500 for which a retry may succeed."""
_NOT_KEPT = frozenset({"set-cookie", "www-authenticate"})

Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


class HttpInput(BaseOperationInput):
    """Input of the http AgenTool."""

    operation: Literal["request"]
    method: Method | None = Field("GET", description="HTTP method")
    url: str | None = Field(None, description="http:// or https://, without a user and password")
    headers: dict[str, str] | None = Field(None, description="Request headers; dropped after a redirect to another host")
    json_data: JsonValue = Field(None, description="A body as JSON")
    body: str | None = Field(None, description="A body as text")
    timeout: float | None = Field(None, gt=0, description="Seconds for the whole request; at most, and by default, the setting's")
    expected_status: list[int] | None = Field(None, description="Statuses that mean success; by default 200 to 299")


class RequestOptions(TypedDict, total=False):
    """Fields of ``request`` besides the URL. Meanings: see `HttpInput`."""

    method: Method
    headers: dict[str, str]
    json_data: JsonValue
    body: str
    timeout: float
    expected_status: list[int]


class HttpOutput(BaseModel):
    """An answer with an expected status."""

    status: int
    url: str = Field(description="The last URL, after redirects")
    headers: dict[str, str] = Field(description="Names in lower case; cookies are left out")
    text: str
    data: Any = Field(default=None, description="The body, if it is JSON")
    truncated: bool = Field(description="True if the body was longer than the limit")
    duration: float = Field(description="Seconds")


class HttpFailed(AgenToolError, RuntimeError):
    """The answer has an unexpected status; a retry may succeed. ``status`` and ``text`` are the answer's."""

    status: int = 0
    text: str = ""
    retry_after: datetime | float | None = None
    """The server's time for a retry: a time, or seconds."""


class HttpRejected(HttpFailed, InvalidInput):
    """The server refuses this request, so no retry will succeed."""

    problems = ()


class HttpRules(HttpSettings):
    """The settings of requests, and the checks that turn a call into a request."""

    @property
    def web(self) -> Web:
        """The client that sends the requests."""
        return Web(AddressRules(self.allow), self.response_limit, self.redirects)

    def asked(self, call: HttpInput) -> Asked:
        """Turn a call into a request.

        Raises:
            InvalidInput: The URL is invalid, a header or the body cannot be sent, or two bodies are given.
            AddressNotAllowed: The URL names a forbidden address.
        """
        host = self._checked_host(call.url or "")
        headers = dict(call.headers or {})
        if (name := wrong_header(headers)) is not None:
            remedy = "A name is one word; a value is plain ASCII without line breaks, and without spaces at its ends."
            # Without the value, which may be a secret.
            raise InvalidInput(f"The header {name[:_SHOWN]!r} cannot be sent.", field=f"headers.{name}"[:_SHOWN], remedy=remedy)
        if (name := framing_header(headers)) is not None:
            problem = f"The header {name!r} belongs to the connection or frames the body."
            raise InvalidInput(problem, field=f"headers.{name}", remedy="Leave it out: it is set when the request is sent.")
        content = _content(call)
        if call.json_data is not None and not _named(headers, "Content-Type"):
            headers["Content-Type"] = "application/json"
        if (secret := self.signing.get(host)) is not None:
            digest = hmac.new(secret.get_secret_value().encode(), content or b"", hashlib.sha256).hexdigest()
            for name in _named(headers, SIGNATURE):
                del headers[name]
            headers[SIGNATURE] = f"sha256={digest}"
        timeout = min(call.timeout or self.timeout, self.timeout)
        final = frozenset(call.expected_status or ())
        return Asked(method=call.method or "GET", url=call.url or "", headers=headers, content=content, timeout=timeout, final=final)

    def _checked_host(self, url: str) -> str:
        try:
            parts = urlsplit(url)
            host, user = parts.hostname, parts.username
            _ = parts.port
        except ValueError as error:
            raise InvalidInput(f"{excerpt(url)} is not a URL: {error}.", field="url", value=url) from error
        if parts.scheme not in ("http", "https") or not host:
            remedy = "Write 'https://host/path'."
            raise InvalidInput(f"{excerpt(url)} is not an http:// or https:// address.", field="url", value=url, remedy=remedy)
        if user is not None:
            raise InvalidInput(
                "The URL contains a user name.",
                field="url",
                remedy="Give the header 'Authorization', with a reference: 'Bearer !ref:storage_kv:<key>'.",
            )
        AddressRules(self.allow).check_host(host)
        return host


async def http_request(ctx: RunContext[HttpRules], url: str, **more: Unpack[RequestOptions]) -> HttpOutput:
    """Send a request and return the answer, if its status is as expected.

    Raises:
        HttpRejected: The status says that the request is wrong (most of 400 to 499), or is a redirect that is not followed.
        HttpFailed: The status is unexpected; ``retry_after`` is the server's time for a retry.
        Unreachable, TooSlow: No answer came, or it cannot be read.
        AddressNotAllowed: A host, of the request or of a redirect, is neither public nor allowed.
    """
    call = HttpInput(operation="request", url=url, **more)
    answered = await ctx.deps.web.fetch(ctx.deps.asked(call))
    status, text = answered.status, answered.text
    is_expected = status in call.expected_status if call.expected_status else 200 <= status < 300
    if is_expected:
        return HttpOutput(
            status=status,
            url=answered.url,
            headers={name: value for name, value in answered.headers.items() if name not in _NOT_KEPT},
            text=text,
            data=_parse_json(answered),
            truncated=answered.truncated,
            duration=answered.duration,
        )
    rejected = 300 <= status < 500 and status not in _PASSING
    shown = beginning_of(text, _SHOWN)
    location = beginning_of(answered.headers.get("location", ""), _SHOWN) if status < 400 else ""
    to = f" to {location}, which was not followed" if location else ""
    problem = f"The server answered {status}{to}: {shown.strip() or 'nothing more'}"
    error = (HttpRejected if rejected else HttpFailed)(problem, field="url", value=url)
    error.status, error.text = status, shown
    error.retry_after = _read_retry_after(answered.headers.get("retry-after", ""))
    raise error


def check_request(rules: HttpRules, call: HttpInput) -> None:
    """Refuse a request, as far as that is possible without a DNS lookup."""
    if call.url is not None:
        rules.asked(call)


def create_http_agent(settings: HttpSettings | None = None, *, injector: Injector | None = None) -> AgenTool[HttpRules]:
    """Create the AgenTool ``http`` and register it.

    Args:
        settings: What requests may do; by default they reach public addresses.
        injector: The injector to register in; by default the current one.

    Raises:
        ConfigurationError: An allowed network is malformed.
    """
    rules = HttpRules(**dict(settings or {}))
    check_allowed(rules.allow)
    return create_agentool(
        "http",
        HttpInput,
        {"request": http_request},
        deps=rules,
        description="Sends HTTP requests to public addresses, and to hosts that the application allows.",
        precheck=check_request,
        examples=({"operation": "request", "method": "POST", "url": "https://example.com/hook", "json_data": {"done": True}},),
        injector=injector,
    )


def _named(headers: Mapping[str, str], name: str) -> list[str]:
    return [given for given in headers if given.lower() == name.lower()]


def _content(call: HttpInput) -> bytes | None:
    if call.json_data is not None and call.body is not None:
        raise InvalidInput("Two bodies were given.", field="body", remedy="Give either json_data or body.")
    if call.json_data is not None:
        try:
            return json.dumps(call.json_data, separators=(",", ":"), allow_nan=False).encode()
        except ValueError as error:
            remedy = "Give finite numbers; null or a text in place of others."
            raise InvalidInput("It has a number that JSON does not have.", field="json_data", remedy=remedy) from error
    try:
        return call.body.encode() if call.body is not None else None
    except UnicodeEncodeError as error:
        remedy = "Give text that can be written as UTF-8."
        raise InvalidInput(f"It has a lone surrogate at position {error.start}.", field="body", value=call.body, remedy=remedy) from error


def _parse_json(answered: Answered) -> Any:
    if answered.truncated or "json" not in answered.headers.get("content-type", ""):
        return None
    try:
        found = from_json(answered.text)  # the standard library would accept NaN, which cannot be stored
    except ValueError:
        return None
    level = [found]
    for _ in range(DEEPEST_JSON + 1):
        level = [inner for holder in level for inner in _children(holder)]
    return None if level else found


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return cast("dict[str, Any]", value).values()
    return cast("list[Any]", value) if isinstance(value, list) else ()


def _read_retry_after(text: str) -> datetime | float | None:
    if text.isascii() and text.isdigit():
        return min(float(text), _MAX_WAIT)
    try:
        time = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    # HTTP's times are UTC, with or without a zone.
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)
