"""The DICOM objects of a synthetic patient: CT slices, structure set, plan and a dose that is linear in space."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from intrepid_cohort.simulation.anatomy import LANGUAGES, ORGANS, SLICE_MM, SLICES, Organ
from intrepid_rt.dicom_new_object import decimal, item, new_object, reference

_CT_PIXELS = 16
_DOSE_MM = 10.0

_DETACHED_STUDY = "1.2.840.10008.3.1.2.3.1"  # retired, and still what the study of a structure set is said to be


@dataclass(frozen=True)
class Person:
    """A synthetic patient, the same in all objects. ``uid_root`` makes UIDs that depend on it and the seed alone."""

    patient_id: str
    birth_date: str
    sex: str
    centre: str
    language: int
    size: float
    study_day: datetime
    uid_root: str

    def uid(self, *what: object) -> str:
        """Return the UID of one thing of this patient."""
        return str(generate_uid(entropy_srcs=[self.uid_root, *(str(part) for part in what)]))

    @property
    def organs(self) -> list[Organ]:
        """The patient's organs."""
        return [organ.grown(self.size) for organ in ORGANS]


@dataclass(frozen=True)
class ImageSet:
    """One planning CT of a patient: its own study, frame of reference and place in space."""

    person: Person
    number: int
    origin_lps_mm: tuple[float, float, float]

    def uid(self, what: str, *more: object) -> str:
        """Return the UID of one thing of this image set."""
        return self.person.uid(self.number, what, *more)

    @property
    def origin(self) -> NDArray:
        """Place of the anatomy's first slice."""
        return np.array(self.origin_lps_mm)


@dataclass(frozen=True)
class PlanSpec:
    """A plan as it will be written; the dose is ``dose_gy`` at the PTV's centroid and changes by ``slope`` per mm."""

    key: str
    label: str
    fractions: int
    dose_gy: float
    slope_per_mm: tuple[float, float, float]
    meterset_mu: tuple[float, ...]
    approval: str = "APPROVED"
    arc: bool = False

    def dose_at(self, image_set: ImageSet, positions_lps_mm: NDArray) -> NDArray:
        """Dose in Gy at LPS positions (..., 3) in mm."""
        target = next(organ for organ in image_set.person.organs if organ.interpreted_type == "PTV")
        return self.dose_gy * (
            1.0 + (positions_lps_mm - target.centroid_mm(image_set.origin)) @ np.array(self.slope_per_mm)
        )


def ct_slices(image_set: ImageSet) -> list[Dataset]:
    """CT slices of water, small but complete."""
    made = []
    for number in range(SLICES):
        one = _new(image_set, "CT", "ct", number, series="ct")
        one.ImageType, one.InstanceNumber, one.PatientPosition = ["ORIGINAL", "PRIMARY", "AXIAL"], number + 1, "HFS"
        x, y, z = image_set.origin - [150.0, 105.0, 0.0]
        one.ImagePositionPatient = [decimal(x), decimal(y), decimal(z + number * SLICE_MM)]
        one.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
        one.PixelSpacing, one.SliceThickness, one.KVP = ["14", "20"], decimal(SLICE_MM), "120"
        one.AcquisitionNumber, one.Laterality = 1, ""
        one.AcquisitionDate = image_set.person.study_day.strftime("%Y%m%d")
        one.RescaleSlope, one.RescaleIntercept = "1", "-1024"
        _set_pixels(one, np.full((_CT_PIXELS, _CT_PIXELS), 1024, np.uint16))
        made.append(one)
    return made


def structure_set(image_set: ImageSet) -> Dataset:
    """RTSTRUCT with the organs in the language of the centre."""
    person = image_set.person
    made = _new(image_set, "RTSTRUCT", "structures")
    made.StructureSetLabel, made.ApprovalStatus = "CT 1", "UNAPPROVED"
    made.StructureSetDate, made.StructureSetTime = person.study_day.strftime("%Y%m%d"), "101500"
    slices = [reference("CT", image_set.uid("ct", number)) for number in range(SLICES)]
    series = item(SeriesInstanceUID=image_set.uid("ct series"), ContourImageSequence=slices)
    study = item(
        ReferencedSOPClassUID=_DETACHED_STUDY,
        ReferencedSOPInstanceUID=image_set.uid("study"),
        RTReferencedSeriesSequence=[series],
    )
    made.ReferencedFrameOfReferenceSequence = [
        item(FrameOfReferenceUID=image_set.uid("frame"), RTReferencedStudySequence=[study])
    ]
    made.StructureSetROISequence, made.ROIContourSequence, made.RTROIObservationsSequence = [], [], []
    for number, organ in enumerate(person.organs, 1):
        _add_roi(made, number, organ, image_set)
    return made


