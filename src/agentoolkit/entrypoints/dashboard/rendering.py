"""Render the dashboard's templates. No other file of the dashboard imports Jinja2."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any, cast

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from agentoolkit.entrypoints.dashboard import status_icons
from agentoolkit.entrypoints.dashboard.addresses import execution_address, job_address
from agentoolkit.entrypoints.dashboard.moments import PageClock, read_moment, span
from agentoolkit.entrypoints.dashboard.static import address_of
from agentoolkit.redaction import redacted, redacted_text
from agentoolkit.text import counted, printable_json

MAX_SHOWN = 20_000
"""Characters of one value that a page shows."""


@lru_cache
def environment() -> Environment:
    """Return the environment of the templates. Every value is escaped, except this package's own drawings."""
    made = Environment(
        loader=PackageLoader("agentoolkit.entrypoints.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update({"span": span, "shown": shown, "editable": editable, "words": redacted_text})
    drawn: dict[str, Callable[..., object]] = {
        "icon": status_icons.icon,
        "strip": status_icons.strip,
        "symbols": status_icons.symbols,
        "static": address_of,
        "job_address": job_address,
        "execution_address": execution_address,
        "counted": counted,
        "moment": moment,
    }
    made.globals.update(cast("dict[str, Any]", drawn))
    return made


def render(name: str, /, **values: Any) -> str:
    """Render a template."""
    return environment().get_template(name).render(**values)


def moment(iso: str | None, clock: PageClock) -> Markup:
    """Write a time relative to now, with the exact time on hover and for screen readers."""
    at = read_moment(iso)
    if at is None:
        return Markup('<span class="note">never</span>')
    exact = clock.exactly(at)
    return Markup('<time datetime="{0}" title="{1}">{2}<span class="hidden"> ({1})</span></time>').format(iso, exact, clock.away(at))


def read_object(text: str, named: str = "It") -> dict[str, Any]:
    """Read a JSON object from a form.

    Args:
        text: The field's text.
        named: Its name in messages.

    Raises:
        ValueError: The text is not a JSON object; the message says why.
    """
    try:
        read: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{named} is not JSON: {error}.") from None
    if not isinstance(read, dict):
        raise ValueError(f"{named} must be a JSON object, in braces.")
    return cast("dict[str, Any]", read)


def editable(value: Any) -> str:
    """Write a value as JSON for a form, with its secrets hidden."""
    return json.dumps(redacted(value), indent=2, ensure_ascii=False)


def shown(value: Any) -> str:
    """Write a value for a page, with its secrets hidden and at most `MAX_SHOWN` characters."""
    if isinstance(value, str):
        text = redacted_text(value)
    else:
        text = printable_json(redacted(json.loads(json.dumps(value, default=str))), indent=2)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}… ({len(text):,} characters)"
