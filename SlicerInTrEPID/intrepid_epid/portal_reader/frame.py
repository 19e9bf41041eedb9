"""One portal image file to signal on gantry axes."""

from dataclasses import dataclass
from datetime import datetime

from numpy.typing import NDArray

from intrepid_epid.portal_reader.defects import find_defects
from intrepid_epid.portal_reader.lattice import gantry_lattice
from intrepid_epid.portal_reader.signal import signal_scale
from intrepid_rt.dicom_file import Source, collecting, label, read_dataset
from intrepid_rt.dicom_image import portal_geometry, portal_header
from intrepid_rt.dicom_pixels import stored_pixels
from intrepid_rt.errors import UnreadableFile
from intrepid_rt.portal_image import PortalImage


@dataclass(frozen=True, eq=False)
class PortalFrame:
    """A measured portal image and what its file says about it; None where it says nothing.

    ``image`` holds the signal in the unit "signal", or "relative" if images of this machine cannot be compared with
    each other. The masks have the shape of the image. ``warnings`` name defects and every conclusion drawn.
    """

    image: PortalImage
    vendor: str
    machine: str
    sop_instance_uid: str
    plan_uid: str | None
    beam_number: int | None
    fraction_number: int | None
    acquired: datetime | None
    meterset_mu: float | None
    saturated: NDArray
    dead: NDArray
    out_of_field: NDArray
    warnings: tuple[str, ...]
    repaired: PortalImage  # defective pixels replaced by the median of their neighbourhood
    peak_voltage_mv: float | None = None

    @property
    def saturated_fraction(self) -> float:
        """Share of all pixels that are saturated."""
        return float(self.saturated.mean())

    @property
    def dead_fraction(self) -> float:
        """Share of all pixels that are defective."""
        return float(self.dead.mean())

    @property
    def is_relative(self) -> bool:
        """Whether the signal is only known up to a factor of its own."""
        return self.image.unit == "relative"


def read_portal_image(source: Source) -> PortalFrame:
    """Read an RTIMAGE of Elekta iView, Varian aS500 to aS1200 or any other system that states its geometry.

    Raises
    ------
    UnreadableFile, MissingObject
        Not an RTIMAGE, cut short, several frames, or without pixels or geometry.
    UnsupportedGeometry
        A plane not perpendicular to the beam, or a contradictory geometry.
    AmbiguousInput
        Polarity that cannot be told.
    """
    notes: list[str] = []
    with collecting(notes):
        dataset = read_dataset(source, modality="RTIMAGE")
        header, geometry = portal_header(dataset), portal_geometry(dataset)
        stored = stored_pixels(dataset)
        if len(stored) != 1:
            raise UnreadableFile(
                f"{label(dataset)} holds {len(stored)} frames; expected one integrated image. Frames are read with "
                "their plan, by 'intrepid reconstruct'."
            )
        scale = signal_scale(dataset, stored[0])
        signal = scale.signal(stored[0])
        defects = find_defects(signal.values, signal.at_limit)
        lattice = gantry_lattice(geometry, signal.values.shape)
        if lattice.angle_deg:
            notes.append(f"The receptor is turned by {lattice.angle_deg:g} degrees: interpolated onto gantry axes.")
        image = PortalImage(
            values=lattice.turned(signal.values),
            first_pixel_mm=lattice.first_pixel_mm,
            pixel_spacing_mm=lattice.pixel_spacing_mm,
            source_to_image_mm=geometry.source_to_image_mm,
            source_to_axis_mm=geometry.source_to_axis_mm,
            gantry_angle_deg=header.gantry_angle_deg,
            unit=scale.unit,
        )
        return PortalFrame(
            image=image,
            vendor=scale.vendor,
            machine=header.machine,
            sop_instance_uid=header.sop_instance_uid,
            plan_uid=header.plan_uid or None,
            beam_number=header.beam_number,
            fraction_number=header.fraction_number,
            acquired=header.acquired,
            meterset_mu=header.meterset_mu,
            saturated=lattice.turned(defects.saturated),
            dead=lattice.turned(defects.dead),
            out_of_field=lattice.turned(defects.out_of_field),
            warnings=(*geometry.notes, *scale.notes, *defects.warnings, *notes),
            repaired=image.with_values(lattice.turned(defects.repaired)),
            peak_voltage_mv=header.peak_voltage_mv,
        )
