"""Prescriptions and dates as people write them."""

import re
from datetime import date

from intrepid_dvh.units import GY_PER_UNIT

_DOSE = re.compile(r"\s*(?P<value>\d+(?:[.,]\d+)?)\s*\[?(?P<unit>c?Gy)?\b.*", re.IGNORECASE)
_IN_NAME = re.compile(r".*_(?P<value>[.\d]+)(?P<unit>c?Gy)_.*", re.IGNORECASE)
_IN_STRICT_NAME = re.compile(r"[A-Za-z0-9]+_(?P<value>[.\d]+)(?P<unit>c?Gy)_.*", re.IGNORECASE)
_NUMERIC_DATE = re.compile(r"(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?P<year>\d{4})")
_WORDY_DATE = re.compile(r"\w+,?\s+(?P<day>\d{1,2})\.?\s+(?P<month>[^\W\d]+)\.?\s+(?P<year>\d{4})")
_MONTHS = (
    *(("jan",), ("feb",), ("mar", "mär", "mrz"), ("apr",), ("may", "mai"), ("jun",), ("jul",), ("aug",), ("sep",)),
    *(("oct", "okt"), ("nov",), ("dec", "dez")),
)


def prescription_in_plan_name(plan: str | None, dose_unit: str, *, strict: bool = False) -> float | None:
    """Return the dose in ``<anything>_<number>Gy_<anything>``, in ``dose_unit``; None if the name holds none.

    Parameters
    ----------
    strict : allow letters and digits only before the first underscore, as CadPlan and Monaco names are read.
    """
    match = (_IN_STRICT_NAME if strict else _IN_NAME).fullmatch(plan or "")
    return _converted(match, dose_unit) if match else None


def dose_with_unit(text: str, dose_unit: str) -> float | None:
    """Return a dose such as ``50.4Gy`` or ``5400 cGy`` in ``dose_unit``; one without unit is taken to be in it."""
    match = _DOSE.fullmatch(text)
    return _converted(match, dose_unit) if match else None


def unit_of_dose(text: str) -> str | None:
    """Return ``GY`` or ``CGY`` of a dose such as ``50.4Gy``, None if it has no unit."""
    match = _DOSE.fullmatch(text)
    return match["unit"].upper() if match and match["unit"] else None


def _converted(match: re.Match[str], dose_unit: str) -> float | None:
    try:
        value = float(match["value"].replace(",", "."))
    except ValueError:
        return None
    unit = (match["unit"] or dose_unit).upper()
    if unit == dose_unit:
        return value
    return value * 100 if GY_PER_UNIT[dose_unit] == 0.01 else value / 100


def iso_date(text: str | None) -> str | None:
    """Return ``dd.mm.yyyy`` or ``Weekday, day month year`` (English, German) as yyyy-mm-dd, else the text.

    Examples
    --------
    >>> iso_date("14.03.2019 09:12:44"), iso_date("Thursday, 21 January 2021 13:05:09")
    ('2019-03-14', '2021-01-21')
    """
    match = _NUMERIC_DATE.match(text or "") or _WORDY_DATE.match(text or "")
    if not match:
        return re.sub(r"[,.]", "", text) if text else None
    month = match["month"]
    index = int(month) if month.isdigit() else _month(month)
    if index is None:
        return re.sub(r"[,.]", "", text or "")
    try:
        return date(int(match["year"]), index, int(match["day"])).isoformat()
    except ValueError:
        return text


def _month(name: str) -> int | None:
    return next((i for i, starts in enumerate(_MONTHS, start=1) if name.lower().startswith(starts)), None)
