"""The image of the day as a folder of DICOM: one CT series of the planned patient, perhaps with contours."""

from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset

from intrepid_rt.dicom_ct import CTSeries, read_ct_series
from intrepid_rt.dicom_file import collecting, read_dataset, text, texts
from intrepid_rt.dicom_registration import motion_between
from intrepid_rt.dicom_structures import read_structure_set
from intrepid_rt.errors import AmbiguousInput, MissingObject, UnusableInput
from intrepid_rt.registration.rigid_transform import RigidTransform
from intrepid_rt.scan import scan
from intrepid_rt.structures import StructureSet

# Words in the header of an image by which vendors tell a cone-beam CT; DICOM has no element for it.
CONE_BEAM_WORDS = ("CBCT", "CONE", "XVI", "ON-BOARD IMAGER", "OBI", "HYPERSIGHT")
REGISTRATION_UNUSED = "REG is not used"  # as a scan of the folder says: it has no use elsewhere
HEADER_ELEMENTS = (
    "ManufacturerModelName", "StationName", "SeriesDescription", "ProtocolName", "ScanOptions", "StudyDescription",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class DayFiles:
    """What a folder holds: the image, its own contours if there are any, and what its header says.

    ``notes`` tell what was noticed on the series, and which files of the folder were not used and why: a slice among
    them leaves a shorter patient.
    """

    series: CTSeries
    structures: StructureSet | None
    is_cone_beam: bool
    acquired: str
    paths: tuple[Path, ...]
    registrations: tuple[Path, ...]
    notes: tuple[str, ...] = ()


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
    found = [(study, ct) for study in studies for ct in study.ct_series]
    if len(found) > 1:
        raise AmbiguousInput(f"{folder} holds {len(found)} CT series. Give a folder with that of the day alone.")
    study, ct = found[0]
    if study.patient_id != patient_id:
        raise UnusableInput(
            f"The CT in {folder} has another patient ID than the plan. Give the image of the treated patient."
        )
    drawn = [s for s in study.structure_sets if s.ct_series_uid == ct.series_uid]
    with collecting([]):  # the parser's remarks on this image are among the notes of its series
        header = read_dataset(ct.paths[0], pixels=False)
        is_cone_beam = _is_cone_beam(header)
        acquired = text(header, "AcquisitionDate") or text(header, "SeriesDate") or text(header, "StudyDate")
    series = read_ct_series(ct.paths)
    unused = [f"{path.name} was not used: {why}" for path, why in study.unused if why != REGISTRATION_UNUSED]
    return DayFiles(
        series=series,
        structures=read_structure_set(drawn[0].path) if len(drawn) == 1 else None,
        is_cone_beam=is_cone_beam,
        acquired=acquired,
        paths=ct.paths,
        registrations=tuple(path for path, why in study.unused if why == REGISTRATION_UNUSED),
        notes=(*series.notes, *unused),
    )


def stated_motion(files: DayFiles, planning_frame: str) -> RigidTransform:
    """Return the motion from plan to image that spatial registration objects (REG) beside the image state.

    Raises
    ------
    MissingObject
        None links the two frames of reference.
    AmbiguousInput
        Several do, and differ.
    """
    own = files.series.grid.frame_of_reference_uid
    found = [motion_between(path, planning_frame, own) for path in files.registrations]
    motions = [RigidTransform(matrix) for matrix in found if matrix is not None]
    if not motions:
        raise MissingObject(
            f"--registration dicom: none of {len(files.registrations)} spatial registration(s) beside the image links "
            "its frame of reference to the plan's. Export the one of the image guidance, or use --registration rigid."
        )
    if any(abs(one.matrix - motions[0].matrix).max() > 1e-3 for one in motions[1:]):
        raise AmbiguousInput(f"{len(motions)} different spatial registrations lie beside the image. Keep the one used.")
    return motions[0]


def _is_cone_beam(header: Dataset) -> bool:
    said = " ".join([*(text(header, name) for name in HEADER_ELEMENTS), *texts(header, "ImageType")]).upper()
    return any(word in said for word in CONE_BEAM_WORDS)
