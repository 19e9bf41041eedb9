"""Targets by name: GTV, CTV, ITV and PTV with what they add, and the dose level that the name tells."""

import re

_TARGET = re.compile(r"(i|hr|ir|gr)?(ptv|ctv|gtv|itv)([a-z]{0,3})")
_NUMBER = re.compile(r"(\d+(?:[.,]\d+)?)\s*(c?gy)?", re.IGNORECASE)
_LOWEST_GY, _HIGHEST_GY = 10.0, 100.0


def target_type(word: str) -> str | None:
    """Return PTV, CTV, GTV or ITV if a folded word is one, also with p, n or a plural s; None if it is not.

    >>> target_type("ptvn"), target_type("igtv"), target_type("ptvs"), target_type("captv")
    ('PTV', 'GTV', 'PTV', None)
    """
    found = _TARGET.fullmatch(word)
    return found.group(2).upper() if found else None


def dose_level_gy(name: str) -> float | None:
    """Return the dose level that a target's name tells, in Gy; None if it tells none, or several.

    >>> dose_level_gy("PTV_5040"), dose_level_gy("PTV 50,4"), dose_level_gy("PTV1"), dose_level_gy("CTV 45/50 Gy")
    (50.4, 50.4, None, None)
    """
    found = set()
    for number, unit in _NUMBER.findall(name):
        value = float(number.replace(",", "."))
        # TG-263 writes cGy without unit: 5040; nobody writes less than 10 Gy without saying Gy, PTV1 is a number.
        in_gy = value / 100.0 if unit.lower() == "cgy" or value >= 1000 else value
        if _LOWEST_GY <= in_gy <= _HIGHEST_GY:
            found.add(in_gy)
    return found.pop() if len(found) == 1 else None
