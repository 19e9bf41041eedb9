"""The cohort database as the panel needs it: content, questions, plots, names; a patient's objects into a scene."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from intrepid_rt.errors import MissingObject

PLOTS = ("Population DVH", "Over time", "Control chart", "Correlation", "By centre")
PATIENT_COLUMNS = ("Patient", "Centre", "Study date", "Plans", "Structure sets", "Doses")
NAME_COLUMNS = ("Centre", "Name as written", "Number", "Proposal", "Confidence", "State", "Decision")


@dataclass(frozen=True)
class Question:
    """What the panel's fields ask."""

    where: str = ""
    metrics: str = ""

    @property
    def conditions(self) -> list[str]:
        """Conditions, one per line."""
        return [line.strip() for line in self.where.splitlines() if line.strip()]

    @property
    def metric_list(self) -> list[str]:
        """Metrics, separated by commas."""
        return [part.strip() for part in self.metrics.replace(";", ",").split(",") if part.strip()]


def connect(place: str) -> Any:
    """Open a database, a file or a URL.

    Raises
    ------
    MissingObject
        Nothing is chosen, or there is no cohort.
    """
    from intrepid_cohort.database import open_database

    if not place.strip():
        raise MissingObject("Choose a database: a file, or postgresql://user@host/name.")
    return open_database(place.strip())


def create(place: str) -> Any:
    """Create a database, or upgrade the tables of an older one.

    Raises
    ------
    MissingObject
        No place is chosen.
    """
    from intrepid_cohort.database import initialise

    if not place.strip():
        raise MissingObject("Choose where the database is to be: a file, or postgresql://user@host/name.")
    return initialise(place.strip())


def overview(engine: Any) -> str:
    """Say in one line what the database holds."""
    rows = patients(engine)
    centres = len({row[1] for row in rows})
    return f"{len(rows)} patients of {centres} centres, {sum(row[5] for row in rows)} doses."


def patients(engine: Any) -> list[tuple]:
    """Return a row per patient, see `PATIENT_COLUMNS`."""
    from sqlalchemy import func, select

    from intrepid_cohort.schema import Dose, Patient, Plan, StructureSet, Study

    def number(model: Any) -> Any:
        """Return the number of rows of a patient in a table below the studies, as a column."""
        return (
            select(func.count()).select_from(model).join(Study).where(Study.patient_id == Patient.id).scalar_subquery()
        )

    first = select(func.min(Study.study_date)).where(Study.patient_id == Patient.id).scalar_subquery()
    columns = (Patient.pseudonym, Patient.centre, first, number(Plan), number(StructureSet), number(Dose))
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(select(*columns).order_by(Patient.pseudonym))]


def ask(engine: Any, question: Question) -> tuple[list[str], list[dict[str, Any]]]:
    """Return column names and rows of a question."""
    from intrepid_cohort.saved_queries import Question as Asked

    asked = Asked(question.conditions, metrics=question.metric_list)
    return asked.names, list(asked.ask(engine))


