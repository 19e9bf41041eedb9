"""A cohort of synthetic patients on disk, with everything that goes wrong in real ones, and the truth beside it."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from intrepid_cohort.simulation.anatomy import LANGUAGES
from intrepid_cohort.simulation.objects import (
    DoseGridSpec,
    ImageSet,
    Person,
    PlanSpec,
    SetSpec,
    ct_slices,
    dose,
    dose_of_all,
    plan,
    record,
    structure_set,
)
from intrepid_cohort.simulation.systems import SYSTEMS, prescription_point
from intrepid_cohort.simulation.treatment_truth import RULES, Expected, treatment_truth
from intrepid_rt.atomic import write_text
from intrepid_rt.dicom_new_object import save_object
from intrepid_rt.errors import InvalidSetting

_FIRST_DAY = datetime(2020, 1, 6)


@dataclass
class _Patient:
    """One patient while being written: the folder, the truth so far, and what the scenario draws from."""

    person: Person
    folder: Path
    rng: np.random.Generator
    truth: dict[str, Any]
    expected: Expected = field(default_factory=Expected)
    specs: list[PlanSpec] = field(default_factory=list)
    points: dict[int, tuple[str, ...]] = field(default_factory=dict)

    def images(self, number: int = 1) -> ImageSet:
        """Write CT and structure set number ``number``."""
        x, y, z = self.rng.integers(-40, 40, 3).tolist() if number > 1 else (0, -20, -60)
        image_set = ImageSet(self.person, number, (float(x), float(y), float(z)))
        for index, one in enumerate(ct_slices(image_set)):
            save_object(one, self.folder / f"CT{number}_{index:03d}.dcm")
        save_object(structure_set(image_set), self.folder / f"RS{number}.dcm")
        self.truth["structure_sets"].append(_structure_truth(image_set, SetSpec()))
        return image_set

    def add_point(self, image_set: ImageSet, name: str) -> None:
        """Write the structure set again, with one more point."""
        self.points[image_set.number] = (*self.points.get(image_set.number, ()), name)
        spec = SetSpec(points=self.points[image_set.number])
        save_object(structure_set(image_set, spec), self.folder / f"RS{image_set.number}.dcm")
        self.truth["points"].append(name)

    def add_set(self, image_set: ImageSet, spec: SetSpec) -> None:
        """Write a further structure set on the same images."""
        save_object(structure_set(image_set, spec), self.folder / f"RS{image_set.number}_{spec.key}.dcm")
        self.truth["structure_sets"].append(_structure_truth(image_set, spec))

    def spec(
        self,
        key: str,
        label: str,
        *,
        fractions: int,
        dose_gy: float,
        approval: str = "APPROVED",
        days_later: int = 0,
        grid: DoseGridSpec | None = None,
    ) -> PlanSpec:
        """Draw a plan."""
        return PlanSpec(
            key=key,
            label=label,
            fractions=fractions,
            dose_gy=dose_gy,
            # At most 0.15 % per mm and axis, so that no dose in the body becomes negative.
            slope_per_mm=tuple(np.round(self.rng.uniform(-0.0015, 0.0015, 3), 6).tolist()),
            meterset_mu=tuple(np.round(self.rng.uniform(60, 140, 2), 1).tolist()),
            approval=approval,
            arc=bool(self.rng.random() < 0.3),
            days_later=days_later,
            grid=grid or DoseGridSpec(),
        )

    def add_plan(
        self, image_set: ImageSet, spec: PlanSpec, *, with_dose: bool = True, factor: float | None = 1.0
    ) -> None:
        """Write a plan, and its dose; ``factor`` is what it counts in the treatment, None if it does not."""
        save_object(plan(image_set, spec), self.folder / f"RP_{spec.key}.dcm")
        self.specs.append(spec)
        self.truth["plans"].append(_plan_truth(image_set, spec))
        if self.person.system == "Pinnacle":
            self.add_point(image_set, prescription_point(spec.label, spec.dose_gy, spec.fractions))
        if factor is not None and with_dose:
            self.expected.add(image_set, spec, factor)
        if with_dose:
            save_object(dose(image_set, spec), self.folder / f"RD_{spec.key}.dcm")
            self.truth["doses"].append(_dose_truth(image_set, spec))

    def add_plan_sum(self, image_set: ImageSet) -> None:
        """Write the dose of all plans together, where the planning system exports it: it must not count again."""
        if self.person.system == "Eclipse":
            save_object(dose_of_all(image_set, self.specs), self.folder / "RD_sum.dcm")

    def add_beam_doses(self, image_set: ImageSet, spec: PlanSpec) -> None:
        """Write the dose of each beam instead of the plan's."""
        for number in range(1, len(spec.meterset_mu) + 1):
            save_object(dose(image_set, spec, beam=number), self.folder / f"RD_{spec.key}_{number}.dcm")
            self.truth["beam_dose_uids"].append(image_set.uid("dose", spec.key, number))
        self.expected.add(image_set, spec, 1.0)

    def deliver(self, image_set: ImageSet, spec: PlanSpec, *, fractions: int, last_share: float = 1.0) -> None:
        """Write a treatment record per fraction; the last one may have been broken off."""
        for number in range(1, fractions + 1):
            share = last_share if number == fractions else 1.0
            name = f"RT_{spec.key}_{number:02d}.dcm"
            save_object(record(image_set, spec, fraction=number, share=share), self.folder / name)

    def unused(self, path: Path, kind: str) -> None:
        """Note a file that no import may use."""
        self.truth["unused"].append({"file": str(path.relative_to(self.folder.parent.parent)), "kind": kind})


