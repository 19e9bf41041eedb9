"""One beam item of an RTPLAN to its row: angles, energies, metersets, apertures."""

from itertools import pairwise
from typing import Any

from pydicom.dataset import Dataset

from intrepid_cohort.aperture import aperture_area_cm2
from intrepid_cohort.complexity import add_complexity
from intrepid_cohort.schema import Beam, ControlPoint
from intrepid_cohort.values import optional_text
from intrepid_rt.dicom_file import decimals, integer, items, number, text
from intrepid_rt.plan import Beam as ResolvedBeam

_ANGLES = {
    "gantry": ("GantryAngle", "GantryRotationDirection"),
    "collimator": ("BeamLimitingDeviceAngle", "BeamLimitingDeviceRotationDirection"),
    "couch": ("PatientSupportAngle", "PatientSupportRotationDirection"),
}
_NUMBERS = ("GantryAngle", "BeamLimitingDeviceAngle", "PatientSupportAngle", "NominalBeamEnergy",
            "SourceToSurfaceDistance")  # fmt: skip
_DIRECTIONS = tuple(direction for _, direction in _ANGLES.values())


def beam_row(beam: Dataset, groups: list[Dataset], resolved: ResolvedBeam | None) -> Beam:
    """Return a beam with its control points; ``resolved`` is the same beam with apertures, if they could be read."""
    points = items(beam, "ControlPointSequence") or items(beam, "IonControlPointSequence")
    states = _states(points)
    energies = _known(states, "NominalBeamEnergy")
    row = Beam(
        beam_number=integer(beam, "BeamNumber"),
        beam_name=optional_text(beam, "BeamName"),
        beam_type=optional_text(beam, "BeamType"),
        radiation_type=optional_text(beam, "RadiationType"),
        treatment_delivery_type=optional_text(beam, "TreatmentDeliveryType"),
        treatment_machine_name=optional_text(beam, "TreatmentMachineName"),
        control_point_count=len(points),
        energy_min=min(energies, default=None),
        energy_max=max(energies, default=None),
        ssd_mean_mm=_mean(_known(states, "SourceToSurfaceDistance")),
        scan_mode=optional_text(beam, "ScanMode"),
        scan_spot_count=_spots(points),
        **_isocentre(points),
        **_group_facts(beam, groups),
    )
    for axis, (angle, direction) in _ANGLES.items():
        for name, value in _travel(states, angle, direction).items():
            setattr(row, name.format(axis=axis), value)
    row.control_points = _control_points(beam, points, states, row.beam_meterset_mu, resolved)
    _per_travel(row)
    add_complexity(row, resolved.control_points if resolved else None)
    return row


def _states(points: list[Dataset]) -> list[dict[str, Any]]:
    """Return what holds at each control point; unstated values are those of the one before (PS3.3 C.8.8.14)."""
    state: dict[str, Any] = {}
    states = []
    for point in points:
        stated = {keyword: number(point, keyword) for keyword in _NUMBERS}
        turns = {keyword: optional_text(point, keyword) for keyword in _DIRECTIONS}
        state = state | {keyword: value for keyword, value in (stated | turns).items() if value is not None}
        states.append(state)
    return states


def _known(states: list[dict[str, Any]], keyword: str) -> list[float]:
    return [state[keyword] for state in states if keyword in state]


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _travel(states: list[dict[str, Any]], keyword: str, direction_keyword: str) -> dict[str, Any]:
    angles = _known(states, keyword)
    if not angles:
        return {}
    directions = [state.get(direction_keyword, "NONE") for state in states[:-1]]
    return {
        "{axis}_angle_start_deg": angles[0],
        "{axis}_angle_end_deg": angles[-1],
        "{axis}_angle_min_deg": min(angle % 360 for angle in angles),
        "{axis}_angle_max_deg": max(angle % 360 for angle in angles),
        "{axis}_range_deg": sum(
            _turn_deg(a, b, way) for (a, b), way in zip(pairwise(angles), directions, strict=False)
        ),
        "{axis}_rotation_direction": "/".join(dict.fromkeys(way for way in directions if way != "NONE")) or "NONE",
    }


