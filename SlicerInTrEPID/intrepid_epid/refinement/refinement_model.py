"""A stored refinement applied to the physics dose of a beam: dose, band, and the physics itself outside its domain."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from intrepid_epid.refinement.beam_view import VOXEL_MM, beam_view
from intrepid_epid.refinement.card import StoredRefinement, find_refinement, read_refinement
from intrepid_epid.refinement.domain import properties, reasons_outside
from intrepid_epid.refinement.uncertainty import guessed_error
from intrepid_epid.transit import PrimaryBeam
from intrepid_rt.grids import Grid

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class RefinedDose:
    """Dose of a beam after refinement, Gy on the grid of the physics.

    ``half_width_gy`` is that of the 95 % band, None where the physics answered; ``notes`` say why it did.
    """

    dose_gy: NDArray
    half_width_gy: NDArray | None
    notes: tuple[str, ...] = ()


def refinement_model(name: str, *, device: str = "cpu") -> "RefinementModel":
    """Return a refinement by its name or folder, which computes on ``device``.

    Raises
    ------
    InvalidSetting
        None is called so, or this machine has no such device.
    UnreadableFile
        Its files were changed, or are of another format.
    """
    return RefinementModel(read_refinement(find_refinement(name)), device)


class RefinementModel:
    """An ensemble of refinement networks with its card."""

    def __init__(self, stored: StoredRefinement, device: str = "cpu") -> None:
        self.card = stored.card
        self.members = members(stored.weights, stored.card.filters, device)

    @property
    def name(self) -> str:
        """Name on the card."""
        return self.card.name

    def refine(self, dose_gy: NDArray, beam: PrimaryBeam, *, energy: str) -> RefinedDose:
        """Refine the physics dose (nz, ny, nx) of one standing beam on the grid of its anatomy.

        Parameters
        ----------
        energy : str
            Of the machine profile.
        """
        if energy.strip().casefold() != self.card.energy.strip().casefold():
            return self._physics(dose_gy, [f"it is for {self.card.energy}, the machine profile for {energy}"])
        dose = beam.anatomy.density.with_values(dose_gy)
        try:
            view = beam_view(dose, beam)
        except ValueError as error:
            return self._physics(dose_gy, [str(error)])
        planes = view.planes()
        outside = reasons_outside(properties(planes), self.card.domain)
        if outside:
            return self._physics(dose_gy, outside)
        answers = corrections(self.members, planes)
        mean, spread = answers.mean(axis=0), answers.std(axis=0)
        correction = _carried(view.dose_gy.with_values(mean), dose)
        # Where the lattice does not reach, doses are low: the correction stops, the band goes on from its edge.
        half = self.card.quantile * guessed_error(planes[0] + mean, spread, VOXEL_MM)
        band = _carried(view.dose_gy.with_values(half), dose, goes_on=True)
        level = np.float32(view.level_gy)
        return RefinedDose(np.maximum(dose_gy + level * correction, 0), level * band)

    def _physics(self, dose_gy: NDArray, reasons: Sequence[str]) -> RefinedDose:
        said = f"Refinement {self.name} was not applied, the dose is that of the physics: {'; '.join(reasons)}."
        return RefinedDose(dose_gy, None, (said,))


def members(weights: Sequence[dict[str, "Tensor"]], filters: int, device: str = "cpu") -> list:
    """Build the networks of an ensemble on a torch device, which the machine must have."""
    from intrepid_epid.networks.architecture.refinement import RefinementNetwork
    from intrepid_epid.networks.device import usable_device

    usable_device(device)

    made = []
    for one in weights:
        network = RefinementNetwork(filters)
        network.load_state_dict(one)
        made.append(network.to(device).eval())
    return made


def corrections(networks: Sequence, planes: NDArray) -> NDArray:
    """Corrections over the level by every member, (members, nz, ny, nx)."""
    import torch

    shown = torch.from_numpy(planes[None]).to(next(networks[0].parameters()).device)
    with torch.inference_mode():
        return np.stack([network(shown)[0, 0].cpu().numpy() for network in networks])


def _carried(values: Grid, to: Grid, *, goes_on: bool = False) -> NDArray:
    """Interpolate along-beam values on another grid; beyond their lattice they end, or go on as at its edge."""
    index = values.lps_to_index @ to.index_to_lps
    # From (i, j, k) to array order and back: one affine for the whole grid.
    matrix, offset = index[2::-1, 2::-1], index[2::-1, 3]
    mode = "nearest" if goes_on else "constant"
    return ndimage.affine_transform(
        values.values, matrix, offset, output_shape=to.shape, output=np.float32, order=1, mode=mode
    )