def write_cohort(folder: str | Path, *, patients: int, centres: int, seed: int) -> dict[str, Any]:
    """Write ``patients`` synthetic patients of ``centres`` centres below ``folder``, ``truth.json`` and ``rules.json``.

    Each centre has a folder of its own and numbers its patients from 1, so identifiers repeat between centres. Names of
    structures are in the language of the centre, and its files have the habits of its planning system (see `SYSTEMS`).
    The same arguments give the same bytes.

    Returns
    -------
    dict : what ``truth.json`` holds: per patient the scenario, volumes and centroids of structures, plans, mean,
        minimum and maximum doses, the plans that make up the treatment, and the files that must not be used.

    Raises
    ------
    InvalidSetting
        Fewer than one patient or centre.
    OutputNotWritable
    """
    if patients < 1 or centres < 1:
        raise InvalidSetting(f"{patients} patients of {centres} centres; expected at least one of each.")
    folder = Path(folder)
    truth: dict[str, Any] = {"seed": seed, "languages": list(LANGUAGES), "patients": []}
    for index in range(patients):
        truth["patients"].append(_write_patient(folder, index, centres, seed))
    write_text(folder / "rules.json", json.dumps(RULES, indent=1))
    write_text(folder / "truth.json", json.dumps(truth, indent=1, ensure_ascii=False))
    return truth


