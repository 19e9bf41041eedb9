"""The image of the day as a folder of DICOM: one CT series of the planned patient, perhaps with contours."""

from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset

from intrepid_rt.dicom_ct import CTSeries, read_ct_series
from intrepid_rt.dicom_file import read_dataset, text, texts
from intrepid_rt.dicom_structures import read_structure_set
from intrepid_rt.errors import AmbiguousInput, MissingObject, UnusableInput
from intrepid_rt.scan import scan
from intrepid_rt.structures import StructureSet

# Words in the header of an image by which vendors tell a cone-beam CT; DICOM has no element for it.
CONE_BEAM_WORDS = ("CBCT", "CONE", "XVI", "ON-BOARD IMAGER", "OBI", "HYPERSIGHT")
HEADER_ELEMENTS = (
    "ManufacturerModelName", "StationName", "SeriesDescription", "ProtocolName", "ScanOptions", "StudyDescription",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class DayFiles:
    """What a folder holds: the image, its own contours if there are any, and what its header says."""

    series: CTSeries
    structures: StructureSet | None
    is_cone_beam: bool
    acquired: str
    paths: tuple[Path, ...]


def read_day_files(folder: Path, *, patient_id: str) -> DayFiles:
    """Read the image of the day.

    Raises
    ------
    MissingObject
        No CT in the folder.
    AmbiguousInput
        Several CT series.
    UnusableInput
        The image is of another patient.
    """
    studies = [study for study in scan(folder) if study.ct_series]
    if not studies:
        raise MissingObject(f"{folder} holds no CT. Give the folder of the CT or cone-beam CT of the day.")
    series = [(study, ct) for study in studies for ct in study.ct_series]
    if len(series) > 1:
        raise AmbiguousInput(f"{folder} holds {len(series)} CT series. Give a folder with that of the day alone.")
    study, ct = series[0]
    if study.patient_id != patient_id:
        raise UnusableInput(
            f"The CT in {folder} has another patient ID than the plan. Give the image of the treated patient."
        )
    drawn = [s for s in study.structure_sets if s.ct_series_uid == ct.series_uid]
    header = read_dataset(ct.paths[0], pixels=False)
    return DayFiles(
        series=read_ct_series(ct.paths),
        structures=read_structure_set(drawn[0].path) if len(drawn) == 1 else None,
        is_cone_beam=_is_cone_beam(header),
        acquired=text(header, "AcquisitionDate") or text(header, "SeriesDate") or text(header, "StudyDate"),
        paths=ct.paths,
    )


def _is_cone_beam(header: Dataset) -> bool:
    said = " ".join([*(text(header, name) for name in HEADER_ELEMENTS), *texts(header, "ImageType")]).upper()
    return any(word in said for word in CONE_BEAM_WORDS)
