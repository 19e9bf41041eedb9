"""Reconstructed fractions of one course: read from their result folders, refused where they do not belong together."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import msgspec

from intrepid_cli.verification.seal import RESULTS, changed_files
from intrepid_rt.dicom_dose import read_dose
from intrepid_rt.errors import AmbiguousInput, FrameOfReferenceMismatch, UnreadableFile, UnsupportedGeometry
from intrepid_rt.grids import DoseGrid
from intrepid_rt.small_files import parse_json, read_small_text

TOTAL = "RTDOSE_total.dcm"


class _Plan(msgspec.Struct):
    sop_instance_uid: str
    label: str = ""


class _Verdict(msgspec.Struct):
    status: str


class _Anatomy(msgspec.Struct):
    acquired: str | None = None


class _Input(msgspec.Struct):
    role: str
    uid: str = ""
    sha256: str = ""


class _Settings(msgspec.Struct):
    study_dir: str = ""
    dose_to: str = "water"
    model: str = ""


class _Provenance(msgspec.Struct):
    settings: _Settings
    inputs: tuple[_Input, ...] = ()


class _Results(msgspec.Struct):
    """What a sum needs of results.json."""

    plan: _Plan
    provenance: _Provenance
    verdict: _Verdict
    dose_unit: str
    patient_id: str
    fraction: str = ""
    anatomy: _Anatomy | None = None


@dataclass(frozen=True, eq=False)
class ReconstructedFraction:
    """Dose of one fraction in the planning CT, and what its results say about it.

    ``number`` is the fraction's, None where the images state a day only. ``images`` are hashes of the portal images.
    """

    folder: Path
    dose: DoseGrid
    fraction: str
    plan_uid: str
    patient_id: str
    study_dir: Path
    dose_to: str
    model: str
    anatomy: str
    verdict: str
    images: frozenset[str]

    @property
    def number(self) -> int | None:
        """Number of the fraction, None if the images state none."""
        last = self.fraction.removeprefix("fraction ")
        return int(last) if last.isdecimal() else None


def read_fraction(folder: Path) -> ReconstructedFraction:
    """Read a result folder of ``intrepid reconstruct``.

    Raises
    ------
    UnreadableFile
        No such folder, results that say too little, or files that were changed after they were written.
    UnsupportedGeometry
        A relative result: there is no dose to add.
    """
    path = folder / RESULTS
    if not path.is_file():
        raise UnreadableFile(
            f"{folder} is no result folder: it lacks {RESULTS}. Give folders of 'intrepid reconstruct'."
        )
    try:
        results = msgspec.convert(parse_json(read_small_text(path), str(path)), _Results)
    except msgspec.ValidationError as error:
        raise UnreadableFile(
            f"{path} is no result of a reconstruction ({error}). Reconstruct the fraction anew."
        ) from error
    if results.dose_unit != "Gy":
        raise UnsupportedGeometry(
            f"{folder.name} is a relative result, which has no dose to add. Reconstruct it with --machine PROFILE."
        )
    changed = changed_files(folder)
    if changed:
        raise UnreadableFile(
            f"{folder.name}: {', '.join(changed)} changed after it was written. Reconstruct the fraction anew."
        )
    settings = results.provenance.settings
    day = results.anatomy
    return ReconstructedFraction(
        folder=folder,
        dose=read_dose(folder / TOTAL),
        fraction=results.fraction,
        plan_uid=results.plan.sop_instance_uid,
        patient_id=results.patient_id,
        study_dir=Path(settings.study_dir),
        dose_to=settings.dose_to,
        model=settings.model,
        anatomy=f"CT of the day {day.acquired or ''}".strip() if day else "planning CT",
        verdict=results.verdict.status,
        images=frozenset(one.sha256 for one in results.provenance.inputs if one.role == "RTIMAGE"),
    )


def check_one_course(fractions: Sequence[ReconstructedFraction]) -> None:
    """Refuse fractions that cannot be added.

    Raises
    ------
    AmbiguousInput
        Several patients, plans, or meanings of dose; one fraction twice.
    FrameOfReferenceMismatch, UnsupportedGeometry
        Doses in different frames of reference or on different lattices.
    """
    first = fractions[0]
    for other in fractions[1:]:
        pair = f"{first.folder.name} and {other.folder.name}"
        if other.patient_id != first.patient_id:
            raise AmbiguousInput(f"{pair} are results of different patients. Give those of one course.")
        if other.plan_uid != first.plan_uid:
            raise AmbiguousInput(f"{pair} are results of different plans. Sum each plan's fractions by themselves.")
        if other.dose_to != first.dose_to:
            raise AmbiguousInput(
                f"{pair} are doses to {first.dose_to} and to {other.dose_to}. Reconstruct both with one --dose-to."
            )
        if other.dose.frame_of_reference_uid != first.dose.frame_of_reference_uid:
            raise FrameOfReferenceMismatch(
                f"{pair} lie in different frames of reference. Reconstruct both on one planning CT; an anatomy of the "
                "day is given with --anatomy, and its dose carried back."
            )
        if not other.dose.same_lattice(first.dose):
            raise UnsupportedGeometry(
                f"{pair} lie on different dose grids. Reconstruct both with the planned dose or with one --grid-mm."
            )
    for one, other in combinations(fractions, 2):
        if one.images & other.images or (one.fraction == other.fraction != "unknown day"):
            raise AmbiguousInput(
                f"{one.folder.name} and {other.folder.name} both show {one.fraction or 'the same images'}. Give every "
                "fraction once; two fractions of one day are told apart by the FractionNumber of their images."
            )
