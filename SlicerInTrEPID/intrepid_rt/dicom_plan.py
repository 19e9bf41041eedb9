"""RTPLAN to plan: beams with every control point resolved, monitor units, fractions, prescription."""

import numpy as np
from pydicom.dataset import Dataset

from intrepid_rt.dicom_file import (
    SOP_CLASS_UID,
    Source,
    collecting,
    decimals,
    element_value,
    integer,
    items,
    label,
    number,
    read_dataset,
    referenced_uid,
    text,
)
from intrepid_rt.errors import AmbiguousInput, MissingObject, UnsupportedGeometry
from intrepid_rt.plan import Beam, ControlPoint, MultileafCollimator, Plan

# Elements that a control point states only when they change (PS3.3 C.8.8.14): carried on from the one before.
_INHERITED = (
    "GantryAngle",
    "GantryRotationDirection",
    "GantryPitchAngle",
    "BeamLimitingDeviceAngle",
    "PatientSupportAngle",
    "TableTopPitchAngle",
    "TableTopRollAngle",
    "TableTopEccentricAngle",
    "IsocenterPosition",
    "NominalBeamEnergy",
)

_TAKEN_AS_ZERO = ("BeamLimitingDeviceAngle", "PatientSupportAngle")
_DELIVERY_TYPES = ("", "TREATMENT", "CONTINUATION", "SETUP", "OPEN_PORTFILM", "TRMT_PORTFILM", "VERIFICATION")


def read_plan(source: Source) -> Plan:
    """Read an RTPLAN file or data set of photon or electron beams.

    Returns
    -------
    Plan
        A beam whose meterset is absent, contradictory or not in MU has ``meterset_mu`` None; `beams_with_meterset`
        refuses such a plan. ``notes`` say what is missing or was chosen.

    Raises
    ------
    UnreadableFile, MissingObject
        Not an RTPLAN, cut short, or without beams, control points, angles, isocentre or source-axis distance.
    AmbiguousInput
        Beams with different patient positions.
    UnsupportedGeometry
        An ion plan.
    """
    notes: list[str] = []
    with collecting(notes):
        dataset = read_dataset(source, modality="RTPLAN")
        if text(dataset, "SOPClassUID") not in ("", SOP_CLASS_UID["RTPLAN"]) or "IonBeamSequence" in dataset:
            raise UnsupportedGeometry(f"{label(dataset)} is no plan of photon or electron beams.")
        beams = tuple(_beam(dataset, item, notes) for item in items(dataset, "BeamSequence"))
        if not beams:
            raise MissingObject(f"{label(dataset)} holds no beam. Export the plan with its beams.")
        numbers = [beam.number for beam in beams]
        if len(set(numbers)) < len(numbers):
            raise AmbiguousInput(f"{label(dataset)} holds two beams of one number: {sorted(numbers)}.")
        return Plan(
            label=text(dataset, "RTPlanLabel"),
            sop_instance_uid=text(dataset, "SOPInstanceUID"),
            frame_of_reference_uid=text(dataset, "FrameOfReferenceUID"),
            patient_position=_patient_position(dataset, notes),
            beams=beams,
            fractions_planned=_fractions(dataset, notes),
            prescription_gy=_prescription_gy(dataset, notes),
            referenced_structure_set_uid=referenced_uid(dataset, "ReferencedStructureSetSequence"),
            notes=tuple(notes),
        )


def beams_with_meterset(plan: Plan) -> tuple[Beam, ...]:
    """Return the treatment beams of a plan, each with its monitor units.

    Raises
    ------
    MissingObject
        The plan has no treatment beam, or one without monitor units.
    """
    beams = tuple(beam for beam in plan.beams if beam.delivers_treatment)
    if not beams:
        raise MissingObject(f"RTPLAN {plan.sop_instance_uid} has no treatment beam. Choose another plan.")
    without = [beam.name for beam in beams if not beam.meterset_mu]
    if without:
        raise MissingObject(
            f"RTPLAN {plan.sop_instance_uid} states no monitor units for beam {', '.join(without)}; expected "
            "BeamMeterset in MU. Export the calculated plan."
        )
    return beams


