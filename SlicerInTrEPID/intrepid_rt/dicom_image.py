"""RTIMAGE headers: which beam was imaged, and where each pixel lies in IEC 61217 gantry axes."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from intrepid_rt.dicom_file import decimals, integer, items, label, number, text, texts, vector
from intrepid_rt.errors import MissingObject, UnsupportedGeometry

_USUAL_SOURCE_TO_AXIS_MM = 1000.0
_NEAREST_MM, _FARTHEST_MM = 100.0, 10000.0
# A panel is set and read out to about a millimetre; more than this means that one of the two numbers is wrong.
_DISTANCE_TOLERANCE_MM = 10.0
_DATE_TIME_PAIRS = ("Acquisition", "Content", "InstanceCreation", "Series", "Study")


@dataclass(frozen=True)
class PortalHeader:
    """What an RTIMAGE states about how it was taken; None or empty where it states nothing."""

    sop_instance_uid: str
    kind: str  # third value of ImageType: PORTAL, DRR, SIMULATOR, ...
    is_dose: bool  # pixels rescale to Gy: computed, not measured
    machine: str
    plan_uid: str
    beam_number: int | None
    fraction_number: int | None
    gantry_angle_deg: float | None
    acquired: datetime | None
    meterset_mu: float | None
    frame_of_reference_uid: str
    series_uid: str = ""
    instance_number: int | None = None
    n_frames: int = 1
    meterset_weights: tuple[float, float] | None = None  # cumulative, at start and end of the image
    peak_voltage_mv: float | None = None


@dataclass(frozen=True, eq=False)
class PortalGeometry:
    """Pixel lattice in the imager plane, in IEC 61217 gantry axes X_g, Y_g (mm, origin on the beam axis).

    The centre of pixel [row, column] is ``first_pixel_mm + column * per_column_mm + row * per_row_mm``.
    """

    first_pixel_mm: NDArray  # (2,)
    per_column_mm: NDArray  # (2,)
    per_row_mm: NDArray  # (2,)
    source_to_image_mm: float
    source_to_axis_mm: float
    notes: tuple[str, ...] = ()


def portal_header(dataset: Dataset) -> PortalHeader:
    """Read what links an RTIMAGE to a plan, a beam and a fraction; needs no pixels."""
    values = texts(dataset, "ImageType")
    return PortalHeader(
        sop_instance_uid=text(dataset, "SOPInstanceUID"),
        kind=values[2] if len(values) > 2 else "",
        is_dose=text(dataset, "RescaleType").upper() == "GY",
        machine=text(dataset, "RadiationMachineName"),
        plan_uid=next(
            (text(item, "ReferencedSOPInstanceUID") for item in items(dataset, "ReferencedRTPlanSequence")), ""
        ),
        beam_number=integer(dataset, "ReferencedBeamNumber"),
        fraction_number=integer(dataset, "FractionNumber"),
        gantry_angle_deg=number(dataset, "GantryAngle"),
        acquired=_acquired(dataset),
        meterset_mu=_meterset_mu(dataset),
        frame_of_reference_uid=text(dataset, "FrameOfReferenceUID"),
        series_uid=text(dataset, "SeriesInstanceUID"),
        instance_number=integer(dataset, "InstanceNumber"),
        n_frames=max(integer(dataset, "NumberOfFrames") or 1, 1),
        meterset_weights=_meterset_weights(dataset),
        peak_voltage_mv=_peak_voltage_mv(dataset),
    )


def _peak_voltage_mv(dataset: Dataset) -> float | None:
    """KVP of the exposures or of the image; None if not stated, or too low to be kilovolts of any beam."""
    stated = [number(item, "KVP") for item in (*items(dataset, "ExposureSequence"), dataset)]
    return next((kilovolts / 1000 for kilovolts in stated if kilovolts is not None and kilovolts > 40), None)


def _meterset_weights(dataset: Dataset) -> tuple[float, float] | None:
    start, end = (number(dataset, f"{side}CumulativeMetersetWeight") for side in ("Start", "End"))
    return (start, end) if start is not None and end is not None else None


def _acquired(dataset: Dataset) -> datetime | None:
    for prefix in _DATE_TIME_PAIRS:
        date = text(dataset, prefix + "Date").replace(".", "")
        if len(date) != 8 or not date.isdigit():
            continue
        clock, _, fraction = text(dataset, prefix + "Time").replace(":", "").partition(".")
        time = clock.ljust(6, "0")[:6] + (fraction or "0")[:6]
        try:
            return datetime.strptime(date + time, "%Y%m%d%H%M%S%f")
        except ValueError:
            continue
    return None


def _meterset_mu(dataset: Dataset) -> float | None:
    """Monitor units of all exposures together, None if one does not state them or not in MU."""
    stated = [number(item, "MetersetExposure") for item in items(dataset, "ExposureSequence")]
    known = [meterset for meterset in stated if meterset is not None]
    is_whole = bool(known) and len(known) == len(stated)
    return sum(known) if is_whole and text(dataset, "PrimaryDosimeterUnit").upper() in ("MU", "") else None


def portal_geometry(dataset: Dataset) -> PortalGeometry:
    """Read where the pixels of an RTIMAGE lie.

    Raises
    ------
    MissingObject
        No RTImageSID, ImagePlanePixelSpacing, Rows or Columns.
    UnsupportedGeometry
        A plane not perpendicular to the beam, or numbers that contradict each other.

    References
    ----------
    DICOM PS3.3 C.8.8.2 (RT Image module); IEC 61217:2011, gantry and X-ray image receptor systems.
    """
    notes: list[str] = []
    if text(dataset, "RTImagePlane").upper() not in ("NORMAL", ""):
        raise UnsupportedGeometry(
            f"{label(dataset)}: RTImagePlane is {text(dataset, 'RTImagePlane')}; expected a plane perpendicular to the "
            "beam (NORMAL)."
        )
    row_spacing_mm, column_spacing_mm = vector(dataset, "ImagePlanePixelSpacing", 2)
    if min(row_spacing_mm, column_spacing_mm) <= 0:
        raise UnsupportedGeometry(f"{label(dataset)}: ImagePlanePixelSpacing must be positive.")
    along_row, along_column = _orientation(dataset)
    per_column, per_row = along_row * column_spacing_mm, along_column * row_spacing_mm
    first = _first_pixel(dataset, per_column, per_row, notes)
    source_to_image_mm, source_to_axis_mm = _distances(dataset, notes)
    receptor = _rotation(number(dataset, "XRayImageReceptorAngle") or 0.0)
    shift = _translation(dataset, source_to_image_mm, source_to_axis_mm, notes)
    return PortalGeometry(
        first_pixel_mm=receptor @ first + shift,
        per_column_mm=receptor @ per_column,
        per_row_mm=receptor @ per_row,
        source_to_image_mm=source_to_image_mm,
        source_to_axis_mm=source_to_axis_mm,
        notes=tuple(notes),
    )


def _orientation(dataset: Dataset) -> tuple[NDArray, NDArray]:
    """Directions of growing column and row index in the receptor's X and Y."""
    cosines = decimals(dataset, "RTImageOrientation")
    if not len(cosines):
        # PS3.3 C.8.8.2: may be left out for a NORMAL plane, which is then seen from the source, row 0 at +Y.
        return np.array([1.0, 0.0]), np.array([0.0, -1.0])
    if len(cosines) != 6 or abs(cosines[[2, 5]]).max() > 1e-3:
        raise UnsupportedGeometry(f"{label(dataset)}: RTImageOrientation does not lie in the receptor plane.")
    along_row, along_column = cosines[:2], cosines[3:5]
    lengths = np.linalg.norm([along_row, along_column], axis=1)
    if abs(lengths - 1).max() > 1e-3 or abs(along_row @ along_column) > 1e-3:
        raise UnsupportedGeometry(f"{label(dataset)}: RTImageOrientation is not two unit vectors at a right angle.")
    return along_row, along_column


