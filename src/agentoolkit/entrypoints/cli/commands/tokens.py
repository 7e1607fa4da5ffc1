"""``agentool token``: create, list and revoke bearer tokens."""

from __future__ import annotations

from typing import Annotated

import typer

from agentoolkit.entrypoints.cli.errors import ReportingCommand
from agentoolkit.entrypoints.cli.options import Json

token_app = typer.Typer(name="token", help="Bearer tokens of the API: create, list, revoke.", no_args_is_help=True)


@token_app.command(cls=ReportingCommand)
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its caller, who owns the tasks it creates.", show_default=False)],
    scope: Annotated[
        list[str] | None, typer.Option("--scope", help="read (default), write, approve or admin; may be repeated.", show_default=False)
    ] = None,
    days: Annotated[
        float | None, typer.Option("--days", help="Days after which it expires; never by default.", min=0.0, max=36_500.0)
    ] = None,
    json: Json = False,
) -> None:
    """Create a token and print it. It is shown only once: the database keeps its digest."""
    from datetime import timedelta
    from typing import Any, cast

    from agentoolkit.entrypoints.cli.printing import say
    from agentoolkit.entrypoints.cli.session import visit

    lifetime = timedelta(days=days) if days is not None else None
    token, text = visit(lambda kit: kit.tokens.create(name, cast("Any", scope or ["read"]), lifetime))
    if json:
        from json import dumps

        typer.echo(dumps({"token_id": token.token_id, "name": token.name, "scopes": sorted(token.scopes), "token": text}))
        return
    say(text)


@token_app.command("list", cls=ReportingCommand)
def list_(json: Json = False) -> None:
    """List tokens: the caller each stands for, its scopes, whether it is valid, and when it was last used."""
    from agentoolkit.entrypoints.cli.printing import present, print_table, say
    from agentoolkit.entrypoints.cli.session import visit

    tokens, now = visit(lambda kit: kit.tokens.list()), present()
    rows = [
        {
            "token_id": token.token_id,
            "name": token.name,
            "scopes": sorted(token.scopes),
            "state": "valid" if token.is_valid(now) else "revoked" if token.revoked_at else "expired",
            "created_at": token.created_at.isoformat(timespec="seconds"),
            "expires_at": token.expires_at and token.expires_at.isoformat(timespec="seconds"),
            "used_at": token.used_at and token.used_at.isoformat(timespec="seconds"),
            "revoked_at": token.revoked_at and token.revoked_at.isoformat(timespec="seconds"),
        }
        for token in tokens
    ]
    if json:
        from json import dumps

        typer.echo(dumps({"tokens": rows}, indent=2))
    elif not rows:
        say("No tokens. Make one: agentool token create NAME --scope write")
    else:
        head = ("id", "name", "scopes", "state", "created", "expires", "used", "revoked")
        print_table([tuple(" ".join(cell) if isinstance(cell, list) else cell or "" for cell in row.values()) for row in rows], head)


@token_app.command(cls=ReportingCommand)
def revoke(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="Its id, as `agentool token list` shows it.", show_default=False)],
) -> None:
    """Revoke a token: it is refused from now on."""
    from agentoolkit.entrypoints.cli.printing import say
    from agentoolkit.entrypoints.cli.session import visit

    token = visit(lambda kit: kit.tokens.revoke(token_id))
    say(f"Token {token.token_id} of {token.name} is revoked.")