def _beam(dataset: Dataset, item: Dataset, notes: list[str]) -> Beam:
    beam_number = integer(item, "BeamNumber")
    if beam_number is None:
        raise MissingObject(f"{label(dataset)} holds a beam without number. Export it again.")
    place = f"{label(dataset)}, beam {beam_number}"
    source_to_axis_mm = number(item, "SourceAxisDistance")
    if not source_to_axis_mm or source_to_axis_mm <= 0:
        raise MissingObject(f"{place} states no SourceAxisDistance. Export it again.")
    delivery, points = text(item, "TreatmentDeliveryType").upper(), items(item, "ControlPointSequence")
    if delivery not in _DELIVERY_TYPES:
        notes.append(f"Beam {beam_number}: TreatmentDeliveryType is not known, so it counts as no treatment beam.")
    assumed = [keyword for keyword in _TAKEN_AS_ZERO if points and element_value(points[0], keyword) is None]
    if assumed:
        notes.append(f"Beam {beam_number} states no {' and no '.join(assumed)}: taken as 0.")
    if any(element_value(point, "CumulativeMetersetWeight") is None for point in points):
        notes.append(f"Beam {beam_number}: control points without CumulativeMetersetWeight, which is taken as 0.")
    unit = text(item, "PrimaryDosimeterUnit").upper() or "MU"
    meterset = _meterset(dataset, beam_number, notes)
    if unit != "MU":
        notes.append(f"Beam {beam_number}: the meterset is in {unit}, not in MU.")
    return Beam(
        number=beam_number,
        name=text(item, "BeamName") or f"Beam {beam_number}",
        machine=text(item, "TreatmentMachineName"),
        radiation_type=text(item, "RadiationType").upper(),
        source_to_axis_mm=source_to_axis_mm,
        meterset_mu=meterset if unit == "MU" else None,
        final_cumulative_meterset_weight=number(item, "FinalCumulativeMetersetWeight") or 0.0,
        control_points=_control_points(place, item),
        treatment_delivery_type=delivery,
        dosimeter_unit=unit,
        accessories=tuple(kind for kind in ("Wedges", "Compensators", "Blocks") if integer(item, f"NumberOf{kind}")),
    )


def _meterset(dataset: Dataset, beam_number: int, notes: list[str]) -> float | None:
    found = {
        meterset
        for group in items(dataset, "FractionGroupSequence")
        for beam in items(group, "ReferencedBeamSequence")
        if integer(beam, "ReferencedBeamNumber") == beam_number
        and (meterset := number(beam, "BeamMeterset")) is not None
    }
    if len(found) > 1:
        notes.append(f"Beam {beam_number}: fraction groups state different metersets {sorted(found)}; none is used.")
    return found.pop() if len(found) == 1 else None


def _control_points(place: str, item: Dataset) -> tuple[ControlPoint, ...]:
    boundaries = {
        text(device, "RTBeamLimitingDeviceType").upper(): decimals(device, "LeafPositionBoundaries")
        for device in items(item, "BeamLimitingDeviceSequence")
    }
    state = Dataset()
    positions: dict[str, np.ndarray] = {}
    control_points = []
    for index, stated in enumerate(items(item, "ControlPointSequence")):
        for keyword in _INHERITED:
            if element_value(stated, keyword) is not None:
                state[keyword] = stated[keyword]
        for device in items(stated, "BeamLimitingDevicePositionSequence"):
            kind = text(device, "RTBeamLimitingDeviceType").upper()
            if not kind:
                raise MissingObject(f"{place}: positions of a device without type at control point {index}.")
            positions[kind] = decimals(device, "LeafJawPositions")
        control_points.append(_control_point(place, index, stated, state, positions, boundaries))
    if not control_points:
        raise MissingObject(f"{place} has no control point. Export it again.")
    return tuple(control_points)