def _add_roi(made: Dataset, number: int, organ: Organ, image_set: ImageSet) -> None:
    name = organ.variants[image_set.person.language]
    frame = image_set.uid("frame")
    made.StructureSetROISequence.append(
        item(ROINumber=number, ROIName=name, ReferencedFrameOfReferenceUID=frame, ROIGenerationAlgorithm="MANUAL")
    )
    drawn = [
        item(
            ContourGeometricType="CLOSED_PLANAR",
            NumberOfContourPoints=len(contour),
            ContourData=[f"{value:.10g}" for value in contour.ravel()],
        )
        for contour in organ.contours_mm(image_set.origin)
    ]
    made.ROIContourSequence.append(item(ReferencedROINumber=number, ContourSequence=drawn))
    made.RTROIObservationsSequence.append(
        item(
            ObservationNumber=number,
            ReferencedROINumber=number,
            RTROIInterpretedType=organ.interpreted_type,
            ROIInterpreter="",
        )
    )


def plan(image_set: ImageSet, spec: PlanSpec) -> Dataset:
    """RTPLAN with a beam per meterset, static or arc."""
    made = _new(image_set, "RTPLAN", "plan", spec.key)
    made.RTPlanLabel, made.ApprovalStatus, made.RTPlanGeometry = spec.label, spec.approval, "PATIENT"
    if spec.approval != "UNAPPROVED":
        made.ReviewDate, made.ReviewTime = image_set.person.study_day.strftime("%Y%m%d"), "130000"
        made.ReviewerName = "Reviewer^Synthetic"
    made.RTPlanDate, made.RTPlanTime = image_set.person.study_day.strftime("%Y%m%d"), "120000"
    made.ReferencedStructureSetSequence = [reference("RTSTRUCT", image_set.uid("structures"))]
    made.PatientSetupSequence = [item(PatientSetupNumber=1, PatientPosition="HFS")]
    made.DoseReferenceSequence = [
        item(DoseReferenceNumber=1, DoseReferenceStructureType="SITE", DoseReferenceType="TARGET",
             DoseReferenceDescription="PTV", TargetPrescriptionDose=decimal(spec.dose_gy))
    ]  # fmt: skip
    metersets = [
        item(ReferencedBeamNumber=number, BeamMeterset=decimal(mu)) for number, mu in enumerate(spec.meterset_mu, 1)
    ]
    made.FractionGroupSequence = [
        item(FractionGroupNumber=1, NumberOfFractionsPlanned=spec.fractions, NumberOfBeams=len(metersets),
             NumberOfBrachyApplicationSetups=0, ReferencedBeamSequence=metersets)
    ]  # fmt: skip
    made.BeamSequence = [_beam(image_set, number, spec) for number in range(1, len(metersets) + 1)]
    return made


