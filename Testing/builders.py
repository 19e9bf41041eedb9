"""DICOM studies made by code, for all tests: any orientation, spacing and patient position, the answer beside it.

Geometry is written down from PS3.3 C.7.6.2.1.1 here, apart from the code under test: the centre of the pixel in
``row`` and ``column`` lies at ``position + along_row * column * column_spacing + along_column * row * row_spacing``.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

SOP_CLASS_UID = {
    "CT": "1.2.840.10008.5.1.4.1.1.2",
    "RTIMAGE": "1.2.840.10008.5.1.4.1.1.481.1",
    "RTDOSE": "1.2.840.10008.5.1.4.1.1.481.2",
    "RTSTRUCT": "1.2.840.10008.5.1.4.1.1.481.3",
    "RTPLAN": "1.2.840.10008.5.1.4.1.1.481.5",
}

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
ORIENTATIONS = {
    "axial": AXIAL,
    "prone": (-1.0, 0.0, 0.0, 0.0, -1.0, 0.0),
    "feet first": (-1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
    "feet first prone": (1.0, 0.0, 0.0, 0.0, -1.0, 0.0),
    "decubitus": (0.0, -1.0, 0.0, 1.0, 0.0, 0.0),
    "sagittal": (0.0, 1.0, 0.0, 0.0, 0.0, -1.0),
    "coronal": (1.0, 0.0, 0.0, 0.0, 0.0, -1.0),
    "oblique": (0.8, 0.6, 0.0, -0.36, 0.48, 0.8),
}


@dataclass(frozen=True)
class Ids:
    """Identifiers that the objects of one patient share."""

    patient: str = "TEST-1"
    study: str = field(default_factory=generate_uid)
    frame: str = field(default_factory=generate_uid)
    ct_series: str = field(default_factory=generate_uid)
    structure_set: str = field(default_factory=generate_uid)
    plan: str = field(default_factory=generate_uid)


@dataclass(frozen=True)
class Lattice:
    """Planes of pixels in the patient, LPS mm."""

    shape: tuple[int, int, int] = (5, 6, 7)  # frames, rows, columns
    position: tuple[float, float, float] = (-31.0, 12.5, -40.25)
    orientation: tuple[float, ...] = AXIAL
    row_spacing_mm: float = 2.0
    column_spacing_mm: float = 3.0
    offsets_mm: tuple[float, ...] | None = None  # along the normal; 2.5 mm apart if not given

    @property
    def offsets(self) -> NDArray:
        return np.array(self.offsets_mm if self.offsets_mm is not None else 2.5 * np.arange(self.shape[0]))

    @property
    def axes(self) -> tuple[NDArray, NDArray, NDArray]:
        along_row, along_column = np.array(self.orientation, float).reshape(2, 3)
        return along_row, along_column, np.cross(along_row, along_column)

    def pixel_positions(self) -> NDArray:
        """LPS mm of every stored pixel, (frames, rows, columns, 3)."""
        _, rows, columns = self.shape
        along_row, along_column, normal = self.axes
        offset = self.offsets[:, None, None, None] * normal
        row = (np.arange(rows) * self.row_spacing_mm)[None, :, None, None] * along_column
        column = (np.arange(columns) * self.column_spacing_mm)[None, None, :, None] * along_row
        return np.array(self.position) + offset + row + column


def linear_field(position_lps_mm: ArrayLike) -> NDArray:
    """Return a quantity that is linear in the patient: 20 + 0.05 x - 0.03 y + 0.04 z, x, y, z in mm."""
    return 20.0 + np.asarray(position_lps_mm, float) @ np.array([0.05, -0.03, 0.04])


def item(**elements: object) -> Dataset:
    """Sequence item from keywords."""
    made = Dataset()
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


def reference(modality: str, uid: str) -> Dataset:
    """Item that refers to a SOP instance."""
    return item(ReferencedSOPClassUID=SOP_CLASS_UID[modality], ReferencedSOPInstanceUID=uid)


def new_dataset(modality: str, ids: Ids, *, uid: str = "", series: str = "") -> Dataset:
    """Return an object of this modality with patient, study and series."""
    made = item(
        SpecificCharacterSet="ISO_IR 192",
        SOPClassUID=SOP_CLASS_UID[modality],
        SOPInstanceUID=uid or generate_uid(),
        Modality=modality,
        PatientName="Doe^Secret",
        PatientID=ids.patient,
        PatientBirthDate="",
        PatientSex="O",
        StudyInstanceUID=ids.study,
        SeriesInstanceUID=series or generate_uid(),
        FrameOfReferenceUID=ids.frame,
        StudyDate="20260102",
        StudyTime="101500",
        StudyID="1",
        AccessionNumber="",
        ReferringPhysicianName="",
    )
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return made


def save(dataset: Dataset, path: Path) -> Path:
    """Write a data set as a DICOM file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def set_pixels(dataset: Dataset, stored: NDArray) -> None:
    """Store integer pixels of any width; (rows, columns) or (frames, rows, columns)."""
    bits = stored.dtype.itemsize * 8
    dataset.Rows, dataset.Columns = stored.shape[-2:]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits, bits, bits - 1
    dataset.PixelRepresentation = int(stored.dtype.kind == "i")
    dataset.PixelData = stored.astype(stored.dtype.newbyteorder("<")).tobytes()