def _control_point(
    place: str,
    index: int,
    stated: Dataset,
    state: Dataset,
    positions: dict[str, np.ndarray],
    boundaries: dict[str, np.ndarray],
) -> ControlPoint:
    gantry_angle_deg, isocentre = number(state, "GantryAngle"), decimals(state, "IsocenterPosition")
    if gantry_angle_deg is None or len(isocentre) != 3:
        missing = "GantryAngle" if gantry_angle_deg is None else "IsocenterPosition"
        raise MissingObject(f"{place}: no {missing} up to control point {index}. Export it again.")
    return ControlPoint(
        index=index,
        cumulative_meterset_weight=number(stated, "CumulativeMetersetWeight") or 0.0,
        gantry_angle_deg=gantry_angle_deg,
        collimator_angle_deg=number(state, "BeamLimitingDeviceAngle") or 0.0,
        couch_angle_deg=number(state, "PatientSupportAngle") or 0.0,
        gantry_pitch_deg=number(state, "GantryPitchAngle") or 0.0,
        isocentre_lps_mm=isocentre,
        jaw_x_mm=_jaw(place, positions, "X"),
        jaw_y_mm=_jaw(place, positions, "Y"),
        mlc=tuple(
            _mlc(place, kind, positions[kind], boundaries.get(kind, np.empty(0)))
            for kind in sorted(positions)
            if kind.startswith("MLC")
        ),
        nominal_energy_mv=number(state, "NominalBeamEnergy"),
        gantry_rotation=text(state, "GantryRotationDirection").upper() or "NONE",
        couch_tilt_deg=max(_turn_deg(state, f"TableTop{turn}Angle") for turn in ("Pitch", "Roll", "Eccentric")),
    )


def _turn_deg(state: Dataset, keyword: str) -> float:
    """Angle without sign, 0 to 180: 359 degrees are a turn by 1."""
    angle = (number(state, keyword) or 0.0) % 360.0
    return min(angle, 360.0 - angle)


def _jaw(place: str, positions: dict[str, np.ndarray], direction: str) -> tuple[float, float] | None:
    pair = positions.get("ASYM" + direction, positions.get(direction))
    if pair is None:
        return None
    if len(pair) != 2:
        raise MissingObject(f"{place}: the {direction} jaws have {len(pair)} positions; expected 2. Export it again.")
    return float(pair[0]), float(pair[1])


def _mlc(place: str, kind: str, positions: np.ndarray, boundaries: np.ndarray) -> MultileafCollimator:
    pairs = len(boundaries) - 1
    if pairs < 1 or len(positions) != 2 * pairs:
        raise MissingObject(
            f"{place}: {kind} has {len(positions)} leaf positions and {len(boundaries)} leaf boundaries; expected two "
            "positions per leaf pair. Export it again."
        )
    return MultileafCollimator(kind.removeprefix("MLC")[:1], boundaries, positions[:pairs], positions[pairs:])


def _patient_position(dataset: Dataset, notes: list[str]) -> str:
    stated = {text(setup, "PatientPosition").upper() for setup in items(dataset, "PatientSetupSequence")} - {""}
    if len(stated) > 1:
        raise AmbiguousInput(
            f"{label(dataset)} states several patient positions ({', '.join(sorted(stated))}). Split the plan."
        )
    if not stated:
        notes.append(f"{label(dataset)} states no PatientPosition.")
    return stated.pop() if stated else ""


def _fractions(dataset: Dataset, notes: list[str]) -> int | None:
    planned = [integer(group, "NumberOfFractionsPlanned") for group in items(dataset, "FractionGroupSequence")]
    if len(planned) == 1 and planned[0]:
        return planned[0]
    notes.append(f"{label(dataset)}: number of fractions unknown ({len(planned)} fraction groups).")
    return None


def _prescription_gy(dataset: Dataset, notes: list[str]) -> float | None:
    """Highest prescription to a target; to a point only if no target volume or site has one."""
    stated = [
        (text(item, "DoseReferenceStructureType").upper() in ("POINT", "COORDINATES"), dose)
        for item in items(dataset, "DoseReferenceSequence")
        if text(item, "DoseReferenceType").upper() == "TARGET" and (dose := number(item, "TargetPrescriptionDose"))
    ]
    doses = {dose for is_point, dose in stated if not is_point} or {dose for _, dose in stated}
    if len(doses) > 1:
        notes.append(f"{label(dataset)} prescribes {sorted(doses)} Gy to its targets; the highest is its prescription.")
    return max(doses, default=None)
