"""The tokeniser of the grammar in words, and a cursor over its tokens."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from datetime import datetime, time
from functools import lru_cache

from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules.words.day_names import NAME_WORDS
from agentoolkit.system.scheduler.schedules.words.vocabulary import MONTH_NAMES, UNIT_MONTHS, UNIT_SECONDS, VOCABULARY

KNOWN_WORDS = VOCABULARY | NAME_WORDS
"""Words that are never refused as unknown."""

_TOKEN = re.compile(
    r"""(?P<iso>\d{4}-\d\d-\d\dt\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?|\d{4}([-/.])\d\d?\2\d\d?(?![\d/-]))
      | (?P<offset>[+-](?:0\d|1[0-4]):?[0-5]\d(?!\d))
      | (?P<clock>\d{1,2}:\d\d(?::\d\d)?(?![\d:]))
      | (?P<slash>\d+[/.]\d+[/.]\d+|\d+/\d+|\d\d?-\d\d?-\d{4}(?!\d))
      | (?P<month>(?:19|20)\d\d-(?:0[1-9]|1[0-2])(?![\d:-]))
      | (?P<quarter>(?:\d\d|\d{4})?q[1-4](?!\w))
      | (?P<ordinal>\d+(?:st|nd|rd|th)(?![a-z]))
      | (?P<number>\d+(?:\.\d+)?)
      | (?P<zone>[a-z_]+(?:/[a-z0-9_+-]+)+)
      | (?P<word>[a-z]+(?:['-][a-z]+)*)
      | (?P<other>\S)""",
    re.VERBOSE,
)
_DOTTED_HALF = re.compile(r"(?<![a-z])([ap])\.\s?m(?:\.|\b)")
"""``a.m.`` and ``p. m.``"""

_HOURS_H = re.compile(r"(?<!in )\b([01]?\d|2[0-3])h([0-5]\d)\b(?!\s?(?:m|min|minutes?|s|sec|seconds?)\b)")
"""``15h30``"""
_OCLOCK = re.compile(r"\bo\s?clock\b")
_SHORT_HALF = re.compile(r"(?<=:\d\d)([ap])\b(?!\.?m)")
"""``3:20p``"""
_MONTH = f"(?:{'|'.join(name[:3] for name in MONTH_NAMES)})[a-z]*"
_UTC_OFFSET = re.compile(r"\b(?:utc|gmt)\s?([+-])(\d{1,2})(?::?([0-5]\d))?\b")
"""``UTC+2``, two hours ahead."""
_WEEKDAY = "(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*"
_NUMBER_OF_DAY = r"(?:[1-9]|[12]\d|3[01])"
_NO_DATE = rf"\s?(?:[:.]\d|(?:[ap]m|o'clock|{'|'.join((*UNIT_SECONDS, *UNIT_MONTHS))})\b)"
"""What follows a number that is no day of the month: ``day 9 am``, ``a day 3 hours``."""
_REWRITTEN = (
    (re.compile(r"\bat (\d{1,2})([ap])\b(?!\.?m)\.?"), r"at \1 \2m"),  # at 3p
    (re.compile(r"(?<=\bat )([01]?\d|2[0-3])\.([0-5]\d)\b(?!\.)"), r"\1:\2"),  # at 23.00
    (re.compile(rf"\b(at|{_WEEKDAY}|\w+day|\d{{4}}) ([01]?\d|2[0-3])h\b(?!\s?\d)"), r"\1 \2:00"),  # at 19h
    (re.compile(r"(?<=\d:\d\d)h\b"), ""),  # 17:00h
    (re.compile(r"\b(\d{1,2})\.([0-5]\d)(?=\s?[ap]m\b)"), r"\1:\2"),  # 10.30am
    (re.compile(r"\b(?:right|just) now\b"), "now"),
    (re.compile(r"\bmid day\b"), "midday"),
    (re.compile(r"\bpair of\b"), "couple of"),
    (re.compile(r"(?<=[a-z])'(?=s\b)|(?<=s)'(?=\s|$)"), ""),  # valentine's, all saints'
    (re.compile(r"\b(?:st\.?(?= [a-z])|ste\.)"), "saint"),
    (re.compile(r"\bjr\."), "jr"),
    (re.compile(r"(?<=[+-]\d\d:\d\d) \([a-z ]+\)$"), ""),  # gmt+0100 (central european standard time), as JavaScript writes it
    (re.compile(r"\b((?:minute|hour|day|week|month|year)s?) time\b"), r"\1"),  # in 2 weeks' time
    (re.compile(r"\b(?:this|same) time (?=tomorrow|next)"), ""),
    (
        re.compile(r"(?<= \d\d) (\d\d:\d\d:\d\d)((?: [a-z]{1,4})?) (\d{4})$"),
        r" \3 \1\2",
    ),  # oct 26 11:00:09 2027, as ctime and date write it
    (re.compile(r"[ ,]*\b(?:(?:from|as of) now on|effective (?:now|immediately))\b,?"), ""),
    (re.compile(r"(?<=\bstarting) immediately\b"), " now"),
    (re.compile(r"\b(?:as of|effective)\b"), "from"),
    (re.compile(r"\bcurrent\b"), "this"),
    (re.compile(r"\beveryday\b"), "every day"),
    *((re.compile(rf"\beo{unit[0]}\b"), f"end of {unit}") for unit in ("week", "month", "quarter", "year")),
    (re.compile(r"\bevery single\b"), "every"),
    (re.compile(r"\bwork(?:ing)?\s?(days?)\b"), r"business \1"),
    (re.compile(r"\bat the (end|start|beginning) of\b"), r"the \1 of"),
    (re.compile(r"\bstart of\b"), "beginning of"),
    (re.compile(r"\bpenultimate\b|\b(?:last but one|second to last)\b"), "second last"),
    (
        re.compile(rf"(?:(?:(?<=\bon )|(?<=\bthe )|^\s*)day ({_NUMBER_OF_DAY})\b(?!{_NO_DATE})|\bday ({_NUMBER_OF_DAY})(?= of\b))"),
        r"\1\2th",
    ),  # on day 15, day 15 of every month
    (re.compile(rf"\b({_WEEKDAY})/(?={_WEEKDAY})"), r"\1 and "),  # tue/thu
    (re.compile(rf"(?<=\bat )([01]?\d|2[0-3]) ([0-5]\d)\b(?!\s?(?:[:/.-]|st|nd|rd|th|of\b|{_MONTH}))"), r"\1:\2"),  # at 3 15
)
"""Synonyms, and their form in the grammar."""
_DASHED = re.compile(r"(?<![\d:h])\d{1,4}\s*-\s*\d{1,4}(?:\s*-\s*\d{1,4})?(?![\d:h])")
_ABBREVIATED = re.compile(r"(?<=[a-z]{3})\.(?=[\s,]|$)")
"""The full stop of ``Sun.``"""
_JOINED = re.compile(rf"(?<=\d)[-/](?={_MONTH}\b)|(?<=[a-z])[-/](?=\d{{1,4}}\b(?!:))|(?<=\d)-(?=\d{{4}}\b)")
"""The signs within ``10/Aug/2012`` and ``August-10-2012``."""
_NAMES_MONTH = re.compile(rf"(?<![a-z/]){_MONTH}[-/]\d|\d[-/]{_MONTH}")

_PLAIN = {"−": "-", "‘": "'", "’": "'", "“": '"', "”": '"'}


@dataclass(frozen=True, slots=True)
class TextToken:
    """One word, number or sign; ``kind`` is the name of its pattern."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class DayParts:
    """The times of morning, noon, afternoon, evening and night."""

    morning: time = time(9)
    noon: time = time(12)
    afternoon: time = time(15)
    evening: time = time(18)
    night: time = time(21)


@dataclass(slots=True)
class Cursor:
    """Reads tokens from left to right, without going back.

    Attributes:
        source: The given text, for messages.
        now: The current time in the zone of the text (aware).
        tokens: The tokens.
        remarks: The decisions of the grammar.
        parts: The times of ``morning`` … ``night``.
        bare_times: The times of day without am or pm, and their text.
        is_elapsed: True if only a length of time from now was named, which is the same in every zone.
        zone: The zone at the end of the text; empty if there is none.
        lone_part: The part of the day that was read by itself; a time of day that follows is one of it.
        small_hour: A time after midnight that was named as night: that of the named day, or of the next one.
    """

    source: str
    now: datetime
    tokens: list[TextToken]
    remarks: list[str]
    parts: DayParts = DayParts()
    place: int = 0
    bare_times: dict[time, str] = field(default_factory=dict[time, str])
    is_elapsed: bool = False
    zone: str = ""
    small_hour: time | None = None
    lone_part: str | None = None

    def peek(self, ahead: int = 0) -> TextToken:
        """Return a token without taking it; an empty token after the end."""
        place = self.place + ahead
        return self.tokens[place] if place < len(self.tokens) else _END

    def at_end(self) -> bool:
        """Tell whether all tokens are taken."""
        return self.place >= len(self.tokens)

    def sees(self, *words: str) -> bool:
        """Tell whether the next tokens are exactly these words."""
        for place, word in enumerate(words, self.place):  # noqa: SIM110  `all` takes three times as long, forty times a text
            if place >= len(self.tokens) or self.tokens[place].text != word:
                return False
        return True

    def take(self, *words: str) -> bool:
        """Take the next tokens if they are exactly these words."""
        found = self.sees(*words)
        self.place += len(words) if found else 0
        return found

    def take_one_of(self, *words: str) -> str | None:
        """Take and return the next token if it is one of these words; else None."""
        return self.next().text if self.peek().text in words and not self.at_end() else None

    def next(self) -> TextToken:
        """Take and return the next token."""
        token = self.peek()
        self.place += 1
        return token

    def remark(self, sentence: str) -> None:
        """Add a remark to the answer, once."""
        if sentence not in self.remarks:
            self.remarks.append(sentence)

    def refusal(self, problem: str, remedy: str) -> InvalidSchedule:
        """Return the refusal of this text, to be raised."""
        return InvalidSchedule(f"{problem}.", field="schedule", value=self.source, remedy=remedy)

    def words(self, start: int = 0, end: int | None = None) -> str:
        """Return the words of some tokens, as the grammar has them."""
        return " ".join(token.text for token in self.tokens[start:end]).replace(" ,", ",")

    def either(self, problem: str, *texts: str) -> InvalidSchedule:
        """Return the refusal of a text that may mean each of these, to be raised."""
        return self.refusal(problem, f"Write {' or '.join(repr(f'{text} {self.zone}'.strip()) for text in dict.fromkeys(texts))}.")

    def unexpected(self) -> InvalidSchedule:
        """Return the refusal of the next token, which fits nowhere. An unknown word is named first."""
        rest = self.tokens[self.place :]
        unknown = [token for token in rest if token.kind == "word" and token.text not in KNOWN_WORDS]
        token = [*unknown, *(token for token in rest if token.kind == "slash"), self.peek()][0]
        if token is _END:
            return self.refusal(f"{self.source.strip()!r} ends too early", EXAMPLES)
        if token.kind == "slash":
            return self.refusal(f"{token.text!r} {_date_readings(token.text)}", "Write the date as '2026-12-25'.")
        if dashed := _DASHED.search(self.source):
            remedy = "Write the date as '2026-12-25', or the times as 'from 9:00 to 17:00'."
            return self.refusal(f"{dashed[0]!r} may be a date in a national form, or a span", remedy)
        behind_clock = self.place > 0 and self.tokens[self.place - 1].text in ("am", "pm")
        if token.text in ("-", "+") and self.peek(1).kind == "number" and not behind_clock:
            return self.refusal("a length of time carries no sign", "Write e.g. '5 minutes' or 'in 5 minutes'.")
        if token.kind == "word" and token.text not in KNOWN_WORDS:
            return self.refusal(f"{token.text!r} is not understood", EXAMPLES)
        if self.place == 0 and token.kind != "word":
            return self.refusal(f"{token.text!r} is not understood", EXAMPLES)
        where = f"out of place after {_as_written(self.source, self.words(0, self.place))!r}" if self.place else "no time by itself"
        return self.refusal(f"{_as_written(self.source, token.text)!r} is {where}", EXAMPLES)


EXAMPLES = "Write e.g. 'in 30 minutes', 'tomorrow at 14:00', 'every weekday at 9am', 'every 5 minutes' or '0 9 * * 1-5'."

_END = TextToken("end", "")


def _as_written(source: str, words: str) -> str:
    """Return words of the grammar as the text has them: what stands for another word is that word again."""
    said, was = source.casefold(), dict[str, str]()
    for shape, instead in _REWRITTEN:
        was |= {found.expand(instead).strip(): found[0].strip() for found in shape.finditer(said)}
        said = shape.sub(instead, said)
    for made, text in was.items():
        if made and words != made and words not in source.casefold() and re.search(rf"\b{re.escape(words)}\b", made):
            return text
        words = words.replace(made, text) if made else words
    return words


def plain(text: str) -> str:
    """Replace typographic blanks, dashes and quotes by their ASCII forms."""
    if text.isascii():
        return text
    signs = {**_PLAIN, **{sign: {"Zs": " ", "Pd": "-"}[kind] for sign in set(text) if (kind := unicodedata.category(sign)) in ("Zs", "Pd")}}
    return "".join(signs.get(character, character) for character in text)


def tokenise(text: str) -> list[TextToken]:
    """Split ASCII text into tokens, ignoring case."""
    return list(_tokens(text))


def count_known(text: str) -> int:
    """Return how many of a text's words are words of the grammar."""
    return sum(word in KNOWN_WORDS for word in re.findall(r"[^\W\d_]+", text.casefold()))


@lru_cache(maxsize=1024)
def _tokens(text: str) -> tuple[TextToken, ...]:
    """Return the tokens of a text. Cached, because forty expressions search for synonyms, and most texts come again."""
    said = _DOTTED_HALF.sub(r"\1m", text.casefold()).replace("@", "at ")
    said = _ABBREVIATED.sub("", _SHORT_HALF.sub(r" \1m", _OCLOCK.sub("o'clock", said)))
    said = _UTC_OFFSET.sub(lambda found: f"{found[1]}{int(found[2]):02}:{found[3] or '00'}", _HOURS_H.sub(r"\1:\2", said))
    for shape, instead in _REWRITTEN:
        said = shape.sub(instead, said)
    if _NAMES_MONTH.search(said):
        said = _JOINED.sub(" ", said)
    return tuple(TextToken(str(found.lastgroup), found.group()) for found in _TOKEN.finditer(said))


def national_readings(text: str) -> list[tuple[int, int]]:
    """Return the day and month that ``03/04/2027`` or ``25.12.`` may mean: two pairs, one or none."""
    first, second, *_ = map(int, re.split(r"[/.-]", text))
    return [(day, month) for day, month in dict.fromkeys(((first, second), (second, first))) if 1 <= month <= 12 and 1 <= day <= 31]


def _date_readings(text: str) -> str:
    """Describe the readings of ``03/04/2027``."""
    readings = [f"{day} {MONTH_NAMES[month - 1].capitalize()}" for day, month in national_readings(text)]
    if len(readings) == 2:
        return f"is ambiguous: {readings[0]} or {readings[1]}"
    meant = f" ({readings[0]}, if day and month are what they seem)" if readings else ""
    return f"is a date in a national form{meant}"
