"""RTPLAN to the rows of a plan: photons, electrons, ions and brachytherapy as far as the object says."""

from typing import Any

from pydicom.dataset import Dataset

from intrepid_cohort.beam_facts import beam_row
from intrepid_cohort.planning_systems import planning_system
from intrepid_cohort.schema import Beam, FractionGroup, Plan, Prescription
from intrepid_cohort.values import joined, optional_text, timestamp
from intrepid_rt.dicom_file import integer, items, label, number, referenced_uid, text
from intrepid_rt.dicom_plan import read_plan
from intrepid_rt.errors import AmbiguousInput, UnusableInput
from intrepid_rt.plan import Plan as ResolvedPlan


def plan_row(dataset: Dataset, *, file_sha256: str) -> Plan:
    """Return a plan with its fraction groups, prescriptions, beams and control points, not yet in any database.

    A plan that is not of photon or electron beams, or that lacks what a verification needs, is kept with what it
    states; ``notes`` hold the reason.

    Raises
    ------
    UnusableInput
        A value cannot be read, or two beams or fraction groups have one number.
    """
    resolved, notes = _resolved(dataset)
    groups = items(dataset, "FractionGroupSequence")
    _require_unique(dataset, groups)
    plan = Plan(
        sop_instance_uid=text(dataset, "SOPInstanceUID"),
        file_sha256=file_sha256,
        frame_of_reference_uid=optional_text(dataset, "FrameOfReferenceUID"),
        referenced_structure_set_uid=referenced_uid(dataset, "ReferencedStructureSetSequence") or None,
        patient_position=_patient_position(dataset),
        treatment_time_s=_brachy_time_s(dataset),
        planning_system=planning_system(dataset),
        notes=notes,
        **_stated(dataset),
    )
    plan.fraction_groups = [_group_row(place, group) for place, group in enumerate(groups, 1)]
    plan.prescriptions = _prescriptions(dataset, groups)
    plan.beams = _beams(dataset, groups, resolved)
    _summarise(plan, dataset)
    return plan


def _resolved(dataset: Dataset) -> tuple[ResolvedPlan | None, list[str]]:
    try:
        resolved = read_plan(dataset)
    except UnusableInput as error:
        return None, [f"No apertures: {error}"]
    return resolved, list(resolved.notes)


def _require_unique(dataset: Dataset, groups: list[Dataset]) -> None:
    beams = items(dataset, "BeamSequence") or items(dataset, "IonBeamSequence")
    for what, numbers in (
        ("beams", [integer(beam, "BeamNumber") for beam in beams]),
        ("fraction groups", [_group_number(place, group) for place, group in enumerate(groups, 1)]),
    ):
        if len(set(numbers)) < len(numbers):
            raise AmbiguousInput(f"{label(dataset)} holds two {what} of one number: {numbers}. Export it again.")


def _stated(dataset: Dataset) -> dict[str, Any]:
    return {
        "rt_plan_label": optional_text(dataset, "RTPlanLabel"),
        "rt_plan_name": optional_text(dataset, "RTPlanName"),
        "rt_plan_timestamp": timestamp(dataset, "RTPlanDate", "RTPlanTime"),
        "plan_intent": optional_text(dataset, "PlanIntent"),
        "approval_status": optional_text(dataset, "ApprovalStatus"),
        "physician": joined(dataset, "PhysiciansOfRecord") or optional_text(dataset, "ReferringPhysicianName"),
        "treatment_sites": joined(dataset, "TreatmentSite"),
        "manufacturer": optional_text(dataset, "Manufacturer"),
        "manufacturer_model_name": optional_text(dataset, "ManufacturerModelName"),
        "software_versions": joined(dataset, "SoftwareVersions"),
        "institution_name": optional_text(dataset, "InstitutionName"),
    }


def _patient_position(dataset: Dataset) -> str | None:
    stated = {text(setup, "PatientPosition").upper() for setup in items(dataset, "PatientSetupSequence")} - {""}
    return "\\".join(sorted(stated)) or None


def _brachy_time_s(dataset: Dataset) -> float | None:
    times = [
        number(channel, "ChannelTotalTime")
        for setup in items(dataset, "ApplicationSetupSequence")
        for channel in items(setup, "ChannelSequence")
    ]
    known = [time for time in times if time is not None]
    return sum(known) if known and len(known) == len(times) else None