def _turn_deg(start: float, end: float, direction: str) -> float:
    """Angle travelled from one control point to the next: the stated way round, else the shorter one."""
    if direction == "CW":
        return (end - start) % 360 or (360.0 if end != start else 0.0)
    if direction == "CC":
        return (start - end) % 360 or (360.0 if end != start else 0.0)
    shortest = (end - start) % 360
    return min(shortest, 360 - shortest)


def _isocentre(points: list[Dataset]) -> dict[str, float]:
    stated = {tuple(decimals(point, "IsocenterPosition").tolist()) for point in points} - {()}
    if len(stated) != 1 or len(position := stated.pop()) != 3:
        return {}
    return dict(zip(("isocentre_x_mm", "isocentre_y_mm", "isocentre_z_mm"), position, strict=True))


def _spots(points: list[Dataset]) -> int | None:
    counts = [integer(point, "NumberOfScanSpotPositions") for point in points]
    known = [count for count in counts if count is not None]
    # Each energy layer is stated twice, at its beginning and at its end (PS3.3 C.8.8.25): the second has weight 0.
    return sum(known[::2]) if known else None


def _group_facts(beam: Dataset, groups: list[Dataset]) -> dict[str, Any]:
    """Meterset, dose and fractions from the one fraction group that delivers the beam; nothing if several do."""
    beam_number, unit = integer(beam, "BeamNumber"), text(beam, "PrimaryDosimeterUnit").upper()
    delivering = [
        (place, group, reference)
        for place, group in enumerate(groups, 1)
        for reference in items(group, "ReferencedBeamSequence")
        if integer(reference, "ReferencedBeamNumber") == beam_number
    ]
    if len(delivering) != 1:
        return {}
    place, group, reference = delivering[0]
    stated = integer(group, "FractionGroupNumber")
    return {
        "fraction_group_number": place if stated is None else stated,
        "fraction_group_beam_count": integer(group, "NumberOfBeams"),
        "fractions": integer(group, "NumberOfFractionsPlanned"),
        "beam_dose_gy": number(reference, "BeamDose"),
        "beam_meterset_mu": number(reference, "BeamMeterset") if unit in ("", "MU") else None,
    }


def _control_points(
    beam: Dataset,
    points: list[Dataset],
    states: list[dict[str, Any]],
    meterset_mu: float | None,
    resolved: ResolvedBeam | None,
) -> list[ControlPoint]:
    weights = [number(point, "CumulativeMetersetWeight") for point in points]
    final = number(beam, "FinalCumulativeMetersetWeight")
    rows = []
    for index, state in enumerate(states):
        ours = resolved.control_points[index] if resolved else None
        rows.append(
            ControlPoint(
                control_point_index=index,
                cumulative_meterset_weight=weights[index],
                meterset_mu=_share_mu(weights[index : index + 2], final, meterset_mu),
                gantry_angle_deg=state.get("GantryAngle"),
                collimator_angle_deg=state.get("BeamLimitingDeviceAngle"),
                couch_angle_deg=state.get("PatientSupportAngle"),
                nominal_beam_energy=state.get("NominalBeamEnergy"),
                mlc_area_cm2=aperture_area_cm2(ours) if ours else None,
            )
        )
    return rows


def _share_mu(weights: list[float | None], final: float | None, meterset_mu: float | None) -> float | None:
    if len(weights) < 2:
        return 0.0 if meterset_mu is not None else None
    here, following = weights
    if here is None or following is None or not final or meterset_mu is None:
        return None
    return (following - here) / final * meterset_mu


def _per_travel(row: Beam) -> None:
    meterset = row.beam_meterset_mu
    if meterset is None or not row.control_points:
        return
    row.mu_per_control_point = meterset / row.control_point_count
    row.mu_per_degree = meterset / row.gantry_range_deg if row.gantry_range_deg else None
    row.mlc_area_mean_cm2 = _mean_area_cm2(row.control_points)


def _mean_area_cm2(points: list[ControlPoint]) -> float | None:
    """Mean over the beam, each segment's area being the mean of those at its two ends."""
    total = weighted = 0.0
    for here, following in pairwise(points):
        if here.mlc_area_cm2 is None or following.mlc_area_cm2 is None or here.meterset_mu is None:
            return None
        total += here.meterset_mu
        weighted += here.meterset_mu * (here.mlc_area_cm2 + following.mlc_area_cm2) / 2
    return weighted / total if total else None
