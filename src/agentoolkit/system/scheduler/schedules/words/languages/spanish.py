"""Spanish: ``cada lunes a las 9``, ``cada 5 minutos``, ``mañana a las 14:30``."""

from __future__ import annotations

_DAYS = {
    "lunes": "monday",
    "martes": "tuesday",
    "miercoles": "wednesday",
    "jueves": "thursday",
    "viernes": "friday",
    "sabado": "saturday",
    "domingo": "sunday",
}
_MONTHS = {
    "enero": "january",
    "febrero": "february",
    "marzo": "march",
    "abril": "april",
    "mayo": "may",
    "junio": "june",
    "julio": "july",
    "agosto": "august",
    "septiembre": "september",
    "octubre": "october",
    "noviembre": "november",
    "diciembre": "december",
}
_UNITS = {
    **dict.fromkeys(("segundo", "segundos"), "seconds"),
    **dict.fromkeys(("minuto", "minutos"), "minutes"),
    **dict.fromkeys(("hora", "horas"), "hours"),
    **dict.fromkeys(("dias",), "days"),
    "dia": "day",
    **dict.fromkeys(("semana", "semanas"), "weeks"),
    **dict.fromkeys(("meses",), "months"),
}
_NUMBERS = dict(
    zip(["dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve", "diez", "once", "doce"], map(str, range(2, 13)), strict=True)
)
_PLACES = {"primer": "first", "segundo lunes": "2nd monday", "tercer": "third", "cuarto": "fourth", "ultimo": "last"}

WORDS: dict[str, str] = {
    **_DAYS,
    **_MONTHS,
    **_UNITS,
    **_NUMBERS,
    **_PLACES,
    **{f"los {day if day.endswith('s') else day + 's'}": f"every {english}" for day, english in _DAYS.items()},
    **{f"el {day}": english for day, english in _DAYS.items()},
    "ahora": "now",
    "hoy": "today",
    "manana": "tomorrow",
    "pasado manana": "day after tomorrow",
    "esta noche": "tonight",
    "manana por la manana": "tomorrow morning",
    "manana por la tarde": "tomorrow afternoon",
    "mediodia": "noon",
    "al mediodia": "at noon",
    "cada": "every",
    "todos los dias": "every day",
    "cada dia": "every day",
    "cada hora": "every hour",
    "cada minuto": "every minute",
    "cada semana": "every week",
    "cada mes": "every month",
    "diariamente": "daily",
    "dias laborables": "weekdays",
    "los dias laborables": "weekdays",
    "a las": "at",
    "a la": "at",
    "a medianoche": "at midnight",
    "y": "and",
    "en": "in",
    "dentro de": "in",
    "el": "on the",
    "de": "of",
    "del mes": "of the month",
    "de lunes a viernes": "every monday to friday",
    "excepto": "except",
    "el proximo": "next",
    "proximo": "next",
    "una": "1",
    "un": "1",
}
"""Phrases in small letters without marks, and what they are in English."""
