"""A simulated treatment written as a clinic would export it: CT, RTPLAN, an RTIMAGE and a portal dose per beam."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from intrepid_epid.portal_dose_file import write_portal_dose
from intrepid_epid.simulation.portal_images import SimulatedImage
from intrepid_epid.simulation.treatment_machine import SimulatedMachine
from intrepid_rt.dicom_new_object import decimal, item, new_object, reference, save_object
from intrepid_rt.dicom_portal_dose import write_portal_dose_image
from intrepid_rt.plan import Beam, ControlPoint
from intrepid_rt.portal_image import PortalImage

CREATED = datetime(2026, 1, 5, 8, 30)
_FULL_SCALE = 65535
_USED_SCALE = 40000.0  # what the brightest pixel of an image that does not saturate is stored as


@dataclass(frozen=True)
class Identity:
    """Names and UIDs of one simulated treatment; the same ``root`` gives the same UIDs."""

    patient: str
    root: str

    def uid(self, *what: object) -> str:
        """UID of one thing of this treatment."""
        return str(generate_uid(entropy_srcs=[self.root, self.patient, *(str(part) for part in what)]))

    @property
    def template(self) -> Dataset:
        """Header of patient and study."""
        return item(
            PatientName=f"{self.patient}^Simulated", PatientID=self.patient, PatientBirthDate="", PatientSex="O",
            StudyInstanceUID=self.uid("study"), StudyID="1", StudyDate=CREATED.strftime("%Y%m%d"), StudyTime="083000",
            FrameOfReferenceUID=self.uid("frame"), AccessionNumber="", ReferringPhysicianName="",
        )  # fmt: skip

    def object(self, modality: str, *what: object, series: str, number: int = 1) -> Dataset:
        """Return a new object of this treatment."""
        made = new_object(
            modality,
            self.template,
            series_uid=self.uid(series),
            series_description=f"Simulated {series}",
            instance_number=number,
            created=CREATED,
            uid=self.uid(modality, *what),
        )
        made.FrameOfReferenceUID = self.uid("frame")
        return made


def write_ct(folder: Path, hounsfield: NDArray, origin_lps_mm: NDArray, voxel_mm: float, who: Identity) -> None:
    """Write the slices of a CT, head first supine: HU (nz, ny, nx), ``origin_lps_mm`` (3,) the first voxel's centre."""
    for number, plane in enumerate(hounsfield):
        made = who.object("CT", number, series="CT", number=number + 1)
        made.ImageType, made.PatientPosition, made.KVP = ["ORIGINAL", "PRIMARY", "AXIAL"], "HFS", "120"
        made.AcquisitionNumber, made.Laterality = 1, ""
        position = origin_lps_mm + np.array([0, 0, number * voxel_mm])
        made.ImagePositionPatient = [decimal(v) for v in position]
        made.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
        made.PixelSpacing, made.SliceThickness = [decimal(voxel_mm)] * 2, decimal(voxel_mm)
        made.RescaleSlope, made.RescaleIntercept, made.RescaleType = "1", "0", "HU"
        _pixels(made, plane.astype("<i2"), signed=True)
        save_object(made, folder / f"CT_{number:03d}.dcm")


def write_plan(path: Path, label: str, beams: tuple[Beam, ...], who: Identity) -> None:
    """Write the plan of these beams, one fraction."""
    made = who.object("RTPLAN", series="plan")
    made.RTPlanLabel, made.RTPlanName, made.RTPlanGeometry = label[:16], label, "TREATMENT_DEVICE"
    made.RTPlanDate, made.RTPlanTime = made.StudyDate, made.StudyTime
    made.PatientSetupSequence = [item(PatientSetupNumber=1, PatientPosition="HFS")]
    metersets = [item(ReferencedBeamNumber=b.number, BeamMeterset=decimal(b.meterset_mu or 0)) for b in beams]
    made.FractionGroupSequence = [
        item(
            FractionGroupNumber=1,
            NumberOfFractionsPlanned=1,
            NumberOfBeams=len(beams),
            NumberOfBrachyApplicationSetups=0,
            ReferencedBeamSequence=metersets,
        )
    ]
    made.BeamSequence = [_beam(beam) for beam in beams]
    save_object(made, path)


