"""German: ``jeden Montag um 9 Uhr``, ``alle 5 Minuten``, ``werktags um 8:30``."""

from __future__ import annotations

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
_UNITS = {
    **dict.fromkeys(("sekunde", "sekunden"), "seconds"),
    **dict.fromkeys(("minute", "minuten"), "minutes"),
    **dict.fromkeys(("stunde", "stunden"), "hours"),
    **dict.fromkeys(("tage", "tagen"), "days"),
    "tag": "day",
    **dict.fromkeys(("woche", "wochen"), "weeks"),
    **dict.fromkeys(("monate", "monaten"), "months"),
}
_NUMBERS = dict(
    zip(["zwei", "drei", "vier", "funf", "sechs", "sieben", "acht", "neun", "zehn", "elf", "zwolf"], map(str, range(2, 13)), strict=True)
)
_PLACES = {
    f"{stem}{end}": place
    for stem, place in {"erst": "first", "zweit": "2nd", "dritt": "third", "viert": "fourth", "letzt": "last"}.items()
    for end in ("e", "er", "en")
}

WORDS: dict[str, str] = {
    **_DAYS,
    **_MONTHS,
    **_UNITS,
    **_NUMBERS,
    **_PLACES,
    **{f"{day}s": f"every {english}" for day, english in _DAYS.items()},
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
    "taglich": "daily",
    "stundlich": "hourly",
    "wochentlich": "weekly",
    "monatlich": "monthly",
    "jahrlich": "yearly",
    "werktags": "weekdays",
    "jeden werktag": "every weekday",
    "am wochenende": "every weekend",
    "um": "at",
    "uhr": "o'clock",
    "mittags": "noon",
    "um mitternacht": "at midnight",
    "mitternacht": "midnight",
    "und": "and",
    "bis": "to",
    "in": "in",
    "am": "on",
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
