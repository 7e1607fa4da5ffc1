"""Secrets that must not be shown."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit


def without_password(text: str) -> str:
    """Hide the password in a URL; anything else stays as it is."""
    if "://" not in text:
        return text
    parts = urlsplit(text)
    user, separator, host = parts.netloc.rpartition("@")
    if separator:
        user = user.partition(":")[0] + ":***" if ":" in user else user
    query = "&".join(_without_value(pair) for pair in parts.query.split("&")) if parts.query else ""
    return urlunsplit(parts._replace(netloc=f"{user}{separator}{host}", query=query))


def without_path(url: str) -> str:
    """Hide everything of a URL but its host: the path of a ping address is its password."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}/…"


def _without_value(pair: str) -> str:
    name, _, value = pair.partition("=")
    return f"{name}=***" if value and any(word in name.lower() for word in ("password", "secret", "token", "key")) else pair
