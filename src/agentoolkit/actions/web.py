"""Send HTTP requests with limits on time, size and redirects, to checked addresses only. Only this file imports httpx2."""

from __future__ import annotations

import asyncio
import logging
import re
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentool.errors import AgenToolError, InvalidInput, excerpt
from agentool.secrets_here import without_cut_end
from agentoolkit.actions.addresses import AddressRules

if TYPE_CHECKING:
    from httpx2 import AsyncBaseTransport, AsyncClient, Request, Response

logger = logging.getLogger(__name__)

SIGNATURE = "X-Signature-256"
"""The header with the signature of a body."""
CONNECT_SECONDS = 3.0
"""Seconds that an address of a host gets to accept a connection, if another address is left to try."""
_FRAMING = frozenset(
    {"connection", "content-length", "expect", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"}
    | {"te", "trailer", "transfer-encoding", "upgrade"}
)
"""Headers that belong to one connection or frame the body; only the sending library may set them."""
_OF_A_BODY = ("content-type", "content-encoding", "content-language", "content-location", SIGNATURE)
"""Headers that mean nothing without their body."""
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"(?:[!-~]+(?:[ \t]+[!-~]+)*)?")
_CHARSETS = frozenset(
    {"utf-8", "utf8", "us-ascii", "ascii", "latin-1", "latin1", "shift-jis", "sjis", "euc-jp", "euc-kr", "gb2312", "gbk", "gb18030"}
    | {"big5", "big5-hkscs", "koi8-r", "koi8-u", "tis-620", "macintosh"}
    | {f"utf-{bits}{order}" for bits in (16, 32) for order in ("", "le", "be", "-le", "-be")}
    | {f"iso-8859-{part}" for part in range(1, 17) if part != 12}
    | {f"{maker}{page}" for maker in ("windows-", "cp") for page in range(1250, 1259)}
)
"""Accepted encodings of answers. Some other codecs of Python take very long or decode no text, and a server could name them."""


class Unreachable(AgenToolError, ConnectionError):
    """No answer came; a retry may succeed."""


class UnreadableAnswer(Unreachable):
    """The answer is damaged or cut short; a retry may succeed."""


class TooSlow(Unreachable, TimeoutError):
    """No answer came in time; a retry may succeed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request."""

    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes | None = None
    timeout: float
    """Seconds for the whole request, redirects included."""
    final: frozenset[int] = frozenset()
    """Redirect statuses that are returned and not followed."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A response, with its body up to the limit."""

    status: int
    url: str
    headers: Mapping[str, str]
    """Headers, names in lower case."""
    text: str
    truncated: bool
    duration: float


