"""What every portal dose model takes and gives, whether physics or network."""

from dataclasses import dataclass
from typing import Protocol

from intrepid_epid.dataset.manifest import ImagerPanel
from intrepid_epid.image_grid import binned
from intrepid_epid.machine_profile import MachineProfile
from intrepid_epid.portal_reader import PortalFrame
from intrepid_rt.portal_image import PortalImage


@dataclass(frozen=True, eq=False)
class Exposure:
    """One image on the working grid and what is known about it; None or empty where nothing is.

    Parameters
    ----------
    signal : PortalImage
        Signal, defects repaired, in the imager plane.
    thickness_g_cm2 : PortalImage or None
        Mass thickness of the patient in front of each pixel, on any lattice in the imager plane.
    panel : ImagerPanel or None
        Which panel took the image.
    """

    signal: PortalImage
    profile: MachineProfile
    meterset_mu: float | None = None
    thickness_g_cm2: PortalImage | None = None
    panel: ImagerPanel | None = None


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


def exposure_of(frame: PortalFrame, profile: MachineProfile, *, meterset_mu: float | None = None) -> Exposure:
    """Make an exposure of a portal image that was read; ``meterset_mu`` overrules what the image states."""
    rows, columns = frame.image.values.shape
    row_mm, column_mm = frame.image.pixel_spacing_mm
    return Exposure(
        signal=binned(frame.repaired),
        profile=profile,
        meterset_mu=frame.meterset_mu if meterset_mu is None else meterset_mu,
        panel=ImagerPanel(frame.vendor, columns * column_mm, rows * row_mm),
    )