def write_image(path: Path, image: PortalImage, beam: Beam, machine: SimulatedMachine, who: Identity) -> None:
    """Write a signal as an Elekta iView stores it: inverted 16 bit, the pixel factor in a private element."""
    made = who.object("RTIMAGE", path.stem, series="portal images", number=beam.number)
    made.Manufacturer, made.ManufacturerModelName = "ELEKTA", "simulated iView portal imager"
    made.ImageType, made.ConversionType, made.PatientOrientation = ["ORIGINAL", "PRIMARY", "PORTAL"], "", ""
    made.RTImageLabel, made.RTImagePlane, made.XRayImageReceptorAngle = "iViewPortalImage", "NORMAL", "0.0"
    made.ReportedValuesOrigin = "OPERATOR"
    made.ImagePlanePixelSpacing, made.RTImagePosition = [decimal(v) for v in image.pixel_spacing_mm], None
    made.RadiationMachineName, made.RadiationMachineSAD = machine.name, decimal(image.source_to_axis_mm)
    made.RTImageSID, made.PrimaryDosimeterUnit = decimal(image.source_to_image_mm), "MU"
    made.GantryAngle = f"{beam.control_points[0].gantry_angle_deg:.1f}"
    # dciodvfy (dicom3tools) looks in the item for the image type on which the meterset depends: it stands in both.
    made.ExposureSequence = [
        item(ImageType=made.ImageType, KVP=None, MetersetExposure=decimal(beam.meterset_mu or 0), NumberOfBlocks=0)
    ]
    made.AcquisitionDate, made.AcquisitionTime = made.StudyDate, f"{9 + beam.number // 60:02d}{beam.number % 60:02d}00"
    made.ReferencedRTPlanSequence = [reference("RTPLAN", who.uid("RTPLAN"))]
    made.ReferencedBeamNumber = beam.number
    full = machine.saturates_at
    factor = _FULL_SCALE / full if np.isfinite(full) else _USED_SCALE / max(float(image.values.max()), 1e-9)
    written = decimal(float(f"{factor:.8g}"))
    made.private_block(0x0021, "Elekta: Portal image", create=True).add_new(0x02, "DS", written)
    stored = _FULL_SCALE - np.clip(np.rint(image.values * float(written)), 0, _FULL_SCALE)
    _pixels(made, stored.astype("<u2"), signed=False)
    save_object(made, path)


def write_dose(path: Path, image: SimulatedImage, beam: Beam, machine: SimulatedMachine, who: Identity) -> None:
    """Write a portal dose in Gy: as RTIMAGE or, by the file's suffix, as NRRD."""
    if path.suffix == ".nrrd":
        write_portal_dose(image.portal_dose, path)
        return
    write_portal_dose_image(
        path,
        image.portal_dose,
        plan_uid=who.uid("RTPLAN"),
        beam_number=beam.number,
        template=who.template,
        machine=machine.name,
        description="Simulated portal dose: water, 15 mm deep",
        series_uid=who.uid("portal doses"),
        instance_number=beam.number,
        created=CREATED,
        uid=who.uid("portal dose", beam.number),
    )


def _pixels(made: Dataset, stored: NDArray, *, signed: bool) -> None:
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 16, 15, int(signed)
    made.Rows, made.Columns = stored.shape
    made.PixelData = stored.tobytes()


def _beam(beam: Beam) -> Dataset:
    devices = [item(RTBeamLimitingDeviceType=kind, NumberOfLeafJawPairs=1) for kind in ("ASYMX", "ASYMY")]
    for mlc in beam.control_points[0].mlc:
        boundaries = [decimal(v) for v in mlc.leaf_boundaries_mm]
        pairs = len(mlc.bank_1_mm)
        devices.append(item(RTBeamLimitingDeviceType="MLCX", NumberOfLeafJawPairs=pairs))
        devices[-1].LeafPositionBoundaries = boundaries
    return item(
        BeamNumber=beam.number,
        BeamName=beam.name,
        BeamType="DYNAMIC" if len(beam.control_points) > 2 else "STATIC",
        RadiationType=beam.radiation_type,
        TreatmentMachineName=beam.machine,
        PrimaryDosimeterUnit=beam.dosimeter_unit,
        SourceAxisDistance=decimal(beam.source_to_axis_mm),
        TreatmentDeliveryType=beam.treatment_delivery_type,
        NumberOfWedges=0,
        NumberOfCompensators=0,
        NumberOfBoli=0,
        NumberOfBlocks=0,
        FinalCumulativeMetersetWeight=decimal(beam.final_cumulative_meterset_weight),
        NumberOfControlPoints=len(beam.control_points),
        BeamLimitingDeviceSequence=devices,
        ControlPointSequence=[_control_point(point) for point in beam.control_points],
    )


def _control_point(point: ControlPoint) -> Dataset:
    made = item(
        ControlPointIndex=point.index,
        CumulativeMetersetWeight=decimal(point.cumulative_meterset_weight),
        NominalBeamEnergy=decimal(point.nominal_energy_mv or 6),
        GantryAngle=decimal(point.gantry_angle_deg),
        GantryRotationDirection="NONE",
        BeamLimitingDeviceAngle=decimal(point.collimator_angle_deg),
        BeamLimitingDeviceRotationDirection="NONE",
        PatientSupportAngle=decimal(point.couch_angle_deg),
        PatientSupportRotationDirection="NONE",
        TableTopEccentricAngle="0",
        TableTopEccentricRotationDirection="NONE",
        IsocenterPosition=[decimal(v) for v in point.isocentre_lps_mm],
    )
    positions = [
        item(RTBeamLimitingDeviceType=kind, LeafJawPositions=[decimal(v) for v in jaw])
        for kind, jaw in (("ASYMX", point.jaw_x_mm), ("ASYMY", point.jaw_y_mm))
        if jaw is not None
    ]
    for mlc in point.mlc:
        ends = [decimal(v) for v in (*mlc.bank_1_mm, *mlc.bank_2_mm)]
        positions.append(item(RTBeamLimitingDeviceType="MLCX", LeafJawPositions=ends))
    made.BeamLimitingDevicePositionSequence = positions
    return made
