"""How a dose distribution fits its target: homogeneity inside, conformity around it, gradient outside.

Every function raises :class:`intrepid_dvh.missing.MissingValue` when a volume or dose it needs is unknown.
"""

from intrepid_dvh.curve import DVH
from intrepid_dvh.missing import MissingValue
from intrepid_dvh.points import dose_at_volume, volume_at_dose
from intrepid_dvh.statistics import dose_statistic
from intrepid_dvh.units import GY_PER_UNIT


def homogeneity_icru(target: DVH) -> float:
    """Return (D2% - D98%) / D50%, 0 for a flat dose (ICRU Report 83, 2010)."""
    d2, d50, d98 = (dose_at_volume(target, percent, unit="%") for percent in (2.0, 50.0, 98.0))
    return _ratio(d2 - d98, d50, "D50% is 0")


def homogeneity_rtog(target: DVH) -> float:
    """Return maximum dose over prescription (Shaw et al., IJROBP 27 (1993) 1231-1239).

    Raises
    ------
    MissingValue : the maximum dose or the prescription is unknown.
    """
    highest = dose_statistic(target, "max")
    if highest is None or not target.prescription_gy:
        raise MissingValue("needs the maximum dose and the prescription")
    return highest * GY_PER_UNIT[target.dose_unit] / target.prescription_gy


def homogeneity_d5_d95(target: DVH) -> float:
    """Return D5% / D95%, 1 for a flat dose."""
    return _ratio(dose_at_volume(target, 5.0, unit="%"), dose_at_volume(target, 95.0, unit="%"), "D95% is 0")


def conformity_rtog(target: DVH, body: DVH, level_percent: float) -> float:
    """Return the body volume inside the isodose over the target volume (Shaw et al., IJROBP 27 (1993) 1231-1239).

    At 50 % of the prescription this is R50% of the RTOG 0813 and 0915 protocols.
    """
    return _ratio(_isodose_volume_cc(body, level_percent), _volume_cc(target), f"{target.structure} has no volume")


def conformity_paddick(target: DVH, body: DVH, level_percent: float) -> float:
    """Return covered target squared over target times isodose volume; 1 is perfect.

    References
    ----------
    I. Paddick, J. Neurosurg. 93 Suppl. 3 (2000) 219-222.
    """
    covered = _isodose_volume_cc(target, level_percent)
    isodose = _isodose_volume_cc(body, level_percent)
    return _ratio(covered**2, _volume_cc(target) * isodose, f"no volume gets {level_percent:g} %")


def gradient_index(_target: DVH, body: DVH, level_percent: float) -> float:
    """Return the volume of half the isodose over the volume of the isodose.

    References
    ----------
    I. Paddick, B. Lippitz, J. Neurosurg. 105 Suppl. (2006) 194-201.
    """
    half, full = (_isodose_volume_cc(body, level) for level in (level_percent / 2, level_percent))
    return _ratio(half, full, f"no volume gets {level_percent:g} %")


HOMOGENEITY = {
    "DHI": homogeneity_icru,
    "HI_ICRU": homogeneity_icru,
    "HI_RTOG": homogeneity_rtog,
    "HI_D5D95": homogeneity_d5_d95,
}
INDICES = {"CI": conformity_rtog, "R": conformity_rtog, "PCI": conformity_paddick, "GI": gradient_index}


def _isodose_volume_cc(dvh: DVH, level_percent: float) -> float:
    return volume_at_dose(dvh, level_percent, unit="%", output="CC")[0]


def _volume_cc(dvh: DVH) -> float:
    if dvh.structure_volume_cc is None:
        raise MissingValue(f"the volume of {dvh.structure} is unknown")
    return dvh.structure_volume_cc


def _ratio(numerator: float, denominator: float, reason: str) -> float:
    if denominator == 0:
        raise MissingValue(reason)
    return numerator / denominator
