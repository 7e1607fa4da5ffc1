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


def test_a_token_that_has_expired_already_is_refused(cli: Cli) -> None:
    """Nobody could use it."""
    assert "--days: It would have expired already." in cli("token", "create", "maria", "--days", "0", code=2).stderr


def test_a_list_says_which_tokens_are_valid(cli: Cli) -> None:
    """By a word, for times alone do not say it."""
    made = [json.loads(cli("token", "create", "maria", "--days", days, "--json").stdout) for days in ("0.0000001", "1", "1")]
    cli("token", "revoke", made[1]["token_id"])
    states = {token["token_id"]: token["state"] for token in cli.data("token", "list")["tokens"]}
    assert [states[token["token_id"]] for token in made] == ["expired", "revoked", "valid"]
