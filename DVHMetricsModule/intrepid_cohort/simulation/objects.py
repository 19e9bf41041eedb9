"""The DICOM objects of a synthetic patient: CT slices, structure set, plan and a dose that is linear in space."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from intrepid_cohort.simulation.anatomy import HELPER, LANGUAGES, ORGANS, SLICE_MM, SLICES, Organ
from intrepid_cohort.simulation.systems import (
    add_frame_of_a_point,
    keep_prescription_outside,
    of_all_plans,
    sign,
)
from intrepid_rt.dicom_new_object import decimal, item, new_object, reference

_CT_PIXELS = 16

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
    spelling: int
    right_sided: bool
    study_day: datetime
    uid_root: str
    system: str = "Synthetic"

    def uid(self, *what: object) -> str:
        """Return the UID of one thing of this patient."""
        return str(generate_uid(entropy_srcs=[self.uid_root, *(str(part) for part in what)]))

    @property
    def organs(self) -> list[Organ]:
        """The patient's organs."""
        organs = [*ORGANS, HELPER] if self.spelling else list(ORGANS)
        return [(organ.mirrored() if self.right_sided else organ).grown(self.size) for organ in organs]


@dataclass(frozen=True)
class SetSpec:
    """A structure set as it will be written. ``growth`` is the size of its organs relative to the clinical ones."""

    key: str = ""
    label: str = "CT 1"
    manufacturer: str = ""
    growth: float = 1.0
    standard_names: bool = False
    points: tuple[str, ...] = ()

    def organs(self, person: Person) -> list[Organ]:
        """Organs of a person as this set draws them."""
        organs = [organ for organ in person.organs if organ.name or not self.standard_names]
        return organs if self.growth == 1.0 else [organ.grown(self.growth) for organ in organs]

    def name(self, organ: Organ, person: Person) -> str:
        """Name of an organ: after TG-263, or in the language of the centre."""
        return organ.name if self.standard_names else organ.variant(person.language, person.spelling)


@dataclass(frozen=True)
class DoseGridSpec:
    """Where the voxels of a dose lie: their distance, and how far the grid is shifted and reaches beyond the body."""

    spacing_mm: tuple[float, float, float] = (10.0, 10.0, 10.0)
    shift_mm: float = 0.0
    margin_mm: float = 2.0


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
        """Place (3,) of the anatomy's first slice, LPS mm."""
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
    days_later: int = 0
    grid: DoseGridSpec = DoseGridSpec()

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


def structure_set(image_set: ImageSet, spec: SetSpec | None = None) -> Dataset:
    """RTSTRUCT with the organs in the language of the centre, then points."""
    person, spec = image_set.person, spec or SetSpec()
    made = _new(image_set, "RTSTRUCT", "structures", *([spec.key] if spec.key else []))
    made.StructureSetLabel, made.ApprovalStatus = spec.label, "UNAPPROVED"
    if spec.manufacturer:
        made.Manufacturer = spec.manufacturer
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
    for number, organ in enumerate(spec.organs(person), 1):
        _add_roi(made, number, organ, spec.name(organ, person), image_set)
    for number, name in enumerate(spec.points, len(made.StructureSetROISequence) + 1):
        _add_point(made, number, name, image_set)
    if person.system == "Oncentra":
        add_frame_of_a_point(made, image_set.uid("frame of a point"), image_set.uid("frame"))
    return made


def _add_point(made: Dataset, number: int, name: str, image_set: ImageSet) -> None:
    place = [f"{value:.10g}" for value in image_set.origin]
    drawn = [item(ContourGeometricType="POINT", NumberOfContourPoints=1, ContourData=place)]
    _add_contours(made, number, name, "DOSE_REGION", drawn, image_set)


def _add_roi(made: Dataset, number: int, organ: Organ, name: str, image_set: ImageSet) -> None:
    drawn = [
        item(
            ContourGeometricType="CLOSED_PLANAR",
            NumberOfContourPoints=len(contour),
            ContourData=[f"{value:.10g}" for value in contour.ravel()],
        )
        for contour in organ.contours_mm(image_set.origin)
    ]
    _add_contours(made, number, name, organ.interpreted_type, drawn, image_set)


