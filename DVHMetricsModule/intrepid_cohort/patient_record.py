"""All files of one patient to the rows of that patient: what is used, what is not and why, how it belongs together."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from pydicom.dataset import Dataset

from intrepid_cohort.dose_facts import add_dvhs, dose_row
from intrepid_cohort.endpoints import add_default_endpoints
from intrepid_cohort.headers import Header
from intrepid_cohort.plan_facts import plan_row
from intrepid_cohort.record_facts import record_row
from intrepid_cohort.schema import Dose, Plan, Series, Study
from intrepid_cohort.structure_facts import AnatomyFacts, anatomy_facts
from intrepid_cohort.values import date_of, years_between
from intrepid_rt.dicom_file import collecting, read_dataset
from intrepid_rt.errors import AmbiguousInput, UnusableInput


@dataclass
class PatientRecord:
    """What an import learns from the files of one patient; ``studies`` hold all further rows."""

    studies: list[Study] = field(default_factory=list)
    unused: dict[str, str] = field(default_factory=dict)  # path: reason
    notes: list[str] = field(default_factory=list)
    patient_sex: str | None = None
    patient_birth_date: str = ""


def patient_record(headers: Iterable[Header]) -> PatientRecord:
    """Read the files of one patient and make its rows; the outcome depends on the files alone, not on their order.

    Raises
    ------
    AmbiguousInput
        The files state two birth dates or sexes: they may be of two people with one identifier.
    """
    headers = sorted(headers, key=lambda header: header.path)
    record = PatientRecord()
    record.patient_sex = _only(headers, "PatientSex", {"M", "F", "O"}) or None
    record.patient_birth_date = _only(headers, "PatientBirthDate")
    by_modality = _by_instance(headers, record)
    studies = _studies(headers)
    for used, *twins in by_modality["CT"]:
        _note_twins(used, twins, record)
    _add_series(studies, [files[0] for files in by_modality["CT"]])
    _RtObjects(studies, record).add(by_modality)
    record.studies = [study for study in studies.values() if study.series or study.structure_sets or study.plans
                      or study.doses or study.treatment_records]  # fmt: skip
    return record


def _only(headers: list[Header], keyword: str, allowed: set[str] | None = None) -> str:
    found = {header.values.get(keyword, "") for header in headers} - {""}
    found = {value for value in found if allowed is None or value in allowed}
    if len(found) > 1:
        raise AmbiguousInput(
            f"Files of one patient identifier state {len(found)} different values of {keyword}: they may be of two "
            "people. Import each centre with its own --centre, or correct the files."
        )
    return found.pop() if found else ""


def _by_instance(headers: list[Header], record: PatientRecord) -> dict[str, list[list[Header]]]:
    """Group usable headers by modality and SOP instance, each instance's files in the order of their paths."""
    instances: dict[tuple[str, str], list[Header]] = defaultdict(list)
    for header in headers:
        if header.reason:
            record.unused[header.path] = header.reason
        else:
            instances[header.modality, header.sop_instance_uid].append(header)
    by_modality: dict[str, list[list[Header]]] = defaultdict(list)
    for (modality, _), files in instances.items():
        by_modality[modality].append(files)
    return by_modality


def _note_twins(used: Header, others: Iterable[Header], record: PatientRecord) -> None:
    for header in others:
        if used.sha256 == header.sha256:
            record.unused[header.path] = f"It is a copy of {used.path}."
        else:
            record.unused[header.path] = f"It has the SOP Instance UID of {used.path} but another content."
            record.notes.append(
                f"{used.path} and {header.path} differ but have one SOP Instance UID; the first is used."
            )


def _studies(headers: list[Header]) -> dict[str, Study]:
    """Studies by UID, in the order of their UIDs."""
    by_uid: dict[str, list[Header]] = defaultdict(list)
    for header in headers:
        if not header.reason:
            by_uid[header.study_instance_uid].append(header)
    return {
        uid: Study(
            study_instance_uid=uid,
            study_date=next((day for h in by_uid[uid] if (day := date_of(h.values.get("StudyDate", "")))), None),
            study_description=next((text for h in by_uid[uid] if (text := h.values.get("StudyDescription"))), None),
        )
        for uid in sorted(by_uid)
    }


def _add_series(studies: Mapping[str, Study], slices: list[Header]) -> None:
    grouped: dict[tuple[str, str, str], list[Header]] = defaultdict(list)
    for header in slices:
        frame = header.values.get("FrameOfReferenceUID", "")
        grouped[header.study_instance_uid, header.series_instance_uid, frame].append(header)
    for (study_uid, series_uid, frame), members in sorted(grouped.items()):
        studies[study_uid].series.append(_series(series_uid, frame, members))


