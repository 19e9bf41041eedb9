"""What was measured of an imager when it was commissioned: the baseline that constancy is judged by."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from intrepid_epid.quality.gantry_sag import sag_table
from intrepid_epid.quality.open_image import FieldReading
from intrepid_epid.quality.records import FieldCentre, QualityBaseline
from intrepid_epid.quality.response import (
    field_size_response,
    ghosting,
    linearity,
    reproducibility,
    uniformity,
)
from intrepid_rt.errors import MissingObject
from intrepid_rt.portal_image import PortalImage

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class MeasuredField:
    """One commissioning image with its reading."""

    reading: FieldReading
    image: PortalImage
    jaws_mm: tuple[float, float, float, float]


def quality_baseline(fields: Sequence[MeasuredField]) -> QualityBaseline:
    """Take every check that the fields allow; what they do not allow is absent and named in ``not_measured``."""
    groups: dict[tuple[float, ...], list[MeasuredField]] = defaultdict(list)
    for field in fields:
        groups[field.jaws_mm].append(field)
    at_zero = {jaws: _at_one_angle(group) for jaws, group in groups.items()}
    by_meterset = max(at_zero.values(), key=lambda group: len({one.meterset_mu for one in group}))
    by_angle = max(groups.values(), key=lambda group: len({f.reading.gantry_angle_deg for f in group}))
    repeated = max((_repeated(group) for group in at_zero.values()), key=len)
    widest = max(fields, key=lambda field: field.reading.area_cm2)
    absent: list[str] = []
    return QualityBaseline(
        linearity=_if_possible(lambda: linearity(by_meterset), absent),
        ghosting=_if_possible(lambda: ghosting(by_meterset), absent),
        reproducibility=_if_possible(lambda: reproducibility(repeated), absent),
        field_size=field_size_response([_nearest_to_reference(group) for group in at_zero.values()]),
        uniformity=uniformity(widest.reading.name, widest.image),
        gantry_sag=_if_possible(lambda: sag_table([field.reading for field in by_angle]), absent) or (),
        centres=tuple(FieldCentre(f.reading.name, *f.reading.centre_mm) for f in fields),
        not_measured=tuple(absent),
    )


def _if_possible(measure: Callable[[], T], absent: list[str]) -> T | None:
    try:
        return measure()
    except MissingObject as error:
        absent.append(str(error))
        return None


def _at_one_angle(group: Sequence[MeasuredField]) -> list[FieldReading]:
    """Return the readings at the usual gantry angle, so that sag and output with angle stay out of it."""
    angles = [field.reading.gantry_angle_deg for field in group]
    usual = max(set(angles), key=lambda angle: (angles.count(angle), -(angle or 0.0)))
    return [field.reading for field in group if field.reading.gantry_angle_deg == usual]


def _repeated(group: Sequence[FieldReading]) -> list[FieldReading]:
    by_meterset: dict[float, list[FieldReading]] = defaultdict(list)
    for one in group:
        by_meterset[one.meterset_mu].append(one)
    return max(by_meterset.values(), key=len)


def _nearest_to_reference(group: Sequence[FieldReading]) -> FieldReading:
    return min(group, key=lambda one: abs(one.meterset_mu - 100.0))