def _add_contours(
    made: Dataset, number: int, name: str, interpreted_type: str, drawn: list[Dataset], image_set: ImageSet
) -> None:
    frame = image_set.uid("frame")
    made.StructureSetROISequence.append(
        item(ROINumber=number, ROIName=name, ReferencedFrameOfReferenceUID=frame, ROIGenerationAlgorithm="MANUAL")
    )
    made.ROIContourSequence.append(item(ReferencedROINumber=number, ContourSequence=drawn))
    made.RTROIObservationsSequence.append(
        item(
            ObservationNumber=number,
            ReferencedROINumber=number,
            RTROIInterpretedType=interpreted_type,
            ROIInterpreter="",
        )
    )


def plan(image_set: ImageSet, spec: PlanSpec) -> Dataset:
    """RTPLAN with a beam per meterset, static or arc."""
    made = _new(image_set, "RTPLAN", "plan", spec.key)
    made.RTPlanLabel, made.ApprovalStatus, made.RTPlanGeometry = spec.label, spec.approval, "PATIENT"
    day = image_set.person.study_day + timedelta(days=spec.days_later)
    if spec.approval != "UNAPPROVED":
        made.ReviewDate, made.ReviewTime = day.strftime("%Y%m%d"), "130000"
        made.ReviewerName = "Reviewer^Synthetic"
    made.RTPlanDate, made.RTPlanTime = day.strftime("%Y%m%d"), "120000"
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
    if image_set.person.system == "Pinnacle":
        keep_prescription_outside(made)
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


def dose(image_set: ImageSet, spec: PlanSpec, *, beam: int | None = None) -> Dataset:
    """RTDOSE of the whole plan or one beam, 16 bit, around the whole body; beams share the dose by their metersets."""
    body = image_set.person.organs[0].corners_mm(image_set.origin)
    spacing_mm = np.array(spec.grid.spacing_mm)
    first = np.floor(body.min(axis=0) - spec.grid.margin_mm) - spec.grid.shift_mm
    count = np.ceil((body.max(axis=0) + spec.grid.margin_mm - first) / spacing_mm).astype(int) + 1
    along = [first[axis] + spacing_mm[axis] * np.arange(count[axis]) for axis in range(3)]
    z, y, x = np.meshgrid(*along[::-1], indexing="ij")
    share = 1.0 if beam is None else spec.meterset_mu[beam - 1] / sum(spec.meterset_mu)
    dose_gy = share * spec.dose_at(image_set, np.stack([x, y, z], axis=-1))
    made = _new(image_set, "RTDOSE", "dose", *([spec.key] if beam is None else [spec.key, beam]))
    made.DoseUnits, made.DoseType, made.DoseSummationType = "GY", "PHYSICAL", "PLAN" if beam is None else "BEAM"
    made.TissueHeterogeneityCorrection = "IMAGE"
    scaling = float(decimal(dose_gy.max() / 65000))
    made.DoseGridScaling = decimal(scaling)
    made.ImagePositionPatient, made.ImageOrientationPatient = (
        [decimal(v) for v in first],
        ["1", "0", "0", "0", "1", "0"],
    )
    made.PixelSpacing, made.SliceThickness = [decimal(spacing_mm[1]), decimal(spacing_mm[0])], decimal(spacing_mm[2])
    made.NumberOfFrames, made.FrameIncrementPointer = int(count[2]), 0x3004000C
    made.GridFrameOffsetVector = [decimal(spacing_mm[2] * k) for k in range(count[2])]
    _set_pixels(made, np.rint(dose_gy / scaling).astype(np.uint16))
    plan_item = reference("RTPLAN", image_set.uid("plan", spec.key))
    if beam is not None:
        group = item(ReferencedFractionGroupNumber=1, ReferencedBeamSequence=[item(ReferencedBeamNumber=beam)])
        plan_item.ReferencedFractionGroupSequence = [group]
    made.ReferencedRTPlanSequence = [plan_item]
    return made


def dose_of_all(image_set: ImageSet, specs: list[PlanSpec]) -> Dataset:
    """RTDOSE as it is exported of a sum of plans; the dose itself is that of the first plan."""
    made = dose(image_set, specs[0])
    made.SOPInstanceUID, made.SeriesInstanceUID = image_set.uid("dose", "sum"), image_set.uid("dose sum series")
    of_all_plans(made, [reference("RTPLAN", image_set.uid("plan", spec.key)) for spec in specs])
    return made