def chart(engine: Any, question: Question, kind: str) -> Any:
    """Return a chart (`intrepid_cohort.statistics.charts.Chart`) of a question; metrics are what it is about.

    All but the correlation show the first metric.

    Raises
    ------
    MissingObject
        No metric is named, or there is too little to draw.
    InvalidSetting
        Only one centre has rows.
    """
    from intrepid_cohort import statistics as _  # noqa: F401 - says what to install before anything else
    from intrepid_cohort.saved_queries import Question as Asked
    from intrepid_cohort.statistics import control_charts, correlation, group_tests, population_dvh, time_series
    from intrepid_cohort.statistics.frames import sample_of

    if kind == "Population DVH":
        return population_dvh.chart_of({"": population_dvh.population_dvh(engine, question.conditions)})
    metrics = question.metric_list
    if not metrics:
        raise MissingObject("Name at least one metric, for example D95%.")
    show = ("pseudonym", "centre", "study_date")
    rows = Asked(question.conditions, show=show, metrics=metrics).ask(engine)
    if kind == "Correlation":
        sample = sample_of(rows, metrics)
        return correlation.chart_of(correlation.correlation(sample, metrics), sample.notes)
    if kind == "By centre":
        sample = sample_of(rows, [metrics[0]], labels=("centre",))
        [test] = group_tests.compare_groups(sample, [metrics[0]], group="centre")
        return group_tests.chart_of(sample, test, group="centre", notes=sample.notes)
    sample = sample_of(rows, [metrics[0], "study_date"])
    if kind == "Over time":
        window = max(2, min(10, sample.size // 3))
        return time_series.chart_of(time_series.trend(sample, metrics[0], window=window), metrics[0], sample.notes)
    frame = sample.frame.sort_values("study_date")
    found = control_charts.individuals_chart(frame[metrics[0]], labels=frame["pseudonym"].tolist())
    return control_charts.chart_of(found, metrics[0], sample.notes)


def import_command(place: str, paths: Sequence[str | Path], centre: str) -> list[str]:
    """Return the command that imports folders or files; progress goes to its standard error."""
    from SlicerInTrEPIDLib.command import intrepid

    options = ["--database", place.strip(), *(["--centre", centre] if centre else []), "--json"]
    return [*intrepid(), "cohort", "import", *map(str, paths), *options]


# A patient into the scene --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PatientFiles:
    """Files of one dose with its structures and images; ``ct`` is empty if the images are not known."""

    dose: Path
    structure_set: Path | None
    ct: list[Path]


def files_of_patient(engine: Any, pseudonym: str) -> PatientFiles:
    """Find the files of a patient: a dose of a whole plan, its structure set, the images it was drawn on.

    Raises
    ------
    MissingObject
        The patient has no dose, or a file has vanished.
    """
    from sqlalchemy import select
    from sqlalchemy.orm import Session

    from intrepid_cohort.schema import Dose, File, Patient, StructureSet, Study

    with Session(engine) as session:
        patient = session.scalar(select(Patient).where(Patient.pseudonym == pseudonym))
        whole = (Dose.dose_summation_type == "PLAN").desc()
        query = select(Dose).join(Study).where(Study.patient == patient, Dose.dose_summation_type != "TREATMENT")
        dose = session.scalars(query.order_by(whole, Dose.dvh_reason.is_not(None), Dose.sop_instance_uid)).first()
        if dose is None:
            raise MissingObject("No dose of this patient was imported, so there is nothing to open.")
        used = select(File.path).where(File.patient_id == patient.id, File.status == "used").order_by(File.path)

        def path_of(uid: str | None) -> Path | None:
            """Return the file of an object, None if it was not imported."""
            found = session.scalar(used.where(File.sop_instance_uid == uid)) if uid else None
            return _existing(found) if found else None

        uid = dose.referenced_structure_set_uid
        structures = session.scalar(select(StructureSet).join(Study).where(
            Study.patient == patient, StructureSet.sop_instance_uid == uid))  # fmt: skip
        series = structures.referenced_series_uid if structures else ""
        slices = used.where(File.modality == "CT", File.series_instance_uid == series)
        ct = [_existing(path) for path in session.scalars(slices)]
        dose_path = path_of(dose.sop_instance_uid)
        assert dose_path is not None  # its row was made from this file
        return PatientFiles(dose_path, path_of(uid), ct)


def _existing(path: str) -> Path:
    if not Path(path).is_file():
        raise MissingObject(f"{path} is gone. Bring the file back, or import the patient anew.")
    return Path(path)


def open_patient(scene: Any, files: PatientFiles, name: str) -> tuple[dict[str, Any], list[str]]:
    """Put CT, structures and dose of a patient into a scene.

    Returns
    -------
    nodes : by ``CT``, ``dose``, ``structures``; what there is.
    left_out : one sentence for each thing that is not shown.
    """
    from intrepid_rt.dicom_ct import read_ct
    from intrepid_rt.dicom_dose import read_dose
    from intrepid_rt.dicom_structures import read_structure_set
    from SlicerInTrEPIDLib.contents import Palette
    from SlicerInTrEPIDLib.dose_nodes import DOSE_VOLUME
    from SlicerInTrEPIDLib.segmentation import add_segmentation
    from SlicerInTrEPIDLib.volumes import add_grid, file_safe, show

    dose = read_dose(files.dose)
    nodes: dict[str, Any] = {}
    left_out: list[str] = []
    if files.ct:
        nodes["CT"] = add_grid(scene, read_ct(files.ct), f"{name} CT")
        show(nodes["CT"], window=(-1000.0, 400.0))
    else:
        left_out.append("The images on which the structures were drawn were not imported.")
    nodes["dose"] = add_grid(scene, dose, f"{name} dose")
    nodes["dose"].SetAttribute(DOSE_VOLUME, "1")
    maximum = float(dose.values.max()) or 1.0
    show(nodes["dose"], window=(0.0, 1.1 * maximum), colours=Palette(scene).dose, hide_below=0.05 * maximum)
    if files.structure_set is not None:
        structures = read_structure_set(files.structure_set)
        reference = nodes.get("CT", nodes["dose"])
        nodes["structures"], _, missing = add_segmentation(scene, structures, reference_volume=reference)
        label = f" ({structures.label})" if structures.label else ""
        nodes["structures"].SetName(file_safe(f"{name} structures{label}"))
        left_out += missing
    return nodes, left_out


def files_of_nodes(nodes: Sequence[Any], file_of_instance: Callable[[str], str]) -> list[str]:
    """Return the DICOM files from which Slicer loaded some nodes, without repeats.

    Parameters
    ----------
    file_of_instance : from SOP Instance UID to path, as ``slicer.dicomDatabase.fileForInstance``.
    """
    uids = [uid for node in nodes for uid in (node.GetAttribute("DICOM.instanceUIDs") or "").split()]
    return list(dict.fromkeys(path for uid in uids if (path := file_of_instance(uid))))


# Names ---------------------------------------------------------------------------------------------------------------


def names(engine: Any, *, only_unsure: bool) -> list[tuple]:
    """Return names to review, least sure first; see `NAME_COLUMNS`. The last column is for the person."""
    from sqlalchemy import select

    from intrepid_cohort.schema import StructureName as Name

    columns = (Name.centre, Name.roi_name, Name.structure_count, Name.standard_name, Name.confidence, Name.status)
    query = select(*columns).order_by(Name.confidence, Name.centre, Name.roi_name)
    if only_unsure:
        query = query.where(Name.status == "unsure")
    with engine.connect() as connection:
        return [(*row, "") for row in connection.execute(query)]


def map_names(engine: Any) -> str:
    """Read all names that nobody has decided yet; say how many are of which state."""
    from intrepid_cohort.names.mapping import map_names as run

    return ", ".join(f"{count} {state}" for state, count in sorted(run(engine).items())) or "There are no names."


def decide_names(engine: Any, rows: Sequence[tuple], *, person: str) -> int:
    """Store the decisions of a person: a standard name, ``ok`` for the proposal, ``-`` for none; return their number.

    Raises
    ------
    InvalidSetting
        A decision is no name after TG-263.
    """
    from intrepid_cohort.names.mapping import NameDecision, confirm_names

    decisions = []
    for centre, written, _, proposal, _, _, decision in rows:
        if text := str(decision).strip():
            wanted = proposal if text.lower() == "ok" else None if text == "-" else text
            decisions.append(NameDecision(centre, written, wanted))
    return confirm_names(engine, decisions, edited_by=person) if decisions else 0
