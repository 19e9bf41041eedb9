"""Portal dose images as RTIMAGE: Gy by a linear rescale, on the lattice they were computed on."""

from datetime import datetime
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from intrepid_rt.dicom_file import collecting, text
from intrepid_rt.dicom_new_object import decimal, new_object, reference, save_object
from intrepid_rt.errors import InvalidSetting
from intrepid_rt.portal_image import PortalImage

# Pixels of an RTIMAGE have at most 16 bits (PS3.3 C.8.8.2): half a step is below 1e-5 of the maximum.
_LARGEST_STORED = 2**16 - 1


def write_portal_dose_image(
    path: str | Path,
    image: PortalImage,
    *,
    plan_uid: str,
    beam_number: int,
    template: Dataset,
    machine: str = "",
    label: str = "PORTAL DOSE",
    description: str = "",
    series_uid: str = "",
    instance_number: int = 1,
    created: datetime | None = None,
    uid: str = "",
) -> str:
    """Write a portal dose in Gy as an RTIMAGE that names its plan and beam; `read_portal_image` reads it back.

    Parameters
    ----------
    image : PortalImage
        ``unit`` "Gy", finite and not negative.
    template : Dataset
        Header whose patient, study and frame of reference are copied: the plan's, as a rule.
    label : str
        RTImageLabel, at most 16 characters.
    description : str
        RTImageDescription: the method.
    uid : str
        SOP Instance UID; by default a new one.

    Returns
    -------
    str : the new SOP Instance UID.

    Raises
    ------
    InvalidSetting
        Another unit, or values that are no dose.
    OutputNotWritable
    """
    values = np.asarray(image.values, np.float64)
    if image.unit != "Gy" or not np.isfinite(values).all() or values.min() < 0:
        raise InvalidSetting("A portal dose to be written must be in Gy, finite and not negative.")
    with collecting([]):
        dataset = new_object(
            "RTIMAGE",
            template,
            series_uid=series_uid,
            series_description=description[:64],
            instance_number=instance_number,
            created=created,
            uid=uid,
        )
        dataset.FrameOfReferenceUID = text(template, "FrameOfReferenceUID") or generate_uid()
        dataset.ImageType = ["DERIVED", "SECONDARY", "PORTAL"]
        dataset.ConversionType, dataset.PatientOrientation, dataset.ReportedValuesOrigin = "WSD", "", "ACTUAL"
        dataset.RTImageLabel, dataset.RTImageDescription = label[:16], description
        dataset.RadiationMachineName, dataset.PrimaryDosimeterUnit = machine, "MU"
        dataset.ReferencedRTPlanSequence = [reference("RTPLAN", plan_uid)]
        dataset.ReferencedBeamNumber = beam_number
        _place(dataset, image)
        _fill(dataset, values)
        return save_object(dataset, path)


def _place(dataset: Dataset, image: PortalImage) -> None:
    dataset.RTImagePlane, dataset.XRayImageReceptorAngle = "NORMAL", "0"
    dataset.RTImageOrientation = ["1", "0", "0", "0", "-1", "0"]
    dataset.RTImagePosition = [decimal(v) for v in image.first_pixel_mm]
    dataset.ImagePlanePixelSpacing = [decimal(v) for v in image.pixel_spacing_mm]
    dataset.RTImageSID = decimal(image.source_to_image_mm)
    dataset.RadiationMachineSAD = decimal(image.source_to_axis_mm)
    below_axis_mm = image.source_to_axis_mm - image.source_to_image_mm
    dataset.XRayImageReceptorTranslation = ["0", "0", decimal(below_axis_mm)]
    if image.gantry_angle_deg is not None:
        dataset.GantryAngle = decimal(image.gantry_angle_deg)


def _fill(dataset: Dataset, dose_gy: np.ndarray) -> None:
    highest = float(dose_gy.max())
    scaling = decimal(highest / _LARGEST_STORED if highest > 0 else 1e-9)
    dataset.RescaleSlope, dataset.RescaleIntercept, dataset.RescaleType = scaling, "0", "GY"
    dataset.PixelIntensityRelationship, dataset.PixelIntensityRelationshipSign = "LIN", 1
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 0
    dataset.Rows, dataset.Columns = dose_gy.shape
    stored = np.minimum(np.rint(dose_gy / float(scaling)), _LARGEST_STORED)
    dataset.PixelData = stored.astype("<u2").tobytes()