def record(image_set: ImageSet, spec: PlanSpec, *, fraction: int, share: float = 1.0) -> Dataset:
    """RTRECORD of one fraction; one that was broken off delivered ``share`` of each beam."""
    made = _new(image_set, "RTRECORD", "record", spec.key, fraction, series=f"records {spec.key}")
    day = image_set.person.study_day + timedelta(days=10 + spec.days_later + fraction)
    made.TreatmentDate, made.TreatmentTime = day.strftime("%Y%m%d"), "080000"
    made.ReferencedRTPlanSequence = [reference("RTPLAN", image_set.uid("plan", spec.key))]
    made.ReferencedFractionGroupNumber, made.NumberOfFractionsPlanned = 1, spec.fractions
    made.TreatmentMachineSequence = [item(
        TreatmentMachineName=f"{image_set.person.centre}-L1", Manufacturer="Synthetic", ManufacturerModelName="",
        DeviceSerialNumber="", InstitutionName=image_set.person.centre,
    )]  # fmt: skip
    made.PrimaryDosimeterUnit = "MU"
    made.TreatmentSessionBeamSequence = [
        _delivered(_beam(image_set, number, spec), mu, share, fraction, day)
        for number, mu in enumerate(spec.meterset_mu, 1)
    ]
    return made


def _delivered(planned: Dataset, meterset_mu: float, share: float, fraction: int, day: datetime) -> Dataset:
    """One beam of a treatment record: as planned, up to where it was broken off."""
    first = planned.ControlPointSequence[0]
    points = [_delivered_point(first, point, meterset_mu, share, day) for point in planned.ControlPointSequence]
    return item(
        ReferencedBeamNumber=planned.BeamNumber, BeamName=planned.BeamName, BeamType=planned.BeamType,
        RadiationType="PHOTON", CurrentFractionNumber=fraction, TreatmentDeliveryType="TREATMENT",
        TreatmentTerminationStatus="NORMAL" if share == 1.0 else "MACHINE",
        TreatmentVerificationStatus="",
        SpecifiedPrimaryMeterset=decimal(meterset_mu), DeliveredPrimaryMeterset=decimal(meterset_mu * share),
        BeamLimitingDeviceLeafPairsSequence=planned.BeamLimitingDeviceSequence, NumberOfControlPoints=len(points),
        NumberOfWedges=0, NumberOfCompensators=0, NumberOfBoli=0, NumberOfBlocks=0,
        ControlPointDeliverySequence=points,
    )  # fmt: skip


def _delivered_point(first: Dataset, planned: Dataset, meterset_mu: float, share: float, day: datetime) -> Dataset:
    at_mu = meterset_mu * float(planned.CumulativeMetersetWeight)
    made = item(
        ReferencedControlPointIndex=planned.ControlPointIndex, TreatmentControlPointDate=day.strftime("%Y%m%d"),
        TreatmentControlPointTime="080000", SpecifiedMeterset=decimal(at_mu),
        DeliveredMeterset=decimal(min(at_mu, meterset_mu * share)), DoseRateSet="600", DoseRateDelivered="600",
    )  # fmt: skip
    if planned is first:
        for keyword in (
            "NominalBeamEnergy", "BeamLimitingDevicePositionSequence", "GantryAngle", "GantryRotationDirection",
            "BeamLimitingDeviceAngle", "BeamLimitingDeviceRotationDirection", "PatientSupportAngle",
            "PatientSupportRotationDirection",
        ):  # fmt: skip
            setattr(made, keyword, first[keyword].value)
        made.NominalBeamEnergyUnit = "MV"
    elif "GantryAngle" in planned:
        made.GantryAngle = planned.GantryAngle
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
    sign(made, person.system, LANGUAGES[person.language])
    made.InstitutionName = person.centre
    return made


def _set_pixels(dataset: Dataset, stored: NDArray) -> None:
    dataset.Rows, dataset.Columns = stored.shape[-2:]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 0
    dataset.PixelData = stored.astype("<u2").tobytes()
