"""German: ``jeden Montag um 9 Uhr``, ``alle 5 Minuten``, ``werktags um 8:30``."""

from __future__ import annotations

import re
from collections.abc import Callable

_DAYS = {
    "montag": "monday",
    "dienstag": "tuesday",
    "mittwoch": "wednesday",
    "donnerstag": "thursday",
    "freitag": "friday",
    "samstag": "saturday",
    "sonnabend": "saturday",
    "sonntag": "sunday",
}
_MONTHS = {
    "januar": "january",
    "janner": "january",
    "februar": "february",
    "marz": "march",
    "april": "april",
    "mai": "may",
    "juni": "june",
    "juli": "july",
    "august": "august",
    "september": "september",
    "oktober": "october",
    "november": "november",
    "dezember": "december",
}
_SHORT_DAYS = dict(zip(["mo", "di", "mi", "do", "fr", "sa", "so"], [*dict.fromkeys(_DAYS.values())], strict=True))
_PARTS = {"morgen": "morning", "vormittag": "morning", "nachmittag": "afternoon", "abend": "evening", "nacht": "night"}
_UNITS = {
    **dict.fromkeys(("sekunde", "sekunden"), "seconds"),
    **dict.fromkeys(("minute", "minuten"), "minutes"),
    **dict.fromkeys(("stunde", "stunden"), "hours"),
    **dict.fromkeys(("tage", "tagen"), "days"),
    "tag": "day",
    **dict.fromkeys(("woche", "wochen"), "weeks"),
    **dict.fromkeys(("monate", "monaten"), "months"),
    "monat": "month",
    "jahr": "year",
    **dict.fromkeys(("jahre", "jahren"), "years"),
}
_NUMBERS = dict(
    zip(["zwei", "drei", "vier", "funf", "sechs", "sieben", "acht", "neun", "zehn", "elf", "zwolf"], map(str, range(2, 13)), strict=True)
)
_PLACES = {
    f"{stem}{end}": place
    for stem, place in {"erst": "first", "zweit": "2nd", "dritt": "third", "viert": "fourth", "letzt": "last"}.items()
    for end in ("e", "er", "en")
}
_DAY_NAMES = {
    "neujahr": "new years day",
    "rosenmontag": "rose monday",
    "aschermittwoch": "ash wednesday",
    "karfreitag": "good friday",
    "ostern": "easter",
    "ostersonntag": "easter",
    "ostermontag": "easter monday",
    "christi himmelfahrt": "ascension day",
    "himmelfahrt": "ascension day",
    "pfingsten": "pentecost",
    "pfingstmontag": "whit monday",
    "tag der arbeit": "may day",
    "muttertag": "mothers day",
    "nikolaus": "saint nicholas day",
    "heiligabend": "christmas eve",
    "heilig abend": "christmas eve",
    "weihnachten": "christmas",
    "silvester": "new years eve",
}

_BESIDE = {"und": "and", "bis": "to", "wochen": "weeks on"}
_WHEN = {"morgen": "tomorrow", "ubermorgen": "day after tomorrow"}
_EVERY_NTH = {"zweite": "2nd", "dritte": "3rd", "vierte": "4th"}
_NTH_UNITS = {"minute": "minute", "stunde": "hour", "woche": "week"}
_OFTEN = {"einmal": "once", "zweimal": "twice", "dreimal": "three times", "viermal": "four times"}
_EACH = {
    **dict.fromkeys(("am tag", "pro tag"), "a day"),
    **dict.fromkeys(("in der woche", "pro woche"), "a week"),
    **dict.fromkeys(("im monat", "pro monat"), "a month"),
    **dict.fromkeys(("im jahr", "pro jahr"), "a year"),
}

