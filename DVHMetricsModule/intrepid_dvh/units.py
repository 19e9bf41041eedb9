"""Units as dose-volume data writes them, and which of them convert into which."""

from intrepid_dvh.missing import MissingValue

DOSE_UNITS = ("GY", "CGY", "EV/G")

# EV/G (PRIMO) is dose per primary particle: a number of gray, but not one to compare with a prescription.
GY_PER_UNIT = {"GY": 1.0, "CGY": 0.01, "EV/G": 1.602176634e-16}

UNIT_LABEL = {"GY": "Gy", "CGY": "cGy", "EV/G": "eV/g", "%": "%", "CC": "cc", "": ""}


def dose_factor(unit: str, wanted: str) -> float:
    """Return the factor from one dose unit to another.

    Raises
    ------
    MissingValue : the units do not convert: only Gy and cGy do, and each unit into itself.
    """
    if unit == wanted:
        return 1.0
    if {unit, wanted} == {"GY", "CGY"}:
        return 100.0 if unit == "GY" else 0.01
    raise MissingValue(f"{_described(unit)} cannot be converted to {_described(wanted)}")


def _described(unit: str) -> str:
    return UNIT_LABEL.get(unit) or "an unstated unit"
