"""The table of named days, such as ``christmas``, ``thanksgiving`` and ``easter monday``, with the rule of each.

The names are English; other languages translate theirs to these. If countries differ, the rule names the country.
"""

from __future__ import annotations

from agentoolkit.system.scheduler.schedules.words.yearly_days import MON, SUN, THU, Fixed, FromEaster, NthWeekday, YearlyDay

_US = "in the United States"
_ELSEWHERE = f"{_US}; other countries have another day"
_THANKSGIVING = NthWeekday(4, THU, 11, f"{_US}; in Canada it is the second Monday of October")

_FIXED: dict[str, Fixed] = {
    "new years day|new years|new year": Fixed(1, 1),
    "epiphany|three kings day": Fixed(1, 6),
    "orthodox christmas|orthodox christmas day": Fixed(1, 7),
    "australia day": Fixed(1, 26),
    "burns night": Fixed(1, 25),
    "groundhog day": Fixed(2, 2),
    "valentines day|valentines|saint valentines day": Fixed(2, 14),
    "saint davids day": Fixed(3, 1),
    "womens day|international womens day": Fixed(3, 8),
    "pi day": Fixed(3, 14),
    "saint patricks day|saint paddys day|saint pattys day|paddys day": Fixed(3, 17),
    "april fools|april fools day|april fool day": Fixed(4, 1),
    "earth day": Fixed(4, 22),
    "saint georges day": Fixed(4, 23),
    "anzac day": Fixed(4, 25),
    "kings day|koningsdag": Fixed(4, 27, "in the Netherlands", if_sunday=-1),
    "may day|international workers day": Fixed(5, 1),
    "cinco de mayo": Fixed(5, 5),
    "juneteenth": Fixed(6, 19),
    "canada day": Fixed(7, 1),
    "independence day": Fixed(7, 4, _ELSEWHERE),
    "bastille day": Fixed(7, 14),
    "assumption of mary|assumption day": Fixed(8, 15),
    "bosss day|boss day|bosses day|bosss": Fixed(10, 16, if_saturday=-1, if_sunday=1),
    "halloween|all hallows eve": Fixed(10, 31),
    "all saints day|all hallows day": Fixed(11, 1),
    "all souls day": Fixed(11, 2),
    "guy fawkes night|guy fawkes day|bonfire night": Fixed(11, 5),
    "veterans day|armistice day|remembrance day": Fixed(11, 11),
    "saint andrews day": Fixed(11, 30),
    "saint nicholas day": Fixed(12, 6),
    "immaculate conception": Fixed(12, 8),
    "christmas eve|xmas eve": Fixed(12, 24),
    "christmas|christmas day|xmas|xmas day": Fixed(12, 25),
    "boxing day|saint stephens day": Fixed(12, 26),
    "new years eve|new year eve|nye": Fixed(12, 31),
}

_WEEKDAYS: dict[str, NthWeekday] = {
    "mlk day|martin luther king day|martin luther kings day|martin luther king jr day": NthWeekday(3, MON, 1, _US),
    "presidents day|washingtons birthday": NthWeekday(3, MON, 2, _US),
    "commonwealth day": NthWeekday(2, MON, 3),
    "mothers day": NthWeekday(2, SUN, 5, f"{_US} and most of Europe; other countries have another day"),
    "memorial day": NthWeekday(-1, MON, 5, _US),
    "fathers day": NthWeekday(3, SUN, 6, _ELSEWHERE),
    "labor day|labour day": NthWeekday(1, MON, 9, f"{_US} and Canada; elsewhere it is often 1 May"),
    "grandparents day": NthWeekday(1, MON, 9, _US, 6),
    "columbus day|indigenous peoples day": NthWeekday(2, MON, 10, _US),
    "canadian thanksgiving": NthWeekday(2, MON, 10, "in Canada"),
    "election day": NthWeekday(1, MON, 11, _US, 1),
    "thanksgiving|thanksgiving day|american thanksgiving": _THANKSGIVING,
    "black friday": NthWeekday(4, THU, 11, _US, 1),
    "small business saturday": NthWeekday(4, THU, 11, _US, 2),
    "cyber monday": NthWeekday(4, THU, 11, _US, 4),
    "giving tuesday": NthWeekday(4, THU, 11, _US, 5),
}

_EASTER: dict[str, FromEaster] = {
    "shrove monday|rose monday": FromEaster(-48),
    "shrove tuesday|mardi gras|pancake day|pancake tuesday|fat tuesday": FromEaster(-47),
    "ash wednesday": FromEaster(-46),
    "palm sunday|branch sunday": FromEaster(-7),
    "maundy thursday|holy thursday|covenant thursday|thu of mysteries|thursday of mysteries": FromEaster(-3),
    "good friday": FromEaster(-2),
    "holy saturday|black saturday|easter eve": FromEaster(-1),
    "easter|easter sunday|easter day": FromEaster(0),
    "easter monday": FromEaster(1),
    "ascension|ascension day|ascension thursday": FromEaster(39),
    "pentecost|pentecost sunday|whit sunday|whitsun|white sunday": FromEaster(49),
    "whit monday|pentecost monday|monday of the holy spirit": FromEaster(50),
    "trinity sunday": FromEaster(56),
    "corpus christi": FromEaster(60),
    "clean monday|orthodox shrove monday|orthodox ash monday": FromEaster(-48, orthodox=True),
    "lazarus saturday": FromEaster(-8, orthodox=True),
    "orthodox palm sunday": FromEaster(-7, orthodox=True),
    "orthodox good friday|great friday": FromEaster(-2, orthodox=True),
    "orthodox easter|orthodox easter sunday|pascha": FromEaster(0, orthodox=True),
    "orthodox easter monday": FromEaster(1, orthodox=True),
    "orthodox pentecost": FromEaster(49, orthodox=True),
}

DAY_NAMES: dict[str, YearlyDay] = {
    name: rule for table in (_FIXED, _WEEKDAYS, _EASTER) for names, rule in table.items() for name in names.split("|")
}
"""Rules by name: in lower case, without apostrophes, with ``saint`` written out."""

MAX_NAME_WORDS = max(name.count(" ") + 1 for name in DAY_NAMES)
"""Number of words of the longest name."""
NAME_WORDS = frozenset(word for name in DAY_NAMES for word in name.split())
"""All words of all names."""