def _beam(image_set: ImageSet, number: int, spec: PlanSpec) -> Dataset:
    target = next(organ for organ in image_set.person.organs if organ.interpreted_type == "PTV")
    angles = np.linspace(300.0, 480.0, 5) % 360 if spec.arc else np.full(2, (300.0, 125.0)[number % 2])
    points = [item(ControlPointIndex=i, CumulativeMetersetWeight=decimal(i / (len(angles) - 1)))
              for i in range(len(angles))]  # fmt: skip
    for point, angle in zip(points if spec.arc else points[:1], angles, strict=False):
        point.GantryAngle = decimal(angle)
    first = points[0]
    first.NominalBeamEnergy, first.GantryRotationDirection = "6", "CW" if spec.arc else "NONE"
    first.BeamLimitingDeviceAngle, first.BeamLimitingDeviceRotationDirection = "10", "NONE"
    first.PatientSupportAngle, first.PatientSupportRotationDirection = "0", "NONE"
    first.IsocenterPosition = [decimal(v) for v in target.centroid_mm(image_set.origin)]
    first.SourceToSurfaceDistance = "900"
    first.BeamLimitingDevicePositionSequence = [
        item(RTBeamLimitingDeviceType="ASYMX", LeafJawPositions=["-50", "40"]),
        item(RTBeamLimitingDeviceType="ASYMY", LeafJawPositions=["-60", "60"]),
    ]
    if spec.arc:
        points[-1].GantryRotationDirection = "NONE"
    devices = [item(RTBeamLimitingDeviceType=kind, NumberOfLeafJawPairs=1) for kind in ("ASYMX", "ASYMY")]
    return item(
        BeamNumber=number, BeamName=f"Field {number}", BeamType="DYNAMIC" if spec.arc else "STATIC",
        RadiationType="PHOTON", TreatmentMachineName=f"{image_set.person.centre}-L1", PrimaryDosimeterUnit="MU",
        SourceAxisDistance="1000", TreatmentDeliveryType="TREATMENT", FinalCumulativeMetersetWeight="1",
        NumberOfWedges=0, NumberOfCompensators=0, NumberOfBoli=0, NumberOfBlocks=0,
        NumberOfControlPoints=len(points), BeamLimitingDeviceSequence=devices, ControlPointSequence=points,
    )  # fmt: skip


def dose(image_set: ImageSet, spec: PlanSpec) -> Dataset:
    """RTDOSE of the whole plan, 16 bit, around the whole body."""
    body = image_set.person.organs[0].corners_mm(image_set.origin)
    first = np.floor(body.min(axis=0) - 2.0)
    count = np.ceil((body.max(axis=0) + 2.0 - first) / _DOSE_MM).astype(int) + 1
    z, y, x = np.meshgrid(*(first[axis] + _DOSE_MM * np.arange(count[axis]) for axis in (2, 1, 0)), indexing="ij")
    dose_gy = spec.dose_at(image_set, np.stack([x, y, z], axis=-1))
    made = _new(image_set, "RTDOSE", "dose", spec.key)
    made.DoseUnits, made.DoseType, made.DoseSummationType = "GY", "PHYSICAL", "PLAN"
    made.TissueHeterogeneityCorrection = "IMAGE"
    scaling = float(decimal(dose_gy.max() / 65000))
    made.DoseGridScaling = decimal(scaling)
    made.ImagePositionPatient, made.ImageOrientationPatient = (
        [decimal(v) for v in first],
        ["1", "0", "0", "0", "1", "0"],
    )
    made.PixelSpacing, made.SliceThickness = [decimal(_DOSE_MM)] * 2, decimal(_DOSE_MM)
    made.NumberOfFrames, made.FrameIncrementPointer = int(count[2]), 0x3004000C
    made.GridFrameOffsetVector = [decimal(_DOSE_MM * k) for k in range(count[2])]
    _set_pixels(made, np.rint(dose_gy / scaling).astype(np.uint16))
    made.ReferencedRTPlanSequence = [reference("RTPLAN", image_set.uid("plan", spec.key))]
    return made


def _new(image_set: ImageSet, modality: str, what: str, *more: object, series: str = "") -> Dataset:
    person = image_set.person
    template = item(
        SpecificCharacterSet="ISO_IR 192", StudyDate=person.study_day.strftime("%Y%m%d"), StudyTime="090000",
        PatientName=f"Synthetic^{person.patient_id}", PatientID=person.patient_id,
        PatientBirthDate=person.birth_date, PatientSex=person.sex, StudyInstanceUID=image_set.uid("study"),
    )  # fmt: skip
    series_uid = image_set.uid(f"{series or what} series", *(() if series else more))
    made = new_object(modality, template, series_uid=series_uid, created=person.study_day)
    made.SOPInstanceUID = image_set.uid(what, *more)
    made.FrameOfReferenceUID = image_set.uid("frame")
    made.Manufacturer, made.ManufacturerModelName = "Synthetic", f"Planner {LANGUAGES[person.language]}"
    made.InstitutionName = person.centre
    return made


def _set_pixels(dataset: Dataset, stored: NDArray) -> None:
    dataset.Rows, dataset.Columns = stored.shape[-2:]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 0
    dataset.PixelData = stored.astype("<u2").tobytes()
