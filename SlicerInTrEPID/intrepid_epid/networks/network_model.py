"""A stored ensemble as a portal dose model: dose, band, and the way back to the physics outside its domain."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from intrepid_epid.machine_profile import MachineProfile
from intrepid_epid.networks.card import Calibration, ModelCard, StoredModel, read_model
from intrepid_epid.networks.domain import properties, reasons_outside
from intrepid_epid.networks.ensemble import Ensemble
from intrepid_epid.networks.inputs import NetworkInput, coarsened, network_input
from intrepid_epid.networks.model_grid import on_grid
from intrepid_epid.networks.physics_model import PhysicsModel
from intrepid_epid.networks.portal_dose_model import Exposure, PortalDoseModel, PortalDosePrediction
from intrepid_epid.networks.registry import find_model
from intrepid_epid.networks.uncertainty import DOSE_CUT, ErrorGuess
from intrepid_epid.portal_dose import open_portal_dose, radial_gain
from intrepid_rt.errors import UnusableInput
from intrepid_rt.portal_image import PortalImage

_PANEL_TOLERANCE = 0.05
_NOT_KNOWN = {
    "transmission": "The meterset is not known: the network judges attenuation by the shape of the image alone.",
    "thickness": "No CT is known to the network.",
    "field": "No plan is known to the network.",
}


@dataclass(frozen=True, eq=False)
class Band:
    """Mean of the members and half-width of its 95 % band, (rows, columns) in Gy."""

    mean_gy: NDArray
    half_width_gy: NDArray

    @property
    def percent(self) -> float:
        """Mean half-width over the pixels above 10 % of the maximum, percent of it."""
        inside = self.mean_gy > DOSE_CUT * self.mean_gy.max()
        return float(100 * self.half_width_gy[inside].mean() / self.mean_gy.max())


def portal_dose_model(name: str, *, device: str = "cpu") -> PortalDoseModel:
    """Return a model by name: "physics", or a network's name or folder, which computes on ``device``.

    Raises
    ------
    InvalidSetting
        No model is called so, or this machine has no such device.
    UnreadableFile
        The model's files were changed, or are of another format.
    """
    return PhysicsModel() if name == "physics" else NetworkModel(read_model(find_model(name)), device)


class NetworkModel:
    """An ensemble with its card.

    Parameters
    ----------
    stored : StoredModel
    device : str
        Where torch computes: "cpu", "cuda" or "mps".
    """

    def __init__(self, stored: StoredModel, device: str = "cpu") -> None:
        card = stored.card
        self.card: ModelCard = card
        self.folder: Path = stored.folder
        self.ensemble = Ensemble(
            card.variant, 1 + len(card.inputs), card.filters, stored.weights,
            card.grid.pixel_mm * card.grid.block_px, device,
        )  # fmt: skip

    @property
    def name(self) -> str:
        """Name on the card."""
        return self.card.name

    def predict(self, exposure: Exposure) -> PortalDosePrediction:
        """Return the ensemble's mean with its band, or the physics with the reason why.

        Raises
        ------
        UnusableInput
            The profile is of another energy, or the image of another panel, than the model was trained for.
        """
        self.refuse_other_machine(exposure)
        physics = open_portal_dose(exposure.signal, exposure.profile)
        open_gy = _open_gy(exposure)
        outside = self.outside_domain(exposure, physics, open_gy)
        if outside:
            return _answered_by_physics(exposure, self.name, outside)
        band = self.band(self._seen(exposure, physics, open_gy), physics, self._known(exposure, open_gy))
        return PortalDosePrediction(
            dose=physics.with_values(band.mean_gy),
            half_width_gy=physics.with_values(band.half_width_gy),
            uncertainty_percent=band.percent,
            model=self.name,
            warnings=(*self._not_known(exposure, open_gy), *self._machine_notes(exposure.profile)),
        )

    def band(self, seen: NetworkInput, physics: PortalImage, known: Sequence[str]) -> Band:
        """Return the mean of the members and its 95 % band, on the lattice of the physics' portal dose in Gy.

        ``known`` names the optional inputs that ``seen`` holds.
        """
        doses = self.ensemble.doses_gy(seen, physics)
        mean, spread = doses.mean(axis=0), doses.std(axis=0)
        calibration = self._calibration(known)
        pixel_mm = physics.pixel_spacing_mm[0] / physics.magnification
        guess = ErrorGuess(calibration.floor, calibration.edge_mm, calibration.share)
        return Band(mean, calibration.quantile * guess.gy(mean, spread, physics.values, pixel_mm))

    def refuse_other_machine(self, exposure: Exposure) -> None:
        """Stop where an answer would be for another beam or another detector.

        Raises
        ------
        UnusableInput
        """
        if exposure.profile.energy.strip().casefold() != self.card.energy.strip().casefold():
            raise UnusableInput(
                f"Model {self.name} is for {self.card.energy}, the machine profile for {exposure.profile.energy}. "
                "Choose a model of that energy, or --model physics."
            )
        trained, found = self.card.panel, exposure.panel
        if trained is None or found is None:
            return
        sizes = np.array([(trained.width_mm, found.width_mm), (trained.height_mm, found.height_mm)])
        if trained.vendor != found.vendor or (abs(sizes[:, 1] / sizes[:, 0] - 1) > _PANEL_TOLERANCE).any():
            raise UnusableInput(
                f"Model {self.name} is for a panel of {trained.vendor}, {trained.width_mm:.0f} x "
                f"{trained.height_mm:.0f} mm; this image is of {found.vendor}, {found.width_mm:.0f} x "
                f"{found.height_mm:.0f} mm. Train a model for that panel, or use --model physics."
            )

    def outside_domain(self, exposure: Exposure, physics: PortalImage, open_gy: float | None) -> list[str]:
        """Name in what an exposure is unlike the training images."""
        grid = self.card.grid
        thickness = exposure.thickness_g_cm2
        found = properties(
            on_grid(physics, grid.size_px, grid.pixel_mm),
            grid.pixel_mm,
            source_to_image_mm=physics.source_to_image_mm,
            open_gy=open_gy,
            thickness_g_cm2=None if thickness is None else on_grid(thickness, grid.size_px, grid.pixel_mm),
        )
        return reasons_outside(found, self.card.domain)

    def _calibration(self, known: Sequence[str]) -> Calibration:
        """Band that was made with these inputs known, or with the most of them."""
        usable = [one for one in self.card.calibrations if set(one.inputs) <= set(known)]
        return max(usable, key=lambda one: len(one.inputs))

    def _not_known(self, exposure: Exposure, open_gy: float | None) -> list[str]:
        known = self._known(exposure, open_gy)
        return [_NOT_KNOWN[name] for name in self.card.inputs if name not in known]

    def _known(self, exposure: Exposure, open_gy: float | None) -> list[str]:
        given = {
            "transmission": open_gy is not None,
            "thickness": exposure.patient is not None,
            "field": exposure.open_share is not None,
        }
        return [name for name in self.card.inputs if given[name]]

    def _seen(self, exposure: Exposure, physics: PortalImage, open_gy: float | None) -> NetworkInput:
        physics_gy = self._coarse(physics)
        image = physics_gy
        if self.ensemble.variant.sees == "signal":
            gain = radial_gain(exposure.signal, exposure.profile.radial_factors)
            image = self._coarse(exposure.signal.with_values(exposure.signal.values * gain))
        thickness = None if exposure.thickness_g_cm2 is None else self._coarse(exposure.thickness_g_cm2)
        field = None if exposure.open_share is None else self._coarse(exposure.open_share)
        return network_input(
            image, physics_gy, self.card.inputs, open_gy=open_gy, thickness_g_cm2=thickness, field_map=field
        )

    def _coarse(self, image: PortalImage) -> NDArray:
        grid = self.card.grid
        return coarsened(on_grid(image, grid.size_px, grid.pixel_mm), grid.block_px)

    def _machine_notes(self, profile: MachineProfile) -> list[str]:
        if profile.machine == self.card.machine:
            return []
        return [f"The network was trained on {self.card.machine}, this is {profile.machine}."]


def _open_gy(exposure: Exposure) -> float | None:
    per_mu, meterset_mu = exposure.profile.open_gy_per_mu, exposure.meterset_mu
    return per_mu * meterset_mu if per_mu and meterset_mu else None


def _answered_by_physics(exposure: Exposure, name: str, reasons: Sequence[str]) -> PortalDosePrediction:
    answer = PhysicsModel().predict(exposure)
    said = f"Outside what {name} was trained on, so the physics answers: {'; '.join(reasons)}."
    return PortalDosePrediction(answer.dose, None, answer.uncertainty_percent, answer.model, (said, *answer.warnings))
