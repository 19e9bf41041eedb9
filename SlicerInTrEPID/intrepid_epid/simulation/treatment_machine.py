"""A treatment machine with its imager, as far as a portal image depends on it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intrepid_epid.beam_model import generic_spectrum
from intrepid_epid.image_grid import binned
from intrepid_epid.portal_dose import off_axis_radius_mm
from intrepid_epid.spectrum import Spectrum
from intrepid_rt.errors import InvalidSetting
from intrepid_rt.portal_image import PortalImage

_HORN_RADIUS_MM = 150.0
_OUTPUT_AREA_CM2 = 100.0


@dataclass(frozen=True, kw_only=True)
class SimulatedMachine:
    """What is true of a simulated machine; the defaults are a plain 6 MV beam on an Elekta-like panel.

    Parameters
    ----------
    photons_per_cm2_mu : fluence of an open 10 x 10 cm2 field at the isocentre; the default gives 0.80 cGy/MU at 10 cm
        depth, SSD 90 cm.
    signal_per_gy : signal per Gy in the phosphor; by default 1.0 at the centre of an open 10 x 10 field of 100 MU.
    focal_spot_mm : standard deviation of the round source.
    collimator_mm : distance from the source to the plane that cuts the field.
    horn_percent : fluence 15 cm off the axis above that on it; grows with the square of the distance.
    softening_percent : how much less the mean energy is 10 cm off the axis, roughly.
    head_scatter_percent : output added per doubling of the field's side over 10 x 10 cm2.
    leakage_percent : share of the open fluence that passes closed leaves and jaws.
    glare_percent, glare_mm : share of the signal that spreads within the panel, and how far.
    quanta_per_signal_mm2 : detected quanta behind a signal of 1.0 in one mm2; infinite: no noise.
    saturates_at : signal beyond which a pixel reads no more.
    """

    name: str = "SIM6MV"
    energy: str = "6 MV"
    spectrum: Spectrum = field(default_factory=generic_spectrum)
    photons_per_cm2_mu: float = 1.362e9
    signal_per_gy: float = 3.1
    source_to_axis_mm: float = 1000.0
    source_to_image_mm: float = 1600.0
    pixels: int = 512
    pixel_mm: float = 0.81
    focal_spot_mm: float = 0.8
    collimator_mm: float = 350.0
    horn_percent: float = 0.0
    softening_percent: float = 0.0
    head_scatter_percent: float = 0.0
    leakage_percent: float = 0.0
    glare_percent: float = 0.0
    glare_mm: float = 20.0
    quanta_per_signal_mm2: float = 2e6
    saturates_at: float = np.inf

    def __post_init__(self) -> None:
        shares = (self.horn_percent, self.softening_percent, self.leakage_percent, self.glare_percent)
        lengths = (self.focal_spot_mm, self.collimator_mm, self.pixel_mm, self.glare_mm, self.quanta_per_signal_mm2)
        if min(shares) < 0 or max(shares) > 90 or min(lengths) < 0 or self.saturates_at <= 0 or self.pixels < 8:
            raise InvalidSetting(
                f"Machine {self.name}: lengths must be positive and percentages between 0 and 90; check its settings."
            )

    @property
    def panel(self) -> PortalImage:
        """The empty imager plane, centred on the beam axis."""
        first_mm = -(self.pixels - 1) / 2 * self.pixel_mm
        return PortalImage(
            np.zeros((self.pixels, self.pixels), np.float32),
            (first_mm, -first_mm),
            (self.pixel_mm, self.pixel_mm),
            self.source_to_image_mm,
            self.source_to_axis_mm,
        )

    @property
    def dose_plane(self) -> PortalImage:
        """The coarser grid on which the portal dose is stored."""
        return binned(self.panel)

    @property
    def penumbra_mm(self) -> float:
        """Standard deviation of the edges of the field in the imager plane."""
        return self.focal_spot_mm * (self.source_to_image_mm - self.collimator_mm) / self.collimator_mm

    def output(self, area_cm2: float) -> float:
        """Fluence per MU of a field of this area relative to 10 x 10 cm2."""
        return 1.0 + self.head_scatter_percent / 100 * 0.5 * np.log2(max(area_cm2, 0.1) / _OUTPUT_AREA_CM2)

    def profile(self, image: PortalImage) -> NDArray:
        """Fluence off the axis relative to that on it, on the pixels of an image."""
        return 1.0 + self.horn_percent / 100 * (off_axis_radius_mm(image) / _HORN_RADIUS_MM) ** 2

    def softened(self, image: PortalImage) -> NDArray:
        """Relative photon number per energy bin and pixel, (bins, rows, columns) or (bins, 1, 1); sums to 1."""
        weight, energy = self.spectrum.weight[:, None, None], self.spectrum.energy_mev[:, None, None]
        if not self.softening_percent:
            return weight
        mean = (weight * energy).sum()
        variance = (weight * (energy / mean - 1) ** 2).sum()
        strength = self.softening_percent / 100 / variance * off_axis_radius_mm(image)[None] / 100.0
        tilted = weight * np.exp(-strength * (energy / mean - 1))
        return tilted / tilted.sum(axis=0)


def machine_with(options: Sequence[str]) -> SimulatedMachine:
    """Return the plain machine with ``NAME=VALUE`` options applied.

    Raises
    ------
    InvalidSetting
        No such option, or a value of another kind.

    Examples
    --------
    >>> machine_with(["horn_percent=4"]).horn_percent
    4.0
    """
    plain = SimulatedMachine()
    kinds = {f.name: type(getattr(plain, f.name)) for f in fields(plain) if f.name != "spectrum"}
    changes: dict[str, Any] = {}
    for option in options:
        name, _, value = option.partition("=")
        if name not in kinds:
            raise InvalidSetting(f"A simulated machine has no option {name!r}; known are {', '.join(kinds)}.")
        try:
            changes[name] = kinds[name](value)
        except ValueError as error:
            raise InvalidSetting(f"{option!r}: {name} needs a number, for example {name}=2.") from error
    return SimulatedMachine(**changes)
