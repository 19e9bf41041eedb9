"""What lies in a study folder, as the panel's table shows it: each portal image and its beam. No Qt, no MRML."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from intrepid_rt.errors import AmbiguousInput, MissingObject
from intrepid_rt.scan import scan
from intrepid_rt.study import PortalFile, Study, telling_names

NO_BEAM = None


@dataclass(frozen=True)
class ImageRow:
    """One portal image; ``beam`` is the number of the beam it shows, None if no beam could be told.

    ``file`` is its name as ``--assign`` takes it, with folders where names coincide.
    """

    file: str
    path: Path
    taken: str
    gantry: str
    beam: int | None
    how: str


@dataclass(frozen=True)
class StudyContents:
    """Images, the plan's treatment beams (number, name) and a line for each kind of object."""

    images: tuple[ImageRow, ...]
    beams: tuple[tuple[int, str], ...]
    lines: tuple[str, ...]


def study_contents(folder: Path) -> StudyContents:
    """List the portal images of a folder and the beams they can be matched to.

    Raises
    ------
    MissingObject
        No DICOM, or no plan.
    AmbiguousInput
        Several patients.
    """
    studies = scan(folder)
    imaged = [study for study in studies if study.portal_images] or studies
    if len(imaged) > 1:
        raise AmbiguousInput(f"The folder holds {len(imaged)} patients. Choose the folder of one patient.")
    study = imaged[0]
    if not study.plans:
        raise MissingObject("The folder holds no RTPLAN. Add the plan, which names beams, geometry and monitor units.")
    beams = {beam.number: beam.name for plan in study.plans for beam in plan.treatment_beams}
    return StudyContents(
        images=tuple(map(_row, study.portal_images, telling_names([image.path for image in study.portal_images]))),
        beams=tuple(beams.items()),
        lines=_lines(study),
    )


def _row(image: PortalFile, name: str) -> ImageRow:
    angle, acquired = image.header.gantry_angle_deg, image.header.acquired
    return ImageRow(
        file=name,
        path=image.path,
        taken=acquired.strftime("%Y-%m-%d %H:%M") if acquired else "",
        gantry="" if angle is None else f"{angle:.1f}°",
        beam=image.beam_number if image.link else NO_BEAM,
        how=image.how,
    )


def _lines(study: Study) -> tuple[str, ...]:
    counted = (
        ("CT series", len(study.ct_series)),
        ("RTPLAN", len(study.plans)),
        ("RTSTRUCT", len(study.structure_sets)),
        ("RTDOSE", len(study.doses)),
        ("RTIMAGE", len(study.portal_images)),
    )
    found = ", ".join(f"{count} {name}" for name, count in counted if count)
    lacking = [name for name, count in counted if not count]
    missing = f" Missing: {', '.join(lacking)}." if lacking else ""
    return (f"{found}.{missing}", *study.notes)


def overrides(contents: StudyContents, chosen: Mapping[str, int | None]) -> tuple[tuple[int, str], ...]:
    """Return (beam number, file) of every image whose beam a person changed; ``chosen`` maps file to beam number."""
    return tuple(
        (number, row.file)
        for row in contents.images
        if (number := chosen.get(row.file, row.beam)) is not None and number != row.beam
    )


def images_of(contents: StudyContents, chosen: Mapping[str, int | None]) -> list[Path]:
    """Files of the images that show a beam; one whose beam was given to another image by hand shows none."""
    by_hand = dict(overrides(contents, chosen))
    return [
        row.path
        for row in contents.images
        if (number := chosen.get(row.file, row.beam)) is not None and by_hand.get(number, row.file) == row.file
    ]