def ct_slices(
    hounsfield: NDArray, lattice: Lattice, ids: Ids, *, patient_position: str = "HFS", intercept: int = -1024
) -> list[Dataset]:
    """One CT object per plane of ``hounsfield`` (frames, rows, columns)."""
    slices = []
    for number, (values, offset) in enumerate(zip(hounsfield, lattice.offsets, strict=True), 1):
        one = new_dataset("CT", ids, series=ids.ct_series)
        one.ImageType, one.PatientPosition, one.InstanceNumber = (
            ["ORIGINAL", "PRIMARY", "AXIAL"],
            patient_position,
            number,
        )
        one.ImagePositionPatient = [
            float(v) for v in np.round(np.array(lattice.position) + offset * lattice.axes[2], 6)
        ]
        one.ImageOrientationPatient = list(lattice.orientation)
        one.PixelSpacing = [lattice.row_spacing_mm, lattice.column_spacing_mm]
        one.SliceThickness, one.RescaleSlope, one.RescaleIntercept = "2.5", "1", str(intercept)
        set_pixels(one, np.rint(values - intercept).astype(np.int16))
        slices.append(one)
    return slices


def rtdose(
    dose_gy: NDArray,
    lattice: Lattice,
    ids: Ids,
    *,
    bits: int = 32,
    absolute_z: bool = False,
    summation_type: str = "PLAN",
    beam_number: int | None = None,
) -> Dataset:
    """RTDOSE of ``dose_gy`` (frames, rows, columns); ``absolute_z`` writes offsets as patient z."""
    made = new_dataset("RTDOSE", ids)
    made.DoseUnits, made.DoseType, made.DoseSummationType = "GY", "PHYSICAL", summation_type
    scaling = float(f"{float(dose_gy.max()) / (2**bits - 1) * 1.001:.8g}")
    made.DoseGridScaling = f"{scaling:.8g}"
    offsets = lattice.offsets
    first = np.array(lattice.position) + offsets[0] * lattice.axes[2]
    made.ImagePositionPatient = [float(v) for v in np.round(first, 6)]
    made.ImageOrientationPatient = list(lattice.orientation)
    made.PixelSpacing = [lattice.row_spacing_mm, lattice.column_spacing_mm]
    made.NumberOfFrames, made.FrameIncrementPointer = dose_gy.shape[0], 0x3004000C
    z = first[2] + (offsets - offsets[0]) * lattice.axes[2][2]
    made.GridFrameOffsetVector = [float(v) for v in np.round(z if absolute_z else offsets - offsets[0], 6)]
    set_pixels(made, np.rint(dose_gy / scaling).astype(f"u{bits // 8}"))
    plan = reference("RTPLAN", ids.plan)
    if beam_number is not None:
        beam = item(ReferencedBeamNumber=beam_number)
        plan.ReferencedFractionGroupSequence = [item(ReferencedFractionGroupNumber=1, ReferencedBeamSequence=[beam])]
    made.ReferencedRTPlanSequence = [plan]
    return made


