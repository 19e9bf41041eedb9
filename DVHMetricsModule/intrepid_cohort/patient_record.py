"""All files of one patient to the rows of that patient: what is used, what is not and why, how it belongs together."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from pydicom.dataset import Dataset

from intrepid_cohort.ct_completeness import missing_slices, named_images, slice_positions_mm
from intrepid_cohort.dose_facts import add_dvhs, dose_row, plan_uids
from intrepid_cohort.edits.corrections import Corrections
from intrepid_cohort.endpoints import add_default_endpoints
from intrepid_cohort.headers import Header
from intrepid_cohort.plan_facts import plan_row
from intrepid_cohort.planning_systems import missing_plan, plan_habits
from intrepid_cohort.point_prescriptions import add_point_prescription
from intrepid_cohort.record_facts import record_row
from intrepid_cohort.schema import Dose, Plan, Series, StructureSet, Study
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
    patient_birth_date: date | None = None


def patient_record(headers: Iterable[Header], corrections: Corrections | None = None) -> PatientRecord:
    """Read the files of one patient and make its rows; the outcome depends on the files alone, not on their order.

    ``corrections`` are values that people set in place of what the files say.

    Raises
    ------
    AmbiguousInput
        The files state two birth dates or sexes: they may be of two people with one identifier.
    """
    headers = sorted(headers, key=lambda header: header.path)
    record = PatientRecord()
    record.patient_sex = _only(headers, "PatientSex", {"M", "F", "O"}) or None
    record.patient_birth_date = date_of(_only(headers, "PatientBirthDate"))
    corrections = corrections or Corrections()
    corrections.apply("patients", "", record)
    by_modality = _by_instance(headers, record)
    studies = _studies(headers)
    for uid, study in studies.items():
        corrections.apply("studies", uid, study)
    for used, *twins in by_modality["CT"]:
        _note_twins(used, twins, record)
    _add_series(studies, [files[0] for files in by_modality["CT"]], record)
    _RtObjects(studies, record, corrections).add(by_modality)
    record.notes += corrections.left_over()
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


def _add_series(studies: Mapping[str, Study], slices: list[Header], record: PatientRecord) -> None:
    grouped: dict[tuple[str, str, str], list[Header]] = defaultdict(list)
    for header in slices:
        frame = header.values.get("FrameOfReferenceUID", "")
        grouped[header.study_instance_uid, header.series_instance_uid, frame].append(header)
    for (study_uid, series_uid, frame), members in sorted(grouped.items()):
        series = _series(series_uid, frame, members)
        studies[study_uid].series.append(series)
        if series.missing_image_count:
            record.notes.append(
                f"CT series {series_uid} has gaps where {series.missing_image_count} slices would lie, one every "
                f"{series.slice_spacing_mm:g} mm: they are missing, or it was taken with several distances."
            )


def _series(series_uid: str, frame: str, members: list[Header]) -> Series:
    values = members[0].values
    spacing = [float(part) for part in values.get("PixelSpacing", "").split("\\") if part]
    positions_mm = slice_positions_mm(header.values for header in members)
    slice_spacing_mm, missing = (missing_slices(positions_mm) if positions_mm is not None else None) or (None, None)
    return Series(
        series_instance_uid=series_uid,
        frame_of_reference_uid=frame,
        modality=members[0].modality,
        image_count=len(members),
        slice_spacing_mm=slice_spacing_mm,
        missing_image_count=missing,
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

    def __init__(self, studies: Mapping[str, Study], record: PatientRecord, corrections: Corrections) -> None:
        self.studies, self.record, self.corrections = studies, record, corrections
        self.images: set[str] = set()
        self.anatomies: dict[str, AnatomyFacts] = {}
        self.plans: dict[str, Plan] = {}

    def add(self, by_modality: Mapping[str, list[list[Header]]]) -> None:
        """Read structure sets, then plans, then doses: each refers to what came before; then treatment records."""
        self.images = {files[0].sop_instance_uid for files in by_modality.get("CT", ())}
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
        by_hand = self.corrections.take("structure_sets", header.sop_instance_uid)
        facts = anatomy_facts(dataset, file_sha256=header.sha256, ptv_roi_numbers=by_hand.pop("ptv_roi_numbers", None))
        for column, value in by_hand.items():
            setattr(facts.row, column, value)
        self._note_missing_images(facts.row, named_images(dataset))
        self.anatomies[header.sop_instance_uid] = facts
        self.studies[header.study_instance_uid].structure_sets.append(facts.row)

    def _note_missing_images(self, row: StructureSet, named: set[str]) -> None:
        if named:
            row.missing_image_count = len(named - self.images)
        if 0 < (row.missing_image_count or 0) < len(named):
            row.notes = [*row.notes, f"It was drawn on {len(named)} images, of which {row.missing_image_count} were "
                                     "not imported."]  # fmt: skip

    def _plan(self, header: Header, dataset: Dataset) -> None:
        plan = plan_row(dataset, file_sha256=header.sha256)
        study = self.studies[header.study_instance_uid]
        plan.age_at_study_date_years = years_between(self.record.patient_birth_date, study.study_date)
        plan.notes = [*plan.notes, *plan_habits(plan.planning_system, plan)]
        anatomy = self.anatomies.get(plan.referenced_structure_set_uid or "")
        if anatomy is not None:
            plan.structure_set_timestamp = anatomy.row.structure_set_timestamp
            plan.sim_study_date = self._image_date(anatomy.row.referenced_series_uid)
            if plan.planning_system == "Pinnacle":
                add_point_prescription(plan, [structure.name for structure in anatomy.structures])
        else:
            plan.notes = [*plan.notes, "The structure set it references was not imported."]
        self.corrections.apply("plans", header.sop_instance_uid, plan)
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
        uids = plan_uids(dataset)
        plan = self.plans.get(found.plan_uid)
        if len(uids) > 1:
            row.notes = [*row.notes, f"It is of {len(uids)} plans together, {', '.join(uids)}: it has no prescription "
                                     "of its own, and curation takes the doses of the plans."]  # fmt: skip
        elif plan is None:
            row.notes = [*row.notes, missing_plan(row.planning_system)]
        elif row.dose_summation_type == "PLAN":
            _note_plan_dose(plan, row)
        anatomy = self._anatomy_of(row, uids)
        row.referenced_structure_set_uid = anatomy.row.sop_instance_uid if anatomy else None
        add_dvhs(row, found.grid, anatomy)
        add_default_endpoints(row, plan.prescription_dose_gy if plan and row.referenced_plan_uid else None)
        self.studies[header.study_instance_uid].doses.append(row)

    def _record(self, header: Header, dataset: Dataset) -> None:
        row = record_row(dataset, file_sha256=header.sha256)
        self.studies[header.study_instance_uid].treatment_records.append(row)

    def _anatomy_of(self, row: Dose, uids: list[str]) -> AnatomyFacts | None:
        through_plans = {plan.referenced_structure_set_uid for uid in uids if (plan := self.plans.get(uid))}
        through_plan = through_plans.pop() if len(through_plans) == 1 else None
        return self.anatomies.get(row.referenced_structure_set_uid or through_plan or "")


def _note_plan_dose(plan: Plan, row: Dose) -> None:
    if plan.dose_grid_x_mm is not None:
        plan.notes = [*plan.notes, "Several doses of the whole plan were imported; the first by path describes it."]
        return
    plan.dose_timestamp = row.dose_timestamp
    plan.tissue_heterogeneity_correction = row.tissue_heterogeneity_correction
    plan.dose_grid_x_mm, plan.dose_grid_y_mm, plan.dose_grid_z_mm = row.grid_x_mm, row.grid_y_mm, row.grid_z_mm
