"""Dose of a course: the sum of its reconstructed fractions, beside the plan's.

Fractions that were not imaged are missing from the sum, and it says so. They are filled in only where a person asks for
it, from the imaged ones or from the plan; the plan is then not proven, because part of the answer was put in.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

from intrepid_cli.console import plain
from intrepid_cli.verification.comparison import Criteria, Reference, gamma_3d, structure_results
from intrepid_cli.verification.course_fractions import ReconstructedFraction, check_one_course, read_fraction
from intrepid_cli.verification.inputs import planned_fraction
from intrepid_cli.verification.judgement import constraint_outcomes, verdict
from intrepid_cli.verification.outputs import METHOD
from intrepid_cli.verification.results import gamma_numbers, structure_numbers
from intrepid_cli.verification.seal import RESULTS, sealed
from intrepid_cli.verification.selection import planned_doses, structure_set_of
from intrepid_epid.dose_engine.dose_to_water import MEANINGS
from intrepid_rt.dicom_dose import DoseReferences, write_dose
from intrepid_rt.dicom_file import read_dataset
from intrepid_rt.dicom_structures import read_structure_set
from intrepid_rt.errors import AmbiguousInput, InvalidSetting, MissingObject
from intrepid_rt.grids import DoseGrid
from intrepid_rt.image_files import write_image
from intrepid_rt.research_note import RESEARCH_NOTE
from intrepid_rt.scan import scan
from intrepid_rt.study import PlanFile
from intrepid_rt.verification import ConstraintOutcome, GammaOutcome, StructureResult, Verdict

DOSE, VOLUME = "RTDOSE_course.dcm", "course_dose.nrrd"
MISSING = ("left-out", "as-imaged", "as-planned")


@dataclass(frozen=True, eq=False)
class CourseResult:
    """Summed dose and what it is the sum of; comparisons are with the plan's dose of ``compared_fractions`` fractions.

    ``missing_numbers`` names fractions that were not imaged; None if the images number none.
    """

    fractions: tuple[ReconstructedFraction, ...]
    plan_file: PlanFile
    planned_fractions: int
    missing: str
    missing_numbers: tuple[int, ...] | None
    dose: DoseGrid
    compared_fractions: int
    gamma_3d: tuple[GammaOutcome, ...]
    structures: tuple[StructureResult, ...]
    constraints: tuple[ConstraintOutcome, ...]
    verdict: Verdict
    warnings: tuple[str, ...]

    @property
    def composition(self) -> str:
        """What was added, in a sentence."""
        n, of, absent = len(self.fractions), self.planned_fractions, self.planned_fractions - len(self.fractions)
        said = f"Sum of {n} of {of} fractions"
        if not absent:
            return f"{said}."
        named = f" ({', '.join(map(str, self.missing_numbers))})" if self.missing_numbers else ""
        filled = {
            "left-out": "are left out",
            "as-imaged": "are taken as the mean of the imaged ones",
            "as-planned": "are taken from the plan",
        }
        return f"{said}; the {absent} not imaged{named} {filled[self.missing]}."


def sum_course(
    folders: Sequence[Path],
    *,
    study: Path | None,
    missing: str = "left-out",
    criteria: Criteria,
    constraints: Path | None = None,
) -> CourseResult:
    """Add reconstructed fractions and compare the sum with the plan; nothing is written.

    Parameters
    ----------
    folders : sequence of Path
        Result folders of ``intrepid reconstruct``, one per fraction.
    study : Path or None
        Folder with RTPLAN, RTDOSE and RTSTRUCT; None takes the one from which the first fraction was reconstructed.
    missing : str
        "left-out", "as-imaged" or "as-planned": what stands for fractions that were not imaged. Left out, the sum is
        compared with the plan's dose of as many fractions, and no constraint of the course is judged.

    Raises
    ------
    UnusableInput
        Results that do not belong together, more fractions than planned, or no plan.
    """
    fractions = tuple(read_fraction(folder) for folder in folders)
    check_one_course(fractions)
    reference, plan_file, notes = _reference(study or fractions[0].study_dir, fractions[0].plan_uid)
    of = reference.plan.fractions_planned
    if of is None:
        raise MissingObject("The plan states no number of fractions, so a course has no length. Export the plan anew.")
    if len(fractions) > of:
        raise AmbiguousInput(f"{len(fractions)} fractions are given, the plan has {of}. Leave out what is not of it.")
    per_fraction = reference.planned
    dose, counted = _filled(fractions, of, missing, per_fraction)
    planned = None if per_fraction is None else per_fraction * float(counted)
    reference = Reference(reference.plan, reference.structure_set, planned, reference.planned_reason, counted)
    gammas = gamma_3d(reference, dose, criteria)
    structures, curves = structure_results(reference, dose, lambda step: None)
    outcomes, alone = _constraints(constraints, curves, counted, of)
    doubts = () if len(fractions) == of else (f"{of - len(fractions)} of {of} fractions were not imaged.",)
    return CourseResult(
        fractions=fractions,
        plan_file=plan_file,
        planned_fractions=of,
        missing=missing,
        missing_numbers=_missing_numbers(fractions, of),
        dose=dose,
        compared_fractions=counted,
        gamma_3d=gammas,
        structures=structures,
        constraints=outcomes,
        verdict=verdict(
            gammas, (), outcomes, is_relative=False, planned_reason=reference.planned_reason, doubts=doubts
        ),
        warnings=(*notes, *alone, *_differences(fractions)),
    )


def _reference(study_folder: Path, plan_uid: str) -> tuple[Reference, PlanFile, tuple[str, ...]]:
    """Plan, structures and the planned dose of one fraction."""
    found = [(study, study.plan_with_uid(plan_uid)) for study in scan(study_folder)]
    owners = [(study, plan) for study, plan in found if plan is not None]
    if not owners:
        raise MissingObject(
            f"{study_folder} does not hold the plan of the fractions ({plan_uid}). Give its folder: --study."
        )
    study, plan_file = owners[0]
    structure_file, notes = structure_set_of(study, plan_file)
    structures = read_structure_set(structure_file.path) if structure_file else None
    doses, reason = planned_doses(study, plan_file)
    planned, dose_notes = planned_fraction(doses, plan_file.plan)
    return Reference(plan_file.plan, structures, planned, reason), plan_file, (*notes, *dose_notes)


def _filled(
    fractions: Sequence[ReconstructedFraction], of: int, missing: str, planned: DoseGrid | None
) -> tuple[DoseGrid, int]:
    """Sum of the fractions with what stands for the missing ones, and how many fractions it is the dose of."""
    total, n = reduce(lambda a, b: a.with_values(a.values + b.values), (one.dose for one in fractions)), len(fractions)
    if missing == "left-out" or n == of:
        return total, n
    if missing == "as-imaged":
        return total * (of / n), of
    if planned is None:
        raise InvalidSetting("--missing as-planned needs the planned RTDOSE. Add it to the study folder.")
    if planned.frame_of_reference_uid != total.frame_of_reference_uid:
        raise InvalidSetting("--missing as-planned: the planned dose lies in another frame of reference.")
    return total.with_values(total.values + (of - n) * planned.resampled_to(total, outside=0.0)), of


def _constraints(path, curves, counted, of):  # type: ignore[no-untyped-def]
    """Constraints are for the whole course: a sum that lacks fractions is not judged by them."""
    if counted == of:
        return constraint_outcomes(path, curves, fractions=of, is_relative=False)
    outcomes, alone = constraint_outcomes(path, curves, fractions=of, is_relative=False)
    reason = f"{of - counted} of {of} fractions are left out: a course is not judged by a part of it."
    return tuple(ConstraintOutcome(one.structure, one.constraint, reason=reason) for one in outcomes), alone


def _missing_numbers(fractions: Sequence[ReconstructedFraction], of: int) -> tuple[int, ...] | None:
    numbers = [one.number for one in fractions]
    if None in numbers:
        return None
    return tuple(sorted(set(range(1, of + 1)) - set(numbers)))


def _differences(fractions: Sequence[ReconstructedFraction]) -> list[str]:
    notes = []
    models = {one.model for one in fractions}
    if len(models) > 1:
        notes.append(f"The fractions were reconstructed with different models: {', '.join(sorted(models))}.")
    for one in fractions:
        if one.verdict == "fail":
            notes.append(f"{one.fraction or one.folder.name} failed by itself.")
    return notes


def as_course_results(course: CourseResult) -> dict[str, Any]:
    """Return the numbers of a course as plain data."""
    return {
        "note": RESEARCH_NOTE,
        "verdict": vars(course.verdict),
        "composition": course.composition,
        "plan": {"label": course.plan_file.plan.label, "sop_instance_uid": course.plan_file.sop_instance_uid},
        "fractions_planned": course.planned_fractions,
        "fractions_imaged": len(course.fractions),
        "fractions_missing": course.missing_numbers,
        "missing": course.missing,
        "compared_fractions": course.compared_fractions,
        "fractions": [
            {"folder": str(one.folder), "fraction": one.fraction, "anatomy": one.anatomy, "model": one.model,
             "verdict": one.verdict, "dose_max_gy": float(one.dose.values.max())}
            for one in course.fractions
        ],
        "gamma_3d": [gamma_numbers(outcome) for outcome in course.gamma_3d],
        "dvh": [structure_numbers(structure) for structure in course.structures],
        "constraints": [vars(outcome) for outcome in course.constraints],
        "dose": DOSE,
        "dose_volume": VOLUME,
        "warnings": list(course.warnings),
    }  # fmt: skip


def write_course(course: CourseResult, folder: Path) -> None:
    """Write RTDOSE, volume and sealed results."""
    first = course.fractions[0]
    write_dose(
        folder / DOSE,
        course.dose,
        references=DoseReferences(first.plan_uid, course.plan_file.plan.referenced_structure_set_uid),
        template=read_dataset(course.plan_file.path, pixels=False),
        comment=f"{course.composition} {METHOD} {MEANINGS[first.dose_to]}",
        series_description=f"InTrEPID sum of {len(course.fractions)} of {course.planned_fractions} fractions",
    )
    write_image(folder / VOLUME, course.dose.values, course.dose)
    text = json.dumps(plain(sealed(as_course_results(course), folder)), indent=1, allow_nan=False)
    (folder / RESULTS).write_text(text + "\n", encoding="utf-8")
