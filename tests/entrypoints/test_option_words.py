"""What is said of an option or an argument that cannot be read: in plain words, and by its own name."""

from __future__ import annotations

import pytest

from .conftest import Cli


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("history", "--limit", "many"), "history: Invalid value for '--limit' / '-n': it should be a whole number. See"),
        (("preview", "1 hour", "--count", "500"), "it should be less than or equal to 100. See"),
        (("schedule", "a", "1 hour", "metrics", "--max-retries", "x"), "'--max-retries': it should be a whole number. See"),
    ],
)
def test_what_an_option_takes_is_said_in_plain_words(cli: Cli, words: tuple[str, ...], said: str) -> None:
    """In one sentence, which ends, and not in those of a library."""
    assert said in cli(*words, code=2).stderr


@pytest.mark.parametrize(
    ("bounds", "said"), [(("2030", "x"), "agentool: FROM: '2030' is no time."), (("2030-01-01", "x"), "agentool: TO: 'x' is no time.")]
)
def test_an_argument_is_called_as_the_help_does(cli: Cli, bounds: tuple[str, str], said: str) -> None:
    """Not by the field that it sets."""
    cli.greeting()
    assert said in cli("backfill", "greeting", *bounds, code=2).stderr