@dataclass(frozen=True)
class Roi:
    """One ROI to be written; contours and points are (n, 3) LPS mm."""

    name: str
    contours: Sequence[ArrayLike] = ()
    points: Sequence[ArrayLike] = ()
    interpreted_type: str = "ORGAN"
    colour: tuple[int, int, int] = (255, 0, 0)


def ring(centre_xy: tuple[float, float], radius_mm: float, z: float, vertices: int = 64) -> NDArray:
    """Regular polygon in an axial plane, (vertices, 3); its area is n/2 r^2 sin(2 pi / n)."""
    turn = 2 * np.pi * np.arange(vertices) / vertices
    x, y = centre_xy[0] + radius_mm * np.cos(turn), centre_xy[1] + radius_mm * np.sin(turn)
    return np.round(np.stack([x, y, np.full(vertices, z)], axis=1), 4)


def contour_item(points: ArrayLike, kind: str = "CLOSED_PLANAR") -> Dataset:
    """Item of a ContourSequence."""
    points = np.atleast_2d(np.asarray(points, float))
    data = [f"{v:.10g}" for v in points.ravel()]
    return item(ContourGeometricType=kind, NumberOfContourPoints=len(points), ContourData=data)


def rtstruct(rois: Iterable[Roi], ids: Ids) -> Dataset:
    """RTSTRUCT drawn on the CT series of the ids."""
    made = new_dataset("RTSTRUCT", ids, uid=ids.structure_set)
    made.StructureSetLabel = "TEST"
    series = item(SeriesInstanceUID=ids.ct_series, ContourImageSequence=[])
    study = item(ReferencedSOPInstanceUID=ids.study, RTReferencedSeriesSequence=[series])
    frame = item(FrameOfReferenceUID=ids.frame, RTReferencedStudySequence=[study])
    made.ReferencedFrameOfReferenceSequence = [frame]
    made.StructureSetROISequence, made.ROIContourSequence, made.RTROIObservationsSequence = [], [], []
    for number, roi in enumerate(rois, 1):
        drawn = [contour_item(contour) for contour in roi.contours]
        drawn += [contour_item(point, "POINT") for point in roi.points]
        made.StructureSetROISequence.append(
            item(ROINumber=number, ROIName=roi.name, ReferencedFrameOfReferenceUID=ids.frame)
        )
        made.ROIContourSequence.append(
            item(ReferencedROINumber=number, ROIDisplayColor=list(roi.colour), ContourSequence=drawn)
        )
        made.RTROIObservationsSequence.append(
            item(ObservationNumber=number, ReferencedROINumber=number, RTROIInterpretedType=roi.interpreted_type)
        )
    return made


@dataclass(frozen=True)
class BeamSpec:
    """One beam to be written; several gantry angles make an arc with as many control points."""

    name: str = "AP"
    gantry_deg: tuple[float, ...] = (0.0,)
    meterset_mu: float | None = 100.0
    machine: str = "LINAC1"
    isocentre: tuple[float, float, float] = (0.0, 0.0, 0.0)
    jaw_x_mm: tuple[float, float] = (-50.0, 50.0)
    jaw_y_mm: tuple[float, float] = (-40.0, 60.0)
    leaf_boundaries_mm: tuple[float, ...] = ()
    leaves_mm: tuple[tuple[float, ...], ...] = ()  # per control point: bank 1, then bank 2
    delivery_type: str = "TREATMENT"


