"""What every portal dose model takes and gives, whether physics or network."""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from intrepid_epid.aperture import open_share
from intrepid_epid.dataset.manifest import ImagerPanel
from intrepid_epid.image_grid import binned
from intrepid_epid.machine_profile import MachineProfile
from intrepid_epid.portal_reader import PortalFrame
from intrepid_epid.transit import PrimaryBeam
from intrepid_rt.plan import Beam
from intrepid_rt.portal_image import PortalImage


@dataclass(frozen=True, eq=False)
class Exposure:
    """One image on the working grid and what is known about it; None or empty where nothing is.

    Parameters
    ----------
    signal : PortalImage
        Signal, defects repaired, in the imager plane.
    patient : PrimaryBeam or None
        The beam through the anatomy of a CT.
    open_share : PortalImage or None
        What the plan's field leaves open, pixel by pixel of ``signal`` (:func:`intrepid_epid.aperture.open_share`).
    panel : ImagerPanel or None
        Which panel took the image.
    """

    signal: PortalImage
    profile: MachineProfile
    meterset_mu: float | None = None
    patient: PrimaryBeam | None = None
    open_share: PortalImage | None = None
    panel: ImagerPanel | None = None

    @cached_property
    def thickness_g_cm2(self) -> PortalImage | None:
        """Mass thickness of the patient in front of each pixel; None without a CT."""
        if self.patient is None:
            return None
        thickness = self.patient.thickness_g_cm2(self.patient.pixel_positions_lps_mm(self.signal)).sum(axis=-1)
        return self.signal.with_values(thickness, unit="g/cm2")


@dataclass(frozen=True, eq=False)
class PortalDosePrediction:
    """Portal dose in Gy with its 95 % band, on the lattice of the image.

    ``half_width_gy`` is None for a model without uncertainty per pixel. ``uncertainty_percent`` is of the maximum.
    ``model`` is the one that answered: not the one asked for, if that was outside its domain.
    """

    dose: PortalImage
    half_width_gy: PortalImage | None
    uncertainty_percent: float
    model: str
    warnings: tuple[str, ...] = ()


class PortalDoseModel(Protocol):
    """Signal of a portal image to absorbed dose to water in the imager plane."""

    @property
    def name(self) -> str:
        """How the model is chosen."""

    def predict(self, exposure: Exposure) -> PortalDosePrediction:
        """Return the portal dose of an exposure.

        Raises
        ------
        UnusableInput
            The model is not made for this image at all: another energy, another panel.
        """


def exposure_of(
    frame: PortalFrame,
    profile: MachineProfile,
    *,
    meterset_mu: float | None = None,
    beam: Beam | None = None,
    patient: PrimaryBeam | None = None,
) -> Exposure:
    """Make an exposure of a portal image that was read (:func:`intrepid_epid.image_corrections.corrected`).

    Parameters
    ----------
    meterset_mu : float, optional
        Overrules what the image states; for an image that states nothing, that of its beam.
    beam : Beam, optional
        The beam of the plan that the image shows.
    patient : PrimaryBeam, optional
        That beam through a CT.

    Raises
    ------
    UnsupportedGeometry, MissingObject
        The beam's field cannot be told.
    """
    signal = binned(frame.repaired)
    rows, columns = frame.image.values.shape
    row_mm, column_mm = frame.image.pixel_spacing_mm
    return Exposure(
        signal=signal,
        profile=profile,
        meterset_mu=frame.meterset_mu if meterset_mu is None else meterset_mu,
        patient=patient,
        open_share=None if beam is None else open_share(beam, signal),
        panel=ImagerPanel(frame.vendor, columns * column_mm, rows * row_mm),
    )
