"""What a verification is asked to do."""

from dataclasses import dataclass
from pathlib import Path

from intrepid_rt.errors import InvalidSetting

DEFAULT_CRITERIA = ((3.0, 3.0), (3.0, 2.0), (2.0, 2.0))
DEFAULT_GRID_MM = 3.0
CUTOFF_PERCENT = 10.0


@dataclass(frozen=True)
class VerificationSettings:
    """Settings of one verification; paths are as the user gave them.

    Parameters
    ----------
    machine : Path or None
        Machine profile; without one the result is relative.
    model : str
        "physics" (superposition), "first-order" (back-projection alone), or the name of a network for the portal dose,
        followed by superposition.
    refinement : str
        "none", or the name or folder of a refinement of the dose of standing beams.
    criteria : tuple of (dose percent, distance mm)
        Gamma criteria.
    dose_to : str
        "water" (tissues as water of their electron density), "water-in-tissue" (Bragg-Gray cavity) or "tissue".
    grid_mm : float or None
        Spacing of the dose grid; None takes the planned dose's grid, or 3 mm without a planned dose.
    assigned : tuple of (beam number, file name)
        Images that a person says show a beam, whatever they state or would be matched to.
    anatomy : Path or None
        Folder of the CT or cone-beam CT of the day; None computes on the planning CT. All below is about it.
    registration : str
        "rigid", "deformable", "dicom" (a REG object beside the image), or a transform file from the planning CT's
        points to those of the image.
    setup : str or None
        "image" (treated as imaged), "matched" (couch shifted to the plan), "matched-6d" (turned as well).
    isocentre_mm : tuple of float or None
        Isocentre in the frame of the image, LPS mm.
    couch_shift : str or None
        "plan", or lateral, longitudinal, vertical mm (and pitch, roll, rotation degrees) after the image was taken.
    anatomy_curve : str or None
        A CT curve file; "planning": that of the planning CT; "matched": HU brought to the planning CT.
    truncated : str
        "refuse" or "complete": what to do if the image does not show the whole patient.
    device : str
        Where physics, networks and refinements compute: "cpu", "cuda", "cuda:1"; "mps" for networks and refinements
        alone.
    """

    study_dir: Path
    out_dir: Path
    machine: Path | None = None
    model: str = "physics"
    refinement: str = "none"
    ct_curve: Path | None = None
    planned_portal_dir: Path | None = None
    constraints: Path | None = None
    criteria: tuple[tuple[float, float], ...] = DEFAULT_CRITERIA
    grid_mm: float | None = None
    dose_to: str = "water"
    assigned: tuple[tuple[int, str], ...] = ()
    anatomy: Path | None = None
    registration: str = "rigid"
    setup: str | None = None
    isocentre_mm: tuple[float, ...] | None = None
    couch_shift: str | None = None
    anatomy_curve: str | None = None
    truncated: str = "refuse"
    device: str = "cpu"


def parse_criteria(text: str) -> tuple[tuple[float, float], ...]:
    """Read criteria such as ``3/3,3/2``: dose in percent, distance in mm.

    Raises
    ------
    InvalidSetting
        Not pairs of positive numbers.

    Examples
    --------
    >>> parse_criteria("3/3, 2/2")
    ((3.0, 3.0), (2.0, 2.0))
    """
    try:
        pairs = tuple((float(dose), float(distance)) for dose, distance in (p.split("/") for p in text.split(",")))
    except ValueError:
        pairs = ()
    if not pairs or not all(0 < value < float("inf") for pair in pairs for value in pair):
        raise InvalidSetting(f"Gamma criteria {text!r} are not like 3/3,2/2 (percent/mm, both above 0).")
    return pairs


def parse_assignment(text: str) -> tuple[int, str]:
    """Read which image shows a beam: ``BEAM=FILE``, the beam by its number.

    Raises
    ------
    InvalidSetting
        Not a number and a file name.

    Examples
    --------
    >>> parse_assignment("2=RI_lat.dcm")
    (2, 'RI_lat.dcm')
    """
    number, _, name = text.partition("=")
    if not number.strip().isdecimal() or not name.strip():
        raise InvalidSetting(f"--assign {text!r}: expected BEAM=FILE, for example 2=RI_lat.dcm.")
    return int(number), name.strip()
