"""What lies in a folder of DICOM: the objects of one patient and how they belong together."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path, PurePath

from intrepid_rt.dicom_image import PortalHeader
from intrepid_rt.frame_table import FRAME_TABLE
from intrepid_rt.plan import Beam, Plan


@dataclass(frozen=True)
class CTFiles:
    """The slices of one CT series, unsorted."""

    series_uid: str
    frame_of_reference_uid: str
    paths: tuple[Path, ...]


@dataclass(frozen=True)
class StructureSetFile:
    """One RTSTRUCT and the CT series it was drawn on."""

    path: Path
    sop_instance_uid: str
    frame_of_reference_uid: str
    ct_series_uid: str
    label: str = ""


@dataclass(frozen=True)
class PlanFile:
    """One RTPLAN, read."""

    path: Path
    plan: Plan
    planned_on: date | None = None

    @property
    def sop_instance_uid(self) -> str:
        """SOP Instance UID of the plan."""
        return self.plan.sop_instance_uid

    @property
    def treatment_beams(self) -> tuple[Beam, ...]:
        """Beams that deliver dose to the patient, without set-up beams."""
        return tuple(beam for beam in self.plan.beams if beam.delivers_treatment)


@dataclass(frozen=True)
class DoseFile:
    """One RTDOSE and what it is the dose of; ``plan_uid`` is empty and ``beam_number`` None if it does not say."""

    path: Path
    sop_instance_uid: str
    frame_of_reference_uid: str
    plan_uid: str
    beam_number: int | None
    summation_type: str


@dataclass(frozen=True)
class PortalFile:
    """One RTIMAGE and the beam it shows.

    ``link`` is "stated" if the file names plan and beam, "matched" if they were concluded (``how`` says from what),
    and empty if no beam could be told; then ``how`` holds the reason.
    """

    path: Path
    header: PortalHeader
    plan_uid: str = ""
    beam_number: int | None = None
    link: str = ""
    how: str = ""

    @property
    def fraction(self) -> str:
        """Name of the fraction: its number if stated, else the day of acquisition."""
        if self.header.fraction_number is not None:
            return f"fraction {self.header.fraction_number}"
        return self.header.acquired.date().isoformat() if self.header.acquired else "unknown day"


@dataclass(frozen=True)
class Study:
    """All objects of one patient identifier in a folder, in file order.

    ``unused`` lists (path, reason) for every file that is unreadable, unrelated or contradicts the others; ``notes``
    what was concluded or is unusual.
    """

    patient_id: str
    study_instance_uids: tuple[str, ...]
    ct_series: tuple[CTFiles, ...]
    structure_sets: tuple[StructureSetFile, ...]
    plans: tuple[PlanFile, ...]
    doses: tuple[DoseFile, ...]
    portal_images: tuple[PortalFile, ...]
    portal_doses: tuple[PortalFile, ...]  # computed portal doses in Gy, predicted or reconstructed
    unused: tuple[tuple[Path, str], ...]
    notes: tuple[str, ...]

    def portal_images_named(self, name: str) -> tuple[PortalFile, ...]:
        """Images whose path ends with ``name``: a file, folders and a file, or the folder of raw frames."""
        tail = PurePath(name).parts
        return tuple(
            image
            for image in self.portal_images
            if _ends_with(image.path, tail) or (image.path.name == FRAME_TABLE and _ends_with(image.path.parent, tail))
        )

    def plan_with_uid(self, uid: str) -> PlanFile | None:
        """Return the plan with this SOP Instance UID, None if it is not in the folder."""
        return next((file for file in self.plans if file.sop_instance_uid == uid), None)


def _ends_with(path: PurePath, tail: tuple[str, ...]) -> bool:
    return bool(tail) and path.parts[-len(tail) :] == tail


def telling_names(paths: Sequence[PurePath]) -> list[str]:
    """Name every path by as few of its last parts as tell it from the others.

    >>> telling_names([PurePath("s/a/frames.json"), PurePath("s/b/frames.json"), PurePath("s/b/RI.dcm")])
    ['a/frames.json', 'b/frames.json', 'RI.dcm']
    """

    def shortest(path: PurePath) -> str:
        """Return the fewest last parts of a path that no other one ends with."""
        for length in range(1, len(path.parts)):
            tail = path.parts[-length:]
            if sum(_ends_with(other, tail) for other in paths) == 1:
                return "/".join(tail)
        return str(path)

    return [shortest(path) for path in paths]