def rtplan(beams: Sequence[BeamSpec], ids: Ids, *, patient_position: str = "HFS", fractions: int = 1) -> Dataset:
    """RTPLAN of these beams, numbered from 1."""
    made = new_dataset("RTPLAN", ids, uid=ids.plan)
    made.RTPlanLabel, made.RTPlanDate, made.RTPlanTime, made.RTPlanGeometry = "TEST", "20260101", "120000", "PATIENT"
    made.ReferencedStructureSetSequence = [reference("RTSTRUCT", ids.structure_set)]
    made.PatientSetupSequence = [item(PatientSetupNumber=1, PatientPosition=patient_position)]
    metersets = []
    for number, beam in enumerate(beams, 1):
        metersets.append(item(ReferencedBeamNumber=number))
        if beam.meterset_mu is not None:
            metersets[-1].BeamMeterset = str(beam.meterset_mu)
    made.FractionGroupSequence = [
        item(FractionGroupNumber=1, NumberOfFractionsPlanned=fractions, ReferencedBeamSequence=metersets)
    ]
    made.DoseReferenceSequence = [
        item(DoseReferenceNumber=1, DoseReferenceStructureType="SITE", DoseReferenceType="TARGET")
    ]
    made.DoseReferenceSequence[0].TargetPrescriptionDose = "50"
    made.BeamSequence = [_beam_item(number, beam) for number, beam in enumerate(beams, 1)]
    return made


def _beam_item(number: int, beam: BeamSpec) -> Dataset:
    devices = [item(RTBeamLimitingDeviceType=kind, NumberOfLeafJawPairs=1) for kind in ("ASYMX", "ASYMY")]
    if beam.leaf_boundaries_mm:
        pairs = len(beam.leaf_boundaries_mm) - 1
        devices.append(item(RTBeamLimitingDeviceType="MLCX", NumberOfLeafJawPairs=pairs))
        devices[-1].LeafPositionBoundaries = list(beam.leaf_boundaries_mm)
    count = max(len(beam.gantry_deg), len(beam.leaves_mm), 2)
    return item(
        BeamNumber=number,
        BeamName=beam.name,
        BeamType="STATIC",
        RadiationType="PHOTON",
        TreatmentMachineName=beam.machine,
        PrimaryDosimeterUnit="MU",
        SourceAxisDistance="1000",
        TreatmentDeliveryType=beam.delivery_type,
        FinalCumulativeMetersetWeight="1",
        NumberOfControlPoints=count,
        BeamLimitingDeviceSequence=devices,
        ControlPointSequence=[_control_point(index, count, beam) for index in range(count)],
    )


def _control_point(index: int, count: int, beam: BeamSpec) -> Dataset:
    """State everything in the first control point, later only what changes, as planning systems do."""
    point = item(ControlPointIndex=index, CumulativeMetersetWeight=f"{index / (count - 1):.10g}")
    positions = []
    if index == 0:
        point.NominalBeamEnergy, point.GantryAngle = "6", str(beam.gantry_deg[0])
        point.GantryRotationDirection = "NONE" if len(beam.gantry_deg) == 1 else "CW"
        point.BeamLimitingDeviceAngle, point.PatientSupportAngle = "10", "350"
        point.IsocenterPosition = list(beam.isocentre)
        positions.append(item(RTBeamLimitingDeviceType="ASYMX", LeafJawPositions=list(beam.jaw_x_mm)))
        positions.append(item(RTBeamLimitingDeviceType="ASYMY", LeafJawPositions=list(beam.jaw_y_mm)))
    elif index < len(beam.gantry_deg):
        point.GantryAngle = str(beam.gantry_deg[index])
    if index < len(beam.leaves_mm):
        positions.append(item(RTBeamLimitingDeviceType="MLCX", LeafJawPositions=list(beam.leaves_mm[index])))
    if positions:
        point.BeamLimitingDevicePositionSequence = positions
    return point