@dataclass(frozen=True, slots=True)
class Web:
    """Sends requests.

    Args:
        addresses: Checks every address, also after a redirect.
        response_limit: Bytes of a response's body that are read.
        redirects: Redirects that are followed.
    """

    addresses: AddressRules
    response_limit: int
    redirects: int

    async def fetch(self, asked: Asked) -> Answered:
        """Send a request and return the answer with any status.

        A redirect is followed if it keeps the method; a 303 is followed with GET.

        Raises:
            Unreachable, TooSlow: No answer came, or it cannot be read.
            AddressNotAllowed: A host, of the request or of a redirect, has no allowed address.
            InvalidInput: The request cannot be sent, or was redirected too often.
        """
        import httpx2

        began = time.monotonic()
        try:
            async with asyncio.timeout(asked.timeout):
                async with self._client() as client:
                    request = client.build_request(asked.method, asked.url, headers=dict(asked.headers), content=asked.content)
                    response, body, truncated = await self._follow(client, request, asked)
        except AgenToolError:
            raise  # some of them are an OSError or ValueError too, and must not be wrapped below
        except (TimeoutError, httpx2.TimeoutException) as error:
            raise TooSlow(f"It did not answer within {asked.timeout:g} s.", field="url", value=asked.url) from error
        except (httpx2.DecodingError, zlib.error) as error:
            raise UnreadableAnswer(f"Its answer cannot be decoded: {error}.", field="url", value=asked.url) from error
        except (httpx2.LocalProtocolError, httpx2.UnsupportedProtocol, httpx2.InvalidURL, ValueError) as error:
            raise InvalidInput(f"It cannot be sent: {str(error).rstrip('.')}.", field="url", value=asked.url) from error
        except (OSError, httpx2.TransportError) as error:
            raise Unreachable(f"It cannot be reached: {error or type(error).__name__}.", field="url", value=asked.url) from error
        headers = {name.lower(): value for name, value in response.headers.items()}
        text = body.decode(_codec(response.charset_encoding), errors="replace").removeprefix("\ufeff")
        text = without_cut_end(text) if truncated else text
        duration = time.monotonic() - began
        logger.debug("%s %s answered %d in %.3f s", asked.method, response.url.host, response.status_code, duration)
        return Answered(response.status_code, str(response.url), headers, text, truncated, duration)

    async def _follow(self, client: AsyncClient, request: Request, asked: Asked) -> tuple[Response, bytes, bool]:
        for _ in range(self.redirects + 1):
            response = await client.send(request, stream=True)
            following = response.next_request
            # A 301 or 302 may turn a POST into a GET of some page, whose 200 would look like success.
            is_other_call = following is not None and following.method != request.method and response.status_code != 303
            if following is None or is_other_call or response.status_code in asked.final:
                return response, *await self._read(response)
            await response.aclose()
            _drop_headers(following, request, asked)
            request = following
        problem = f"It was redirected more than {self.redirects} times."
        raise InvalidInput(problem, field="url", value=asked.url, remedy="Give the address it leads to.")

    async def _read(self, response: Response) -> tuple[bytes, bool]:
        body = bytearray()
        # A body may be packed although nobody asked for that; httpx2 would unpack it without a limit.
        packing = response.headers.get("content-encoding", "").strip().lower()
        is_packed = packing in ("gzip", "x-gzip")
        unpack = zlib.decompressobj(16 + zlib.MAX_WBITS) if is_packed else None
        async for chunk in response.aiter_raw() if unpack else response.aiter_bytes():
            if chunk and not is_packed and packing not in ("", "identity", "deflate"):
                problem = f"Its answer is packed as {excerpt(packing)}, which was not asked for and cannot be read."
                raise UnreadableAnswer(problem, field="url", value=str(response.url))
            body += unpack.decompress(chunk, self.response_limit + 1 - len(body)) if unpack else chunk
            if len(body) > self.response_limit:
                break
        else:
            if unpack is not None and body and not unpack.eof:
                raise UnreadableAnswer("Its answer was cut short.", field="url", value=str(response.url))
        await response.aclose()
        return bytes(body[: self.response_limit]), len(body) > self.response_limit

    def _client(self) -> AsyncClient:
        import httpx2

        # No proxy from the environment: it would connect to unchecked addresses. No kept connections: host names that
        # share an address must not share a connection.
        limits = httpx2.Limits(max_keepalive_connections=0)
        inner = httpx2.AsyncHTTPTransport(trust_env=False, limits=limits)
        headers = {"user-agent": "agentool", "accept-encoding": "identity"}
        return httpx2.AsyncClient(transport=_checking(self.addresses, inner), trust_env=False, timeout=None, headers=headers)


def _checking(addresses: AddressRules, inner: AsyncBaseTransport) -> AsyncBaseTransport:
    import httpx2

    class Checking(httpx2.AsyncBaseTransport):
        """Resolves each host once, checks its addresses, and connects to exactly these, in order."""

        async def handle_async_request(self, request: Request) -> Response:
            host = request.url.host
            port = request.url.port or (443 if request.url.scheme == "https" else 80)
            *others, last = await addresses.resolve(host, port)
            for address in others:
                try:
                    return await inner.handle_async_request(_numbered(request, address, CONNECT_SECONDS))
                except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                    logger.debug("%s does not answer at %s: %s", host, address, error)
            return await inner.handle_async_request(_numbered(request, last, None))

        async def aclose(self) -> None:
            await inner.aclose()

    return Checking()


def _numbered(request: Request, address: str, connect_seconds: float | None) -> Request:
    import httpx2

    timeout = {"connect": connect_seconds, "read": None, "write": None, "pool": None}
    extensions = {**request.extensions, "sni_hostname": request.url.host, "timeout": timeout}
    url = request.url.copy_with(host=address)
    return httpx2.Request(request.method, url, headers=request.headers, stream=request.stream, extensions=extensions)


def _drop_headers(following: Request, request: Request, asked: Asked) -> None:
    """Drop the caller's headers, such as a key, if the host changes, and headers of the body if it is not sent again."""
    own = tuple(asked.headers) if _origin(following) != _origin(request) else ()
    of_body = _OF_A_BODY if following.method != request.method else ()
    for name in (*own, *of_body):
        following.headers.pop(name, None)


def _origin(request: Request) -> tuple[str, str, int | None]:
    return request.url.scheme, request.url.host, request.url.port


def wrong_header(headers: Mapping[str, str]) -> str | None:
    """Return the name of a header that cannot be sent; None if all can. The HTTP library's own error would show its value."""
    return next((name for name, value in headers.items() if not (_NAME.fullmatch(name) and _VALUE.fullmatch(value))), None)


def framing_header(headers: Mapping[str, str]) -> str | None:
    """Return the name of a header that only the HTTP library may set, see `_FRAMING`; None if there is none."""
    return next((name for name in headers if name.lower() in _FRAMING), None)


def _codec(named: str | None) -> str:
    known = (named or "").lower().replace("_", "-")
    return known if known in _CHARSETS else "utf-8"
