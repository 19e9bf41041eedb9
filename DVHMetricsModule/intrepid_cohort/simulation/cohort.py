"""A cohort of synthetic patients on disk, with everything that goes wrong in real ones, and the truth beside it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from intrepid_cohort.simulation.anatomy import LANGUAGES
from intrepid_cohort.simulation.objects import ImageSet, Person, PlanSpec, ct_slices, dose, plan, structure_set
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

    def images(self, number: int = 1) -> ImageSet:
        """Write CT and structure set number ``number``."""
        x, y, z = self.rng.integers(-40, 40, 3).tolist() if number > 1 else (0, -20, -60)
        image_set = ImageSet(self.person, number, (float(x), float(y), float(z)))
        for index, one in enumerate(ct_slices(image_set)):
            save_object(one, self.folder / f"CT{number}_{index:03d}.dcm")
        save_object(structure_set(image_set), self.folder / f"RS{number}.dcm")
        self.truth["structure_sets"].append(_structure_truth(image_set))
        return image_set

    def spec(self, key: str, label: str, *, fractions: int, dose_gy: float, approval: str = "APPROVED") -> PlanSpec:
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
        )

    def add_plan(self, image_set: ImageSet, spec: PlanSpec, *, with_dose: bool = True) -> None:
        """Write a plan, and its dose."""
        save_object(plan(image_set, spec), self.folder / f"RP_{spec.key}.dcm")
        self.truth["plans"].append(_plan_truth(image_set, spec))
        if with_dose:
            save_object(dose(image_set, spec), self.folder / f"RD_{spec.key}.dcm")
            self.truth["doses"].append(_dose_truth(image_set, spec))

    def unused(self, path: Path, kind: str) -> None:
        """Note a file that no import may use."""
        self.truth["unused"].append({"file": str(path.relative_to(self.folder.parent.parent)), "kind": kind})


def write_cohort(folder: str | Path, *, patients: int, centres: int, seed: int) -> dict[str, Any]:
    """Write ``patients`` synthetic patients of ``centres`` centres below ``folder``, and ``truth.json``.

    Each centre has a folder of its own and numbers its patients from 1, so identifiers repeat between centres. Names of
    structures are in the language of the centre. The same arguments give the same bytes.

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
        study_day=_FIRST_DAY + timedelta(days=int(rng.integers(0, 1500))),
        uid_root=f"synthetic cohort {seed} {centres} {index}",
    )
    # One after the other; shifted now and then, so that no centre sees one scenario only.
    scenario = list(SCENARIOS)[(index + index // (len(SCENARIOS) * centres)) % len(SCENARIOS)]
    place = folder / person.centre / person.patient_id
    place.mkdir(parents=True, exist_ok=True)
    truth: dict[str, Any] = {"patient_id": person.patient_id, "centre": person.centre, "scenario": scenario,
             "birth_date": person.birth_date, "structure_sets": [], "plans": [], "doses": [],
             "treatment_plan_uids": [], "unused": []}  # fmt: skip
    patient = _Patient(person, place, rng, truth)
    SCENARIOS[scenario](patient)
    truth["treatment_plan_uids"] = [p["sop_instance_uid"] for p in truth["plans"] if p["approval"] == "APPROVED"]
    return truth


# Scenarios -----------------------------------------------------------------------------------------------------------


def _single(patient: _Patient) -> ImageSet:
    image_set = patient.images()
    patient.add_plan(image_set, patient.spec("main", "Breast", fractions=25, dose_gy=50.0))
    return image_set


def _two_plans(patient: _Patient) -> None:
    image_set = _single(patient)
    replan = patient.spec("replan", "Breast_new", fractions=25, dose_gy=50.0, approval="UNAPPROVED")
    patient.add_plan(image_set, replan)


def _boost_same_images(patient: _Patient) -> None:
    patient.add_plan(_single(patient), patient.spec("boost", "Boost", fractions=8, dose_gy=16.0))


def _boost_other_images(patient: _Patient) -> None:
    _single(patient)
    patient.add_plan(patient.images(2), patient.spec("boost", "Boost CT2", fractions=5, dose_gy=10.0))


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


SCENARIOS: dict[str, Callable[[_Patient], object]] = {
    "single": _single,
    "two_plans": _two_plans,
    "boost_same_images": _boost_same_images,
    "boost_other_images": _boost_other_images,
    "reexport": _reexport,
    "missing_dose": _missing_dose,
    "broken": _broken,
}


# Truth ---------------------------------------------------------------------------------------------------------------


def _structure_truth(image_set: ImageSet) -> dict[str, Any]:
    structures = [
        {
            "roi_number": number,
            "roi_name": organ.variants[image_set.person.language],
            "tg263": organ.name,
            "volume_cc": organ.volume_cc,
            "centroid_mm": organ.centroid_mm(image_set.origin).tolist(),
        }
        for number, organ in enumerate(image_set.person.organs, 1)
    ]
    return {"sop_instance_uid": image_set.uid("structures"), "structures": structures}


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
