"""The portal dose that a plan predicts, as files beside the study."""

from pathlib import Path

from intrepid_epid.portal_dose_file import read_portal_dose
from intrepid_epid.portal_reader import read_portal_image
from intrepid_rt.errors import AmbiguousInput, MissingObject, UnsupportedGeometry, UnusableInput
from intrepid_rt.portal_image import PortalImage
from intrepid_rt.scan import scan
from intrepid_rt.verification import BeamResult


def planned_portal_dose(folder: Path, beam: BeamResult, stem: str) -> PortalImage:
    """Find a beam's planned portal dose: ``<stem>_portal_dose.nrrd`` in Gy, or an RTIMAGE in Gy that names the beam.

    Raises
    ------
    MissingObject
        Neither is in the folder.
    AmbiguousInput
        Several RTIMAGEs name the beam.
    UnusableInput
        The RTIMAGE is no dose in Gy.
    UnsupportedGeometry
        It lies at another distance from the source, where the dose is another.
    """
    path = folder / f"{stem}_portal_dose.nrrd"
    geometry = beam.portal_dose
    if path.is_file():
        return read_portal_dose(
            path,
            source_to_image_mm=geometry.source_to_image_mm,
            source_to_axis_mm=geometry.source_to_axis_mm,
            gantry_angle_deg=beam.gantry_angle_deg,
        )
    found = [image for study in scan(folder) for image in (*study.portal_doses, *study.portal_images)]
    images = [image for image in found if image.header.beam_number == beam.number]
    if len(images) > 1:
        names = " and ".join(image.path.name for image in images)
        raise AmbiguousInput(f"Two planned portal doses for beam {beam.name}: {names}. Keep one.")
    if not images:
        raise MissingObject(f"{folder} holds no planned portal dose of beam {beam.name}; expected {path.name}.")
    image = read_portal_image(images[0].path).image
    if image.unit != "Gy":
        raise UnusableInput(f"{images[0].path.name} is no planned portal dose: it holds signal, not Gy.")
    if abs(image.source_to_image_mm - geometry.source_to_image_mm) > 1.0:
        raise UnsupportedGeometry(
            f"{images[0].path.name} is planned at {image.source_to_image_mm:g} mm from the source, beam {beam.name} "
            f"was imaged at {geometry.source_to_image_mm:g} mm. Predict the portal dose at the distance of the image."
        )
    return image
