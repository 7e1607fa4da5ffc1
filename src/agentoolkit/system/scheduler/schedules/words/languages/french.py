"""French: ``chaque lundi à 9h``, ``toutes les 5 minutes``, ``demain à 14:30``."""

from __future__ import annotations

_DAYS = {
    "lundi": "monday",
    "mardi": "tuesday",
    "mercredi": "wednesday",
    "jeudi": "thursday",
    "vendredi": "friday",
    "samedi": "saturday",
    "dimanche": "sunday",
}
_MONTHS = {
    "janvier": "january",
    "fevrier": "february",
    "mars": "march",
    "avril": "april",
    "mai": "may",
    "juin": "june",
    "juillet": "july",
    "aout": "august",
    "septembre": "september",
    "octobre": "october",
    "novembre": "november",
    "decembre": "december",
}
_UNITS = {
    **dict.fromkeys(("seconde", "secondes"), "seconds"),
    **dict.fromkeys(("minute", "minutes"), "minutes"),
    "heures": "hours",
    "jours": "days",
    "jour": "day",
    **dict.fromkeys(("semaine", "semaines"), "weeks"),
    "mois": "months",
}
_NUMBERS = dict(
    zip(["deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix", "onze", "douze"], map(str, range(2, 13)), strict=True)
)
_PLACES = {"premier": "first", "deuxieme": "2nd", "troisieme": "third", "quatrieme": "fourth", "dernier": "last"}

WORDS: dict[str, str] = {
    **_DAYS,
    **_MONTHS,
    **_UNITS,
    **_NUMBERS,
    **_PLACES,
    **{f"tous les {day}s": f"every {english}" for day, english in _DAYS.items()},
    **{f"le {day}": f"on {english}" for day, english in _DAYS.items()},
    "maintenant": "now",
    "aujourd'hui": "today",
    "demain": "tomorrow",
    "apres-demain": "day after tomorrow",
    "ce soir": "tonight",
    "demain matin": "tomorrow morning",
    "demain soir": "tomorrow evening",
    "midi": "noon",
    "a midi": "at noon",
    "a minuit": "at midnight",
    "chaque": "every",
    "toutes les": "every",
    "tous les": "every",
    "tous les jours": "every day",
    "chaque jour": "every day",
    "chaque heure": "every hour",
    "chaque minute": "every minute",
    "chaque semaine": "every week",
    "chaque mois": "every month",
    "toutes les heures": "every hour",
    "en semaine": "weekdays",
    "jours ouvrables": "weekdays",
    "les jours ouvrables": "weekdays",
    "a": "at",
    "h": "o'clock",
    "heure": "hour",
    "et": "and",
    "dans": "in",
    "le": "on the",
    "de": "of",
    "du mois": "of the month",
    "du lundi au vendredi": "every monday to friday",
    "sauf": "except",
    "prochain": "",
    "une": "1",
    "un": "1",
}
"""Phrases in small letters without marks, and what they are in English."""