WORDS: dict[str, str] = {
    **_DAYS,
    **_MONTHS,
    **_UNITS,
    **_NUMBERS,
    **_PLACES,
    **_DAY_NAMES,
    **_SHORT_DAYS,
    **{f"{day}s": f"every {english}" for day, english in _DAYS.items()},
    **{f"{joint} {day}s": f"{word} {english}" for joint, word in _BESIDE.items() for day, english in _DAYS.items()},
    **{f"{day}{part}": f"{english} {word}" for day, english in _DAYS.items() for part, word in _PARTS.items()},
    **{f"{when} {part}": f"{word} {english}" for when, word in _WHEN.items() for part, english in _PARTS.items()},
    **{f"{part}s": f"{english}s" for part, english in _PARTS.items()},
    **{f"uhr {part}s": f"in the {english}" for part, english in _PARTS.items()},
    **{f"{place} {unit}": f"{number} {english}" for place, number in _EVERY_NTH.items() for unit, english in _NTH_UNITS.items()},
    "jetzt": "now",
    "sofort": "now",
    "heute": "today",
    "heute abend": "tonight",
    "morgen": "tomorrow",
    "ubermorgen": "day after tomorrow",
    "morgen fruh": "tomorrow morning",
    "morgen abend": "tomorrow evening",
    **dict.fromkeys(("jeden", "jede", "jedes", "alle"), "every"),
    "jeden tag": "every day",
    "jede stunde": "every hour",
    "jede minute": "every minute",
    "jede woche": "every week",
    "jeden monat": "every month",
    "jeden morgen": "every morning",
    "jeden abend": "every evening",
    "jede nacht": "every night",
    "jedes jahr": "every year",
    "jedes quartal": "every quarter",
    "vierteljahrlich": "quarterly",
    **dict.fromkeys(("jedes monats", "jeden monats", "eines jeden monats"), "of every month"),
    "jedes quartals": "of every quarter",
    "jedes jahres": "of every year",
    **dict.fromkeys(("jede halbe stunde", "alle halbe stunde", "alle halben stunden"), "every 30 minutes"),
    **dict.fromkeys(("jede viertelstunde", "alle viertelstunde", "alle viertelstunden"), "every 15 minutes"),
    **dict.fromkeys(("zur vollen stunde", "stundlich zur vollen stunde", "jede volle stunde"), "hourly"),
    "in einer halben stunde": "in 30 minutes",
    "in einer viertelstunde": "in 15 minutes",
    "in einer dreiviertelstunde": "in 45 minutes",
    **dict.fromkeys(("anderthalb", "eineinhalb"), "1.5"),
    "heute nacht": "tonight",
    "heute mittag": "today at noon",
    "morgen mittag": "tomorrow at noon",
    "viertel nach": "quarter past",
    **dict.fromkeys(("viertel vor", "dreiviertel"), "quarter to"),
    "einmal": "once",
    "zweimal": "twice",
    "dreimal": "three times",
    "viermal": "four times",
    **{f"{often} {unit}": f"{word} {each}" for often, word in _OFTEN.items() for unit, each in _EACH.items()},
    "taglich": "daily",
    "stundlich": "hourly",
    "wochentlich": "weekly",
    "monatlich": "monthly",
    "jahrlich": "yearly",
    "werktags": "weekdays",
    "jeden werktag": "every weekday",
    **dict.fromkeys(("wochentags", "an werktagen", "an arbeitstagen", "an wochentagen", "unter der woche"), "weekdays"),
    "jeden arbeitstag": "every weekday",
    **dict.fromkeys(("werktag", "arbeitstag"), "weekday"),
    **dict.fromkeys(("am wochenende", "jedes wochenende", "an wochenenden"), "every weekend"),
    **dict.fromkeys(("ausser am wochenende", "ausser an wochenenden"), "except weekends"),
    "am monatsende": "end of month",
    "am monatsletzten": "on last day of the month",
    **dict.fromkeys(("kommenden", "kommende"), "coming"),
    "um": "at",
    "uhr": "o'clock",
    "mittags": "noon",
    "um mitternacht": "at midnight",
    "mitternacht": "midnight",
    "und": "and",
    "bis": "to",
    "in": "in",
    "am": "on",
    **dict.fromkeys(("an", "zu"), "on"),
    "ab": "starting",
    "ausser": "except",
    "zwischen": "between",
    "von": "from",
    "einer": "1",
    "einem": "1",
    "nachsten": "next",
    "nachster": "next",
    "im monat": "of the month",
    "des monats": "of the month",
    "nachste woche": "next week",
}
"""Phrases in small letters without marks, and what they are in English."""

