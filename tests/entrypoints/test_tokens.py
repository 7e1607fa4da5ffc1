"""``agentool token``: made once, listed without its secret, revoked."""

from __future__ import annotations

import json

from .conftest import Cli


def test_a_token_is_shown_once(cli: Cli) -> None:
    """The list has whom it speaks for and its scopes, and nothing of its secret."""
    text = cli("token", "create", "maria", "--scope", "write", "--days", "30").stdout.strip()
    listed = cli("token", "list", "--json").stdout
    (token,) = json.loads(listed)["tokens"]
    assert (token["name"], token["scopes"], token["revoked_at"]) == ("maria", ["read", "write"], None)
    assert text.startswith(f"agt_{token['token_id']}_")
    assert text.rpartition("_")[2] not in listed


def test_a_token_is_revoked(cli: Cli) -> None:
    """By its id; an unknown one is refused."""
    made = json.loads(cli("token", "create", "maria", "--json").stdout)
    assert "is revoked" in cli("token", "revoke", made["token_id"]).stdout
    assert cli.data("token", "list")["tokens"][0]["revoked_at"] is not None
    assert "agentool token list" in cli("token", "revoke", "nobody", code=2).stderr


def test_a_scope_that_is_none_is_refused(cli: Cli) -> None:
    """With those there are."""
    assert "read, write, approve and admin" in cli("token", "create", "maria", "--scope", "all", code=2).stderr