def _series(series_uid: str, frame: str, members: list[Header]) -> Series:
    values = members[0].values
    spacing = [float(part) for part in values.get("PixelSpacing", "").split("\\") if part]
    return Series(
        series_instance_uid=series_uid,
        frame_of_reference_uid=frame,
        modality=members[0].modality,
        image_count=len(members),
        acquisition_date=date_of(values.get("AcquisitionDate", "")) or date_of(values.get("SeriesDate", "")),
        manufacturer=values.get("Manufacturer"),
        manufacturer_model_name=values.get("ManufacturerModelName"),
        software_versions=values.get("SoftwareVersions"),
        institution_name=values.get("InstitutionName"),
        kvp_kv=_float(values.get("KVP")),
        slice_thickness_mm=_float(values.get("SliceThickness")),
        row_spacing_mm=spacing[0] if len(spacing) == 2 else None,
        column_spacing_mm=spacing[1] if len(spacing) == 2 else None,
        patient_position=values.get("PatientPosition"),
    )


def _float(value: str | None) -> float | None:
    return float(value) if value else None


class _RtObjects:
    """Reads the radiotherapy objects of one patient and links them by UID."""

    def __init__(self, studies: Mapping[str, Study], record: PatientRecord) -> None:
        self.studies, self.record = studies, record
        self.anatomies: dict[str, AnatomyFacts] = {}
        self.plans: dict[str, Plan] = {}

    def add(self, by_modality: Mapping[str, list[list[Header]]]) -> None:
        """Read structure sets, then plans, then doses: each refers to what came before; then treatment records."""
        for modality, take in (
            ("RTSTRUCT", self._structure_set),
            ("RTPLAN", self._plan),
            ("RTDOSE", self._dose),
            ("RTRECORD", self._record),
        ):
            for files in by_modality.get(modality, ()):
                self._take_first_readable(files, take)

    def _take_first_readable(self, files: list[Header], take: Callable[[Header, Dataset], None]) -> None:
        for number, header in enumerate(files, 1):
            try:
                with collecting([]):
                    take(header, read_dataset(header.path))
            except UnusableInput as error:
                self.record.unused[header.path] = str(error)
            else:
                _note_twins(header, files[number:], self.record)
                return

    def _structure_set(self, header: Header, dataset: Dataset) -> None:
        facts = anatomy_facts(dataset, file_sha256=header.sha256)
        self.anatomies[header.sop_instance_uid] = facts
        self.studies[header.study_instance_uid].structure_sets.append(facts.row)

    def _plan(self, header: Header, dataset: Dataset) -> None:
        plan = plan_row(dataset, file_sha256=header.sha256)
        study = self.studies[header.study_instance_uid]
        plan.age_at_study_date_years = years_between(date_of(self.record.patient_birth_date), study.study_date)
        anatomy = self.anatomies.get(plan.referenced_structure_set_uid or "")
        if anatomy is not None:
            plan.structure_set_timestamp = anatomy.row.structure_set_timestamp
            plan.sim_study_date = self._image_date(anatomy.row.referenced_series_uid)
        else:
            plan.notes = [*plan.notes, "The structure set it references was not imported."]
        self.plans[header.sop_instance_uid] = plan
        study.plans.append(plan)

    def _image_date(self, series_uid: str) -> date | None:
        dates = [
            series.acquisition_date or study.study_date
            for study in self.studies.values()
            for series in study.series
            if series.series_instance_uid == series_uid
        ]
        return dates[0] if dates else None

    def _dose(self, header: Header, dataset: Dataset) -> None:
        row, found = dose_row(dataset, file_sha256=header.sha256)
        plan = self.plans.get(found.plan_uid)
        if plan is None:
            row.notes = [*row.notes, "The plan it references was not imported."]
        elif row.dose_summation_type == "PLAN":
            _note_plan_dose(plan, row)
        anatomy = self._anatomy_of(row, plan)
        row.referenced_structure_set_uid = anatomy.row.sop_instance_uid if anatomy else None
        add_dvhs(row, found.grid, anatomy)
        add_default_endpoints(row, plan.prescription_dose_gy if plan else None)
        self.studies[header.study_instance_uid].doses.append(row)

    def _record(self, header: Header, dataset: Dataset) -> None:
        row = record_row(dataset, file_sha256=header.sha256)
        self.studies[header.study_instance_uid].treatment_records.append(row)

    def _anatomy_of(self, row: Dose, plan: Plan | None) -> AnatomyFacts | None:
        through_plan = plan.referenced_structure_set_uid if plan else None
        return self.anatomies.get(row.referenced_structure_set_uid or through_plan or "")


def _note_plan_dose(plan: Plan, row: Dose) -> None:
    if plan.dose_grid_x_mm is not None:
        plan.notes = [*plan.notes, "Several doses of the whole plan were imported; the first by path describes it."]
        return
    plan.dose_timestamp = row.dose_timestamp
    plan.tissue_heterogeneity_correction = row.tissue_heterogeneity_correction
    plan.dose_grid_x_mm, plan.dose_grid_y_mm, plan.dose_grid_z_mm = row.grid_x_mm, row.grid_y_mm, row.grid_z_mm
