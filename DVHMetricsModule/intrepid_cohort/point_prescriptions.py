"""Prescriptions that Pinnacle exports as names of points, written there by the scripts of DVH Analytics.

Format: ``rx 1: <name>: <cGy> cGy x <fractions> to <percent>%: <method>: <object>``, see ``db/dicom_parser.py`` of DVH
Analytics (doi 10.1002/acm2.12401).
"""

import re
from collections.abc import Sequence

from intrepid_cohort.schema import Plan, Prescription

_POINT = re.compile(
    r"rx\s*(?P<number>\d+)\s*:(?P<name>[^:]*):\s*(?P<cgy>\d+(?:\.\d+)?)\s*cgy\s*x\s*(?P<fractions>\d+)\s*to\s*"
    r"(?P<percent>\d+(?:\.\d+)?)\s*%\s*(?::(?P<method>[^:]*))?(?::(?P<object>[^:]*))?",
    re.IGNORECASE,
)


def is_prescription_point(roi_name: str) -> bool:
    """Tell whether the name of a ROI is a prescription, and so no name of an organ.

    >>> is_prescription_point("rx 1: Breast: 200 cGy x 25 to 95%: PTV"), is_prescription_point("Rx PTV 50")
    (True, False)
    """
    return _POINT.fullmatch(roi_name.strip()) is not None


def add_point_prescription(plan: Plan, roi_names: Sequence[str]) -> None:
    """Give a plan that states no prescription the one that a point of its structure set is named after.

    Taken only if it can be no other plan's: the point carries the plan's label, and the fractions agree. All else is
    left open, with a note.
    """
    points = [found for name in roi_names if (found := _POINT.fullmatch(name.strip()))]
    if plan.prescriptions or not points:
        return
    label = (plan.rt_plan_label or "").strip().casefold()
    own = [point for point in points if point["name"].strip().casefold() == label]
    fitting = [point for point in own if int(point["fractions"]) == plan.fractions_planned]
    if len(fitting) != 1:
        plan.notes = [*plan.notes, f"{len(points)} points are named as prescriptions; {len(fitting)} fit label and "
                                   "fractions of this plan, expected one. None is used."]  # fmt: skip
        return
    row = _prescription(plan, fitting[0])
    plan.prescriptions = [row]
    plan.prescription_dose_gy = row.prescription_dose_gy
    plan.notes = [*plan.notes, f"The prescription is that of the point {fitting[0].string.strip()!r}."]


def _prescription(plan: Plan, point: re.Match[str]) -> Prescription:
    fraction_dose_gy, fractions = float(point["cgy"]) / 100.0, int(point["fractions"])
    return Prescription(
        fraction_group_number=plan.fraction_groups[0].fraction_group_number,
        fraction_group_count=len(plan.fraction_groups),
        dose_reference_number=int(point["number"]),
        normalization_method=(point["method"] or "").strip() or None,
        normalization_object=(point["object"] or "").strip() or None,
        fractions=fractions,
        fraction_dose_gy=fraction_dose_gy,
        prescription_dose_gy=fraction_dose_gy * fractions,
        prescription_percent=float(point["percent"]),
    )