def rtimage(
    stored: NDArray,
    ids: Ids,
    *,
    beam_number: int | None = 1,
    gantry_deg: float | None = 0.0,
    pixel_mm: tuple[float, float] = (0.8, 0.5),
    source_to_image_mm: float = 1600.0,
    machine: str = "LINAC1",
    elekta_factor: float | None = None,
    acquired: str = "20260105083000",
    refer_to_plan: bool = True,
) -> Dataset:
    """RTIMAGE of unsigned 16 bit pixels (rows, columns), without RTImagePosition, as portal imagers write it."""
    made = new_dataset("RTIMAGE", ids)
    made.ImageType, made.RTImageLabel, made.RTImagePlane = ["ORIGINAL", "PRIMARY", "PORTAL"], "PORTAL", "NORMAL"
    made.ImagePlanePixelSpacing, made.RTImagePosition = list(pixel_mm), None
    made.RadiationMachineName, made.RadiationMachineSAD = machine, "1000"
    made.RTImageSID, made.PrimaryDosimeterUnit = str(source_to_image_mm), "MU"
    made.AcquisitionDate, made.AcquisitionTime = acquired[:8], acquired[8:]
    if gantry_deg is not None:
        made.GantryAngle = str(gantry_deg)
    if refer_to_plan:
        made.ReferencedRTPlanSequence = [reference("RTPLAN", ids.plan)]
    if beam_number is not None:
        made.ReferencedBeamNumber = beam_number
    if elekta_factor is not None:
        made.Manufacturer = "ELEKTA"
        block = made.private_block(0x0021, "Elekta: Portal image", create=True)
        block.add_new(0x02, "DS", f"{elekta_factor:.10g}")
    set_pixels(made, stored.astype(np.uint16))
    return made


def elekta_pixels(signal: NDArray, factor: float) -> NDArray:
    """Pixels as iView stores them: inverted."""
    return 65535 - np.rint(signal * factor).astype(np.uint16)


def field_signal(shape: tuple[int, int] = (40, 60)) -> NDArray:
    """Signal of an off-centre rectangular field without symmetry: row and column gradients inside."""
    signal = np.full(shape, 0.01)
    signal[8:30, 12:50] = 1.0 + 0.01 * np.arange(22)[:, None] + 0.002 * np.arange(38)[None, :]
    return signal


def write_treatment(folder: Path, ids: Ids | None = None, *, gantry_deg: Sequence[float] = (0.0, 90.0)) -> Ids:
    """Write a complete small study: CT, RTSTRUCT, RTPLAN, RTDOSE per beam and plan, one RTIMAGE per beam."""
    ids = ids or Ids()
    ct_lattice = Lattice((8, 12, 14), (-20.0, -15.0, -10.0), row_spacing_mm=3.0, column_spacing_mm=3.0)
    hounsfield = np.zeros(ct_lattice.shape)
    for number, one in enumerate(ct_slices(hounsfield, ct_lattice, ids)):
        save(one, folder / f"CT_{number:03d}.dcm")
    body = Roi("BODY", [ring((0, 0), 14, -10.0 + 2.5 * k) for k in range(8)], interpreted_type="EXTERNAL")
    save(rtstruct([body], ids), folder / "RTSTRUCT.dcm")
    save(rtplan([BeamSpec(f"B{n}", (g,)) for n, g in enumerate(gantry_deg, 1)], ids), folder / "RTPLAN.dcm")
    dose_lattice = Lattice((5, 6, 7), (-9.0, -7.0, -8.0))
    dose = linear_field(dose_lattice.pixel_positions())
    save(rtdose(dose * len(gantry_deg), dose_lattice, ids), folder / "RTDOSE_PLAN.dcm")
    for number, gantry in enumerate(gantry_deg, 1):
        beam_dose = rtdose(dose, dose_lattice, ids, bits=16, summation_type="BEAM", beam_number=number)
        save(beam_dose, folder / f"RTDOSE_{number}.dcm")
        pixels = elekta_pixels(field_signal(), 30000.0)
        image = rtimage(pixels, ids, beam_number=number, gantry_deg=gantry, elekta_factor=30000.0)
        save(image, folder / f"RTIMAGE_{number}.dcm")
    return ids