_HOURS = {word: number for number, word in enumerate(("eins", *_NUMBERS), 1)}
_MONTH_NAMES = list(dict.fromkeys(_MONTHS.values()))


def _half_to(found: re.Match[str]) -> str:
    """Write ``halb 6`` as ``half past 5``."""
    hour = _HOURS.get(found[1]) or int(found[1])
    return f"<half past {(hour - 2) % 12 + 1}>"


def _month_of(found: re.Match[str]) -> str:
    number = int(found[2])
    return f"{found[1]} <{_MONTH_NAMES[number - 1]}>" if 1 <= number <= 12 else found[0]


FORMS: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (r"(?<=\d),(?=\d)", "."),  # 1,5 Stunden
    (r"\b(\d{1,2})\.(\d\d)(?= ?uhr\b)", r"\1:\2"),  # 17.30 Uhr
    (r"\b(\d{1,2}) ?uhr (\d\d)\b", r"\1:\2"),  # 17 Uhr 30
    (r"\b(\d{1,2}) ?h\b", r"\1 uhr"),
    (rf"\bhalb (\d{{1,2}}|{'|'.join(_HOURS)})\b", _half_to),
    (r"\b(\d{1,2})\.(\d{1,2})\.(?!\d)", _month_of),  # 24.12.
    (rf"\b(\d{{1,2}})\.(?!\s*(?:\d|{'|'.join(_MONTHS)}))", r"\1th"),  # am 15.
    (r"\b(minuten?|stunden?|tage?|uhr|:\d\d|um \d{1,2}) bis (?!\d{1,2}:|\d{1,2} uhr)(?=[a-z0-9])", r"\1 <until> "),
    (rf"\bvon ({'|'.join(_DAYS)}) bis\b", r"\1 bis"),
    (r"\b(minuten|stunden|minute|stunde) bis\b", r"\1 <until>"),
)
"""Times and dates as they are written in German, and what they are in words of the table; English stands between ``<`` and ``>``."""

ANSWERS: dict[str, str] = {
    "Monday": "Montag",
    "Tuesday": "Dienstag",
    "Wednesday": "Mittwoch",
    "Thursday": "Donnerstag",
    "Friday": "Freitag",
    "Saturday": "Samstag",
    "Sunday": "Sonntag",
    "January": "Januar",
    "February": "Februar",
    "March": "März",
    "April": "April",
    "May": "Mai",
    "June": "Juni",
    "July": "Juli",
    "August": "August",
    "September": "September",
    "October": "Oktober",
    "November": "November",
    "December": "Dezember",
    "every": "jeden",
    "every day": "jeden Tag",
    "every weekday": "werktags",
    "every hour": "jede Stunde",
    "every minute": "jede Minute",
    "every hour from": "jede Stunde von",
    "of every hour": "jeder Stunde",
    "of hours": "in den Stunden",
    "of hour": "in der Stunde",
    "at minute": "zur Minute",
    "weekday": "Werktag",
    "every few": "alle",
    "every few whole": "alle",
    "second": "Sekunde",
    "seconds": "Sekunden",
    "minute": "Minute",
    "minutes": "Minuten",
    "hour": "Stunde",
    "hours": "Stunden",
    "day": "Tag",
    "days": "Tage",
    "weeks": "Wochen",
    "at": "um",
    "and": "und",
    "to": "bis",
    "once": "einmal",
    "on": "am",
    "of": "im",
    "in": "im",
    "from": "ab",
    "until": "bis",
    "except": "außer",
    "counted from": "gezählt ab",
    "on the hour": "zur vollen Stunde",
    "of the month": "des Monats",
    "on day": "am Tag",
    "the first": "am ersten",
    "the second": "am zweiten",
    "the third": "am dritten",
    "the fourth": "am vierten",
    "the fifth": "am fünften",
    "the last": "am letzten",
    "on the last": "am letzten",
}
"""Phrases of an answer in English, and what they are in this language."""
