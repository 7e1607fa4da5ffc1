"""A text is shortened without leaving a part of a secret at the cut."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agentool.secrets_here import REDACTED, beginning_of, end_of, secrets_here, without_cut_beginning, without_cut_end

SECRET = "sk-live-ABCDEFGH-ÄÖÜ-0123456789"
MOST = 100


@pytest.fixture(autouse=True)
def secret() -> Iterator[None]:
    token = secrets_here.set((SECRET,))
    yield
    secrets_here.reset(token)


def parts(text: str) -> list[str]:
    """Return what is in a text of the secret, four characters at a time."""
    return [part for start in range(len(SECRET) - 3) if (part := SECRET[start : start + 4]) in text.replace(SECRET, "")]


@pytest.mark.parametrize("before", range(MOST - len(SECRET) - 2, MOST + 2))
def test_no_part_stays_wherever_the_cut_falls(before: int) -> None:
    """Neither in the beginning nor in the end of a text; a secret that is whole is left to whoever hides whole ones."""
    text = "." * before + SECRET + "." * before
    assert (parts(beginning_of(text, MOST)), parts(end_of(text, MOST))) == ([], [])


def test_what_is_not_cut_stays() -> None:
    """A text that fits is given as it is, also where it ends like the beginning of a secret."""
    assert (beginning_of("see sk-live", MOST), end_of("6789 is it", MOST)) == ("see sk-live", "6789 is it")


@pytest.mark.parametrize("cut", range(1, len(SECRET.encode())))
def test_half_a_character_hides_no_part(cut: int) -> None:
    """Bytes may be cut within a character, of which decoding makes another one."""
    written = SECRET.encode()
    assert parts(without_cut_end(written[:cut].decode(errors="replace"))) == []
    assert parts(without_cut_beginning(written[cut:].decode(errors="replace"))) == []


def test_the_longest_part_of_several_is_hidden() -> None:
    """Of secrets that begin alike, and of one in which its own beginning comes again."""
    assert without_cut_end("x abcabca", ("abcabcabd", "abcabx")) == f"x {REDACTED}"
    assert without_cut_beginning("dbacbacba x", ("ydbacbacba", "zbacba")) == f"{REDACTED} x"


def test_a_large_secret_costs_little() -> None:
    """A million characters that almost fit take no longer than reading them."""
    assert without_cut_end("a" * 1_000_000, ("a" * 999_999 + "b",)) == "a" + REDACTED