def _group_row(place: int, group: Dataset) -> FractionGroup:
    return FractionGroup(
        fraction_group_number=_group_number(place, group),
        fraction_group_description=optional_text(group, "FractionGroupDescription"),
        number_of_fractions_planned=integer(group, "NumberOfFractionsPlanned"),
        number_of_beams=integer(group, "NumberOfBeams"),
        number_of_brachy_application_setups=integer(group, "NumberOfBrachyApplicationSetups"),
    )


def _group_number(place: int, group: Dataset) -> int:
    stated = integer(group, "FractionGroupNumber")
    return place if stated is None else stated


def _prescriptions(dataset: Dataset, groups: list[Dataset]) -> list[Prescription]:
    """One row per fraction group and dose reference that prescribes a dose to a target."""
    references = {}
    for place, reference in enumerate(items(dataset, "DoseReferenceSequence"), 1):
        stated = integer(reference, "DoseReferenceNumber")
        references[place if stated is None else stated] = reference
    rows = []
    for place, group in enumerate(groups, 1):
        named = {
            integer(r, "ReferencedDoseReferenceNumber"): r for r in items(group, "ReferencedDoseReferenceSequence")
        }
        for reference_number, reference in references.items():
            own = named.get(reference_number)
            if named and own is None:
                continue
            dose_gy = number(own, "TargetPrescriptionDose") if own is not None else None
            dose_gy = number(reference, "TargetPrescriptionDose") if dose_gy is None else dose_gy
            if dose_gy is not None:
                rows.append(_prescription(place, group, len(groups), reference_number, reference, dose_gy))
    return rows


def _prescription(
    place: int, group: Dataset, count: int, reference_number: int, reference: Dataset, dose_gy: float
) -> Prescription:
    fractions = integer(group, "NumberOfFractionsPlanned")
    return Prescription(
        fraction_group_number=_group_number(place, group),
        fraction_group_name=optional_text(group, "FractionGroupDescription"),
        fraction_group_count=count,
        dose_reference_number=reference_number,
        normalization_method=optional_text(reference, "DoseReferenceStructureType"),
        normalization_object=optional_text(reference, "DoseReferenceDescription"),
        fractions=fractions,
        # With several groups it is not stated which part of the dose each gives.
        fraction_dose_gy=dose_gy / fractions if fractions and count == 1 else None,
        prescription_dose_gy=dose_gy,
    )


def _beams(dataset: Dataset, groups: list[Dataset], resolved: ResolvedPlan | None) -> list[Beam]:
    rows = []
    for beam in items(dataset, "BeamSequence") or items(dataset, "IonBeamSequence"):
        beam_number = integer(beam, "BeamNumber")
        if beam_number is None:
            raise UnusableInput(f"RTPLAN {text(dataset, 'SOPInstanceUID')} holds a beam without number.")
        ours = resolved.beam_numbered(beam_number) if resolved else None
        rows.append(beam_row(beam, groups, ours))
    return rows


def _summarise(plan: Plan, dataset: Dataset) -> None:
    """Fill in what follows from all groups and beams; None where it does not."""
    # Whether several groups follow each other or run side by side is not stated: their numbers tell no total.
    fractions = [group.number_of_fractions_planned for group in plan.fraction_groups]
    plan.fractions_planned = fractions[0] if len(fractions) == 1 else None
    to_volumes = [row for row in plan.prescriptions if row.normalization_method not in ("POINT", "COORDINATES")]
    doses_gy = [row.prescription_dose_gy for row in to_volumes or plan.prescriptions]
    plan.prescription_dose_gy = max(doses_gy, default=None)
    treating = [beam for beam in plan.beams if beam.treatment_delivery_type in (None, "TREATMENT", "CONTINUATION")]
    metersets = [beam.beam_meterset_mu for beam in treating]
    known = [meterset for meterset in metersets if meterset is not None]
    plan.meterset_mu = sum(known) if known and len(known) == len(metersets) else None
    kinds = {_technique(beam) for beam in treating}
    if items(dataset, "ApplicationSetupSequence"):
        kinds.add(f"BRACHY {text(dataset, 'BrachyTreatmentType')}".strip())
    plan.treatment_modality = " + ".join(sorted(kinds - {""})) or None


def _technique(beam: Beam) -> str:
    arc = "ARC" if beam.gantry_range_deg else None
    return " ".join(part for part in (beam.radiation_type, beam.beam_type, arc) if part)
