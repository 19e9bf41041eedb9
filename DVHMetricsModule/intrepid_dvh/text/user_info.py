"""What the user knows about a file that holds no such information (HiArt, RayStation, Mirada)."""

from typing import Any

from intrepid_dvh.text.decoding import Options
from intrepid_dvh.text.plan_name import dose_with_unit, unit_of_dose
from intrepid_rt.errors import InvalidSetting


def told_header(options: Options, dose_unit: str | None) -> dict[str, Any]:
    """Return the header fields that the user gave: names, date, and the prescription in ``dose_unit``.

    Raises
    ------
    InvalidSetting : the prescription is no dose such as ``50.4Gy``.
    """
    told = {name: options.info[name] for name in ("patName", "patID", "date") if options.info.get(name)}
    text = options.info.get("doseRx")
    if text is None:
        return told
    unit = dose_unit or unit_of_dose(str(text))
    dose = dose_with_unit(str(text), unit) if unit else None
    if dose is None or unit is None:
        raise InvalidSetting(f"The prescription given is '{text}'; expected a dose with its unit such as 50.4Gy.")
    return {**told, "doseRx": dose, "doseRxUnit": unit_of_dose(str(text)), "doseUnit": unit}


def told_volume(options: Options, structure: str) -> float | None:
    """Return the structure volume in cm3 that the user gave.

    Raises
    ------
    InvalidSetting : volumes were given in another unit, not by structure, or not as numbers.
    """
    volumes = options.info.get("structVol")
    unit = str(options.info.get("volumeUnit") or "CC").upper().replace("³", "3")
    if volumes is None:
        return None
    if not isinstance(volumes, dict) or unit not in ("CC", "CM3", "ML", "CCM"):
        raise InvalidSetting(f"Structure volumes were given as {volumes!r} in {unit}; expected a number in cc by name.")
    value = volumes.get(structure)
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError):
        raise InvalidSetting(f"The volume of {structure} is given as {value!r}; expected a number in cc.") from None