def _first_pixel(dataset: Dataset, per_column: NDArray, per_row: NDArray, notes: list[str]) -> NDArray:
    """Centre of the first pixel in the receptor system."""
    position = decimals(dataset, "RTImagePosition")
    if len(position) == 2:
        return position
    if len(position):
        raise UnsupportedGeometry(f"{label(dataset)}: RTImagePosition holds {len(position)} numbers; expected 2.")
    rows, columns = integer(dataset, "Rows"), integer(dataset, "Columns")
    if not rows or not columns:
        raise MissingObject(f"{label(dataset)} lacks Rows or Columns. Export it again.")
    notes.append("RTImagePosition is empty: the image is centred on the receptor's origin.")
    return -(columns - 1) / 2 * per_column - (rows - 1) / 2 * per_row


def _distances(dataset: Dataset, notes: list[str]) -> tuple[float, float]:
    source_to_image_mm = number(dataset, "RTImageSID")
    if source_to_image_mm is None or source_to_image_mm <= 0:
        raise MissingObject(f"{label(dataset)} states no RTImageSID (source to image). Export it again with it.")
    source_to_axis_mm = number(dataset, "RadiationMachineSAD")
    if source_to_axis_mm is None or source_to_axis_mm <= 0:
        source_to_axis_mm = _USUAL_SOURCE_TO_AXIS_MM
        notes.append(f"RadiationMachineSAD is not stated: taken as {source_to_axis_mm:g} mm.")
    for name, distance_mm in (("RTImageSID", source_to_image_mm), ("RadiationMachineSAD", source_to_axis_mm)):
        if not _NEAREST_MM <= distance_mm <= _FARTHEST_MM:
            raise UnsupportedGeometry(f"{label(dataset)}: {name} is {distance_mm:g} mm, which no machine has.")
    return source_to_image_mm, source_to_axis_mm


def _rotation(angle_deg: float) -> NDArray:
    """Receptor to gantry axes: IEC 61217, positive from +X_g towards +Y_g, anticlockwise seen from the source."""
    cosine, sine = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
    return np.array([[cosine, -sine], [sine, cosine]])


def _translation(dataset: Dataset, source_to_image_mm: float, source_to_axis_mm: float, notes: list[str]) -> NDArray:
    """Origin of the receptor system in gantry X_g, Y_g; its Z_g only checks RTImageSID."""
    translation = decimals(dataset, "XRayImageReceptorTranslation")
    if not len(translation):
        return np.zeros(2)
    if len(translation) != 3:
        raise UnsupportedGeometry(f"{label(dataset)}: XRayImageReceptorTranslation must hold three numbers.")
    expected = source_to_axis_mm - source_to_image_mm
    # Some systems leave Z at 0 and state the height by RTImageSID alone.
    disagreement = 0.0 if translation[2] == 0 else abs(translation[2] - expected)
    if disagreement > _DISTANCE_TOLERANCE_MM:
        raise UnsupportedGeometry(
            f"{label(dataset)}: RTImageSID {source_to_image_mm:g} mm puts the imager at Z = {expected:g} mm, "
            f"XRayImageReceptorTranslation at {translation[2]:g} mm. Correct one of them."
        )
    if disagreement > 1.0:
        notes.append(f"RTImageSID and XRayImageReceptorTranslation differ by {disagreement:.1f} mm; RTImageSID holds.")
    return translation[:2]
