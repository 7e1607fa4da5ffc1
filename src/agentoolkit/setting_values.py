"""Types of setting values, with their checks. Paths become absolute here, once, so a later change of folder or user has no effect."""

from __future__ import annotations

import os
import re
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://")
_ADDRESS = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+):(?=/|[^/]*@)")
"""An address with a scheme, however its slashes are written. Taken for a path, it would create folders named after a password."""
_WEB_ADDRESS = re.compile(r"https?://[^\s/]+")


def absolute(path: Path) -> Path:
    """Return an absolute path. Links are not resolved, because they may change later."""
    try:
        return Path(os.path.abspath(path.expanduser()))
    except RuntimeError as error:  # '~nobody' names no user
        raise ValueError(str(error)) from error


def checked_program(name: str) -> str:
    """Return a program's bare name unchanged, and a path to a program as an absolute path."""
    return str(absolute(Path(name))) if os.sep in name or name.startswith("~") else name


def checked_database(named: str) -> str:
    """Return the location of a database: a PostgreSQL URL unchanged, a SQLite file as an absolute path.

    Raises:
        ValueError: It is another kind of URL, or names no file. The message does not quote it: it may hold a password.
    """
    if named.startswith(("postgresql://", "postgres://")):
        return named
    path = named.removeprefix("sqlite:///")
    if scheme := _ADDRESS.match(path):
        raise ValueError(f"{scheme['scheme']}:// is not supported; name a SQLite file, sqlite:///file or postgresql://…")
    if not path.strip() or path == ":memory:":
        raise ValueError("it names no file; leave it out to keep everything in memory")
    if "\0" in path:
        raise ValueError("a path has no null character")
    return str(absolute(Path(path)))


def checked_web_address(url: SecretStr) -> SecretStr:
    """Return an http:// or https:// address. Raises `ValueError`, without quoting it."""
    if not _WEB_ADDRESS.match(url.get_secret_value()):
        raise ValueError("it does not begin with http:// or https:// and a host")
    return _with_port(url)


def checked_network(named: str) -> str:
    """Return an IP address or a network. Raises `ValueError`."""
    return str(ip_network(named) if "/" in named else ip_address(named))


def checked_broker(url: SecretStr) -> SecretStr:
    """Return the address of a broker. Raises `ValueError`, without quoting it."""
    return _with_scheme(url, "redis", "rediss", "amqp", "amqps")


def checked_redis(url: SecretStr) -> SecretStr:
    """Return the address of a Redis server. Raises `ValueError`, without quoting it."""
    return _with_scheme(url, "redis", "rediss", "unix")


def _with_scheme(url: SecretStr, *schemes: str) -> SecretStr:
    found = _SCHEME.match(url.get_secret_value())
    if found is None or found["scheme"] not in schemes:
        raise ValueError(f"it does not begin with {', '.join(f'{scheme}://' for scheme in schemes)}")
    return _with_port(url)


def _with_port(url: SecretStr) -> SecretStr:
    """Return an address whose port is a number, if it has one. Otherwise each library would quote what stands there: part of a password."""
    try:
        _ = urlsplit(url.get_secret_value()).port
    except ValueError:
        raise ValueError("its port is no number; write /, ?, # and @ in a password as %2F, %3F, %23 and %40") from None
    return url


Count = Annotated[int, Field(le=2**53)]
"""A number of things, bytes or characters. Databases, JSON and Python's iterators take no more."""
Seconds = Annotated[float, Field(le=10 * 366 * 86_400)]
"""At most ten years, as the times of a job: clocks and dates overflow with more."""
Days = Annotated[float, Field(le=36_500)]
"""At most a century."""
LocalPath = Annotated[Path, AfterValidator(absolute)]
Network = Annotated[str, AfterValidator(checked_network)]
ProgramName = Annotated[str, AfterValidator(checked_program)]
