"""From text to words: the tokeniser of the natural-language grammar, and a cursor over its tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from agentool.errors import did_you_mean
from agentoolkit.system.scheduler.errors import InvalidSchedule

_TOKEN = re.compile(
    r"""(?P<iso>\d{4}-\d\d-\d\d(?:t\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)?(?![\d-]))
      | (?P<offset>[+-](?:0\d|1[0-4]):?[0-5]\d(?!\d))
      | (?P<clock>\d{1,2}:\d\d(?::\d\d)?(?![\d:]))
      | (?P<slash>\d+[/.]\d+[/.]\d+|\d+/\d+)
      | (?P<ordinal>\d+(?:st|nd|rd|th)(?![a-z]))
      | (?P<number>\d+(?:\.\d+)?)
      | (?P<zone>[a-z_]+(?:/[a-z0-9_+-]+)+)
      | (?P<word>[a-z]+(?:['-][a-z]+)*)
      | (?P<other>\S)""",
    re.VERBOSE,
)

_WORDS = """
    now in at on of the and from to between every each other daily hourly weekly monthly yearly today tonight tomorrow yesterday day
    days week weeks month months year years hour hours minute minutes second seconds weekday weekdays weekend noon midnight next this
    last first third fourth fifth end after half quarter monday tuesday wednesday thursday friday saturday sunday january february
    march april may june july august september october november december"""

VOCABULARY = tuple(_WORDS.split())
"""The words people are most likely to have meant."""

_BETTER_SAID = {
    "biweekly": "Write 'every 2 weeks', or name two days, e.g. 'every monday and thursday'.",
    "fortnightly": "Write 'every 2 weeks'.",
    "bimonthly": "Write '0 0 1 */2 *' for every other month, or e.g. '1st and 15th of the month'.",
    "quarterly": "Write '0 0 1 */3 *' for the first day of January, April, July and October.",
}
"""Words of which the nearest one that is known means something else."""


@dataclass(frozen=True, slots=True)
class Token:
    """One word, number or sign; ``kind`` is the name of its pattern."""

    kind: str
    text: str


@dataclass(slots=True)
class Cursor:
    """Reads tokens from left to right; it never goes back.

    Attributes:
        source: The text as it was given, for messages.
        now: The present in the zone the text is read in (aware).
        tokens: What is to be read.
        remarks: What the grammar decided on the way.
    """

    source: str
    now: datetime
    tokens: list[Token]
    remarks: list[str]
    place: int = 0

    def peek(self, ahead: int = 0) -> Token:
        """Return a token without taking it; an empty one after the end."""
        place = self.place + ahead
        return self.tokens[place] if place < len(self.tokens) else _END

    def at_end(self) -> bool:
        """Whether all tokens are taken."""
        return self.place >= len(self.tokens)

    def sees(self, *words: str) -> bool:
        """Whether the next tokens are exactly these words."""
        return all(self.peek(index).text == word for index, word in enumerate(words))

    def take(self, *words: str) -> bool:
        """Take the next tokens when they are exactly these words."""
        found = self.sees(*words)
        self.place += len(words) if found else 0
        return found

    def take_one_of(self, *words: str) -> str | None:
        """Take and return the next token when it is one of these words."""
        return self.next().text if self.peek().text in words and not self.at_end() else None

    def next(self) -> Token:
        """Take and return the next token."""
        token = self.peek()
        self.place += 1
        return token

    def remark(self, sentence: str) -> None:
        """Keep a sentence for the answer."""
        if sentence not in self.remarks:
            self.remarks.append(sentence)

    def refusal(self, problem: str, remedy: str) -> InvalidSchedule:
        """Return the refusal of this text, to be raised."""
        return InvalidSchedule(f"{problem}.", field="schedule", value=self.source, remedy=remedy)

    def unexpected(self) -> InvalidSchedule:
        """Return the refusal of the next token, which fits nowhere, with the nearest word that would."""
        token = self._stranger() if self.place == 0 else self.peek()
        if token is _END:
            return self.refusal(f"{self.source.strip()!r} ends too early", EXAMPLES)
        if token.text in ("-", "+") and self.peek(1).kind == "number":
            return self.refusal("a length of time carries no sign", "Write e.g. '5 minutes' or 'in 5 minutes'.")
        if token.kind == "slash":
            return self.refusal(f"{token.text!r} {_date_readings(token.text)}", "Write the date as '2026-12-25'.")
        if token.text in VOCABULARY:
            where = f"out of place after {self._read_so_far()!r}" if self.place else "no time by itself"
            return self.refusal(f"{token.text!r} is {where}", EXAMPLES)
        near = did_you_mean(token.text, VOCABULARY) if token.kind == "word" else ""
        remedy = _BETTER_SAID.get(token.text, near if near.startswith("Did") else EXAMPLES)
        return self.refusal(f"{token.text!r} is not understood", remedy)

    def _stranger(self) -> Token:
        """Return the first word that no phrase has; the first token when there is none."""
        return next((token for token in self.tokens if token.kind == "word" and token.text not in VOCABULARY), self.peek())

    def _read_so_far(self) -> str:
        return " ".join(token.text for token in self.tokens[: self.place])


EXAMPLES = "Write e.g. 'in 30 minutes', 'tomorrow at 14:00', 'every weekday at 9am', 'every 5 minutes' or '0 9 * * 1-5'."

_END = Token("end", "")


def tokenise(text: str) -> list[Token]:
    """Split ASCII text into tokens, whatever its case."""
    return [Token(str(found.lastgroup), found.group()) for found in _TOKEN.finditer(text.casefold())]


def _date_readings(text: str) -> str:
    """Name what ``03/04/2027`` may mean."""
    first, second, *_ = (int(part) for part in text.replace(".", "/").split("/"))
    readings = [f"{day} {_MONTHS[month - 1]}" for day, month in ((first, second), (second, first)) if 1 <= month <= 12 and 1 <= day <= 31]
    if len(readings) == 2 and first != second:
        return f"is ambiguous: {readings[0]} or {readings[1]}"
    meant = f" ({readings[0]}, if day and month are what they seem)" if readings else ""
    return f"is a date in a national form{meant}"


_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December")
