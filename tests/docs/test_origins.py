"""The page of origins names rooms that are there."""

from __future__ import annotations

import re

import pytest

from .pages import ROOT

PAGE = (ROOT / "docs" / "explanation" / "origins.md").read_text(encoding="utf-8")
ROOMS = sorted(set(re.findall(r"`([\w./-]+(?:\.py|\.md|/))`", PAGE)) - {"src/agentoolkit/"})


@pytest.mark.parametrize("room", ROOMS)
def test_room_of_a_promise_is_there(room: str) -> None:
    """Each file and folder that the page names exists."""
    assert (ROOT / "src" / "agentoolkit" / room).exists() or (ROOT / room).exists()


def test_every_promise_has_a_room_or_is_said_to_come_later() -> None:
    """Each row of the page names a room, or says *later*."""
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| promise") and "import" not in line]
    assert len(rows) > 60
    assert [row for row in rows if not re.search(r"`[\w./-]+(?:\.py|\.md|/)`|\*later\*", row.rpartition(" | ")[2])] == []
