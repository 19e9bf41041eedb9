"""Values of DICOM elements as columns hold them: None where a file states nothing."""

from datetime import date, datetime, time

from pydicom.dataset import Dataset

from intrepid_rt.dicom_file import text, texts


def optional_text(dataset: Dataset, keyword: str) -> str | None:
    """Text of an element, None if it is absent or empty."""
    return text(dataset, keyword) or None


def joined(dataset: Dataset, keyword: str) -> str | None:
    r"""Values of an element in capitals, separated by backslashes as in DICOM; None if there are none."""
    return "\\".join(texts(dataset, keyword)) or None


def date_of(value: str) -> date | None:
    """Date of a DICOM DA value, None if it is none.

    >>> date_of("20260102"), date_of("2026")
    (datetime.date(2026, 1, 2), None)
    """
    try:
        return datetime.strptime(value, "%Y%m%d").date()
    except ValueError:
        return None


def timestamp(dataset: Dataset, date_keyword: str, time_keyword: str) -> datetime | None:
    """Point in time, local as stated and to the second; midnight if only the day is stated."""
    day, clock = date_of(text(dataset, date_keyword)), text(dataset, time_keyword)[:6]
    if day is None:
        return None
    try:
        return datetime.combine(day, datetime.strptime(clock, "%H%M%S").time())
    except ValueError:
        return datetime.combine(day, time())


def years_between(birth: date | None, day: date | None) -> int | None:
    """Completed years of age.

    >>> years_between(date(1950, 6, 2), date(2026, 6, 1)), years_between(None, date(2026, 6, 1))
    (75, None)
    """
    if birth is None or day is None or day < birth:
        return None
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))
