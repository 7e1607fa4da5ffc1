"""The words of the grammar: names, units, numbers."""

from __future__ import annotations

WEEKDAY_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTH_NAMES = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december",
)  # fmt: skip

WEEKDAYS = {
    **{name: index for index, name in enumerate(WEEKDAY_NAMES)},
    **{name[:3]: index for index, name in enumerate(WEEKDAY_NAMES)},
    "tues": 1,
    "weds": 2,
    "thur": 3,
    "thurs": 3,
}
MONTHS = {
    **{name: index for index, name in enumerate(MONTH_NAMES, 1)},
    **{name[:3]: index for index, name in enumerate(MONTH_NAMES, 1)},
    "sept": 9,
}

UNIT_SECONDS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3_600),
    **dict.fromkeys(("d", "day", "days"), 86_400),
    **dict.fromkeys(("w", "wk", "wks", "week", "weeks"), 604_800),
    **dict.fromkeys(("fortnight", "fortnights"), 1_209_600),
}
UNIT_MONTHS = {
    "month": 1,
    "months": 1,
    "quarter": 3,
    "quarters": 3,
    "qtr": 3,
    **dict.fromkeys(("year", "years", "yr", "yrs"), 12),
    **dict.fromkeys(("mo", "mos"), 1),
}

_ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
NUMBERS = {word: value for value, word in enumerate(_ONES.split())} | {word: 10 * value for value, word in enumerate(_TENS.split(), 2)}

_ORDINALS = """first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth
    seventeenth eighteenth nineteenth twentieth twenty-first twenty-second twenty-third twenty-fourth twenty-fifth twenty-sixth
    twenty-seventh twenty-eighth twenty-ninth thirtieth thirty-first"""
ORDINALS = {word: value for value, word in enumerate(_ORDINALS.split(), 1)}

POSITIONS = {
    **dict(list(ORDINALS.items())[:5]),
    **{name: number for number, name in enumerate(("1st", "2nd", "3rd", "4th", "5th"), 1)},
    "last": -1,
}
HALVES = ("am", "pm")
DAY_PARTS = ("morning", "afternoon", "evening", "night")
PARTS_AGAIN = tuple(f"{part}s" for part in DAY_PARTS)
"""Of every day, or of the weekdays before them."""
QUARTERS = ("quarter", "qtr")
VAGUE = ("about", "around", "approximately", "roughly")
EXACT = ("sharp", "exactly", "precisely", "please")
TIMES = {"once": 1, "twice": 2, "thrice": 3}

_OTHERS = """
    " now in at on of the and for from to between through - every each other daily hourly weekly monthly yearly annually today tonight
    tomorrow yesterday weekday weekdays weekend weekends business noon midday midnight next this coming last end after later hence
    out upcoming right before half quarters past ago until till starting beginning except but not a an couple times per
    thousand more fortnightly quarterly three-quarters o'clock utc gmt z"""

_OPENERS = ("every", "each", "now")

VOCABULARY = frozenset(
    {
        *_OTHERS.split(), *WEEKDAYS, *(f"{day}s" for day in WEEKDAYS), *MONTHS, *UNIT_SECONDS, *UNIT_MONTHS, *NUMBERS, *ORDINALS,
        *HALVES, *DAY_PARTS, *PARTS_AGAIN, *QUARTERS, *VAGUE, *EXACT, *TIMES, *_OPENERS,
    }
)  # fmt: skip
"""All words of the grammar, which are never refused as unknown."""