def _write_patient(folder: Path, index: int, centres: int, seed: int) -> dict[str, Any]:
    # Each patient draws from its own stream: a larger cohort of the same seed begins with the smaller one.
    rng = np.random.default_rng([seed, centres, index])
    centre = index % centres
    person = Person(
        patient_id=f"{index // centres + 1:05d}",
        birth_date=(datetime(1940, 1, 1) + timedelta(days=int(rng.integers(0, 15000)))).strftime("%Y%m%d"),
        sex="F",
        centre=f"centre_{centre + 1}",
        language=centre % len(LANGUAGES),
        size=round(float(rng.uniform(0.9, 1.1)), 3),
        spelling=index // 10,  # every ten patients another spelling
        right_sided=False,
        study_day=_FIRST_DAY + timedelta(days=int(rng.integers(0, 1500))),
        uid_root=f"synthetic cohort {seed} {centres} {index}",
        system=SYSTEMS[centre % len(SYSTEMS)],
    )
    # One after the other; shifted now and then, so that no centre sees one scenario only.
    scenario = list(SCENARIOS)[(index + index // (len(SCENARIOS) * centres)) % len(SCENARIOS)]
    place = folder / person.centre / person.patient_id
    place.mkdir(parents=True, exist_ok=True)
    truth: dict[str, Any] = {"patient_id": person.patient_id, "centre": person.centre, "scenario": scenario,
             "system": person.system,
             "birth_date": person.birth_date, "structure_sets": [], "points": [], "plans": [], "doses": [],
             "beam_dose_uids": [], "treatment_plan_uids": [], "unused": []}  # fmt: skip
    patient = _Patient(replace(person, right_sided=scenario == "right_sided"), place, rng, truth)
    SCENARIOS[scenario](patient)
    truth["treatment_plan_uids"] = [p["sop_instance_uid"] for p in truth["plans"] if p["approval"] == "APPROVED"]
    truth["treatment"] = treatment_truth(patient.expected, "right" if scenario == "right_sided" else "left")
    return truth


# Scenarios -----------------------------------------------------------------------------------------------------------


def _single(patient: _Patient) -> ImageSet:
    image_set = patient.images()
    patient.add_plan(image_set, patient.spec("main", "Breast", fractions=25, dose_gy=50.0))
    return image_set


def _two_plans(patient: _Patient) -> None:
    image_set = _single(patient)
    replan = patient.spec("replan", "Breast_new", fractions=25, dose_gy=50.0, approval="UNAPPROVED")
    patient.add_plan(image_set, replan, factor=None)


def _boost_same_images(patient: _Patient) -> None:
    image_set = _single(patient)
    patient.add_plan(image_set, patient.spec("boost", "Boost", fractions=8, dose_gy=16.0))
    patient.add_plan_sum(image_set)


def _boost_other_images(patient: _Patient) -> None:
    _single(patient)
    patient.add_plan(patient.images(2), patient.spec("boost", "Boost CT2", fractions=5, dose_gy=10.0), factor=None)
    patient.expected.outside_gy = 10.0


def _reexport(patient: _Patient) -> None:
    """Write a copy of the dose, and the plan again with the same UID but another label."""
    image_set = _single(patient)
    again = patient.folder / "reexport"
    again.mkdir(exist_ok=True)
    copy = again / "RD_main_copy.dcm"
    copy.write_bytes((patient.folder / "RD_main.dcm").read_bytes())
    patient.unused(copy, "copy")
    label = patient.truth["plans"][0]["label"]
    changed = plan(image_set, patient.spec("main", f"{label} changed", fractions=20, dose_gy=40.0))
    save_object(changed, again / "RP_main.dcm")
    patient.unused(again / "RP_main.dcm", "same UID, other content")


def _missing_dose(patient: _Patient) -> None:
    spec = patient.spec("main", "Breast", fractions=15, dose_gy=40.05)
    patient.add_plan(patient.images(), spec, with_dose=False)
    patient.expected.excluded = "plan with dose"


def _broken(patient: _Patient) -> None:
    """Cut files short in three ways, and add one that is no DICOM."""
    _single(patient)
    for name, share in (("RD_main.dcm", 0.6), ("CT1_003.dcm", 0.8), ("RS1.dcm", 0.5)):
        whole = (patient.folder / name).read_bytes()
        # Sorted before the whole file of the same UID, which must be used nevertheless.
        cut = patient.folder / f"0_cut_{name}"
        cut.write_bytes(whole[: int(len(whole) * share)])
        patient.unused(cut, "cut short")
    (patient.folder / "notes.txt").write_text("A note that somebody left here.\n")
    patient.unused(patient.folder / "notes.txt", "not DICOM")


def _recorded(patient: _Patient) -> ImageSet:
    """Write a plan and a record of each of its fractions."""
    image_set = patient.images()
    spec = patient.spec("main", "Breast", fractions=25, dose_gy=50.0)
    patient.add_plan(image_set, spec)
    patient.deliver(image_set, spec, fractions=25)
    return image_set


def _boost_other_grid(patient: _Patient) -> None:
    """Write a boost whose dose lies on another grid: the sum needs interpolation, exact for a linear dose."""
    grid = DoseGridSpec(spacing_mm=(8.0, 7.0, 6.0), shift_mm=3.0, margin_mm=14.0)
    patient.add_plan(_recorded(patient), patient.spec("boost", "Boost", fractions=8, dose_gy=16.0, grid=grid))


def _interrupted(patient: _Patient) -> None:
    """Write records of 20 of 25 fractions, the last of which was broken off half way."""
    image_set = patient.images()
    spec = patient.spec("main", "Breast", fractions=25, dose_gy=50.0)
    patient.add_plan(image_set, spec, factor=19.5 / 25)
    patient.deliver(image_set, spec, fractions=20, last_share=0.5)


def _adapted(patient: _Patient) -> None:
    """Write two approved versions of a plan, of which the second delivered most fractions: it stands for all."""
    image_set = patient.images()
    first = patient.spec("main", "Breast", fractions=25, dose_gy=50.0)
    second = patient.spec("adapted", "Breast_1", fractions=25, dose_gy=50.0, days_later=14)
    patient.add_plan(image_set, first, factor=None)
    patient.add_plan(image_set, second)
    patient.deliver(image_set, first, fractions=10)
    patient.deliver(image_set, second, fractions=15)


def _beam_doses(patient: _Patient) -> None:
    image_set = patient.images()
    spec = patient.spec("main", "Breast", fractions=25, dose_gy=50.0)
    patient.add_plan(image_set, spec, with_dose=False)
    patient.add_beam_doses(image_set, spec)
    patient.deliver(image_set, spec, fractions=25)


def _right_sided(patient: _Patient) -> None:
    _recorded(patient)


def _augmented(patient: _Patient) -> None:
    """Write an automatic segmentation beside the clinical structures, with somewhat smaller organs."""
    image_set = _recorded(patient)
    auto = SetSpec(key="auto", label="AutoSeg", manufacturer="Segmenter", growth=0.97, standard_names=True)
    patient.add_set(image_set, auto)
    patient.expected.augmented = auto


def _boost_only(patient: _Patient) -> None:
    patient.add_plan(patient.images(), patient.spec("boost", "Boost", fractions=8, dose_gy=16.0), factor=None)
    patient.expected.excluded = "plan with dose"


def _other_prescription(patient: _Patient) -> None:
    """Write a palliative plan, which rules exclude by its prescription."""
    patient.add_plan(patient.images(), patient.spec("main", "Palliation", fractions=1, dose_gy=8.0), factor=None)
    patient.expected.excluded = "prescription"


def _undecided(patient: _Patient) -> None:
    """Write two approved plans of one minute: nothing tells which is the treatment."""
    image_set = patient.images()
    for key, label in (("main", "Breast A"), ("other", "Breast B")):
        patient.add_plan(image_set, patient.spec(key, label, fractions=25, dose_gy=50.0), factor=None)
    patient.expected.review = "main plan"


SCENARIOS: dict[str, Callable[[_Patient], object]] = {
    "single": _single,
    "two_plans": _two_plans,
    "boost_same_images": _boost_same_images,
    "boost_other_images": _boost_other_images,
    "reexport": _reexport,
    "missing_dose": _missing_dose,
    "broken": _broken,
    "boost_other_grid": _boost_other_grid,
    "interrupted": _interrupted,
    "adapted": _adapted,
    "beam_doses": _beam_doses,
    "right_sided": _right_sided,
    "augmented": _augmented,
    "boost_only": _boost_only,
    "other_prescription": _other_prescription,
    "undecided": _undecided,
}


# Truth ---------------------------------------------------------------------------------------------------------------


def _structure_truth(image_set: ImageSet, spec: SetSpec) -> dict[str, Any]:
    structures = [
        {
            "roi_number": number,
            "roi_name": spec.name(organ, image_set.person),
            "tg263": _standard_name(organ.name),
            "volume_cc": organ.volume_cc,
            "centroid_mm": organ.centroid_mm(image_set.origin).tolist(),
        }
        for number, organ in enumerate(spec.organs(image_set.person), 1)
    ]
    uid = image_set.uid("structures", *([spec.key] if spec.key else []))
    return {"sop_instance_uid": uid, "structures": structures}


def _standard_name(name: str) -> str | None:
    """Name after TG-263, in which the dose of a target is no part; None for a helper."""
    return name.split("_")[0] if name.startswith("PTV") else name or None


def _plan_truth(image_set: ImageSet, spec: PlanSpec) -> dict[str, Any]:
    return {
        "sop_instance_uid": image_set.uid("plan", spec.key),
        "structure_set_uid": image_set.uid("structures"),
        "label": spec.label,
        "approval": spec.approval,
        "fractions": spec.fractions,
        "prescription_gy": spec.dose_gy,
        "meterset_mu": sum(spec.meterset_mu),
        "arc": spec.arc,
    }


def _dose_truth(image_set: ImageSet, spec: PlanSpec) -> dict[str, Any]:
    doses = []
    for number, organ in enumerate(image_set.person.organs, 1):
        corners_gy = spec.dose_at(image_set, organ.corners_mm(image_set.origin))
        # The mean of a linear dose is the dose at the centroid.
        mean_gy = spec.dose_at(image_set, organ.centroid_mm(image_set.origin))
        doses.append({"roi_number": number, "mean_gy": float(mean_gy), "min_gy": float(corners_gy.min()),
                      "max_gy": float(corners_gy.max())})  # fmt: skip
    return {
        "sop_instance_uid": image_set.uid("dose", spec.key),
        "plan_uid": image_set.uid("plan", spec.key),
        "gradient_gy_per_mm": spec.dose_gy * float(np.linalg.norm(spec.slope_per_mm)),
        "structures": doses,
    }
