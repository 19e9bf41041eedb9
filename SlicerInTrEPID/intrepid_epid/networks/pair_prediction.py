"""What a model says to the pairs of a dataset, so that it can be judged."""

from collections.abc import Sequence
from dataclasses import dataclass

from numpy.typing import NDArray

from intrepid_epid.dataset.manifest import Manifest, Pair
from intrepid_epid.dataset.pair_file import PairArrays
from intrepid_epid.networks.domain import properties, reasons_outside
from intrepid_epid.networks.model_grid import grid_image
from intrepid_epid.networks.network_model import NetworkModel
from intrepid_epid.networks.portal_dose_model import PortalDoseModel
from intrepid_epid.networks.training_data import input_of_pair, open_gy
from intrepid_rt.errors import UnusableInput


@dataclass(frozen=True, eq=False)
class PairPrediction:
    """Portal dose and half-width of its band on the dataset's grid, Gy; ``outside`` says why the physics answered."""

    dose_gy: NDArray
    half_width_gy: NDArray | None = None
    outside: tuple[str, ...] = ()


def predict_pair(
    model: PortalDoseModel, arrays: PairArrays, pair: Pair, manifest: Manifest, *, known: Sequence[str] | None = None
) -> PairPrediction:
    """Predict a pair as an image of it would be.

    Parameters
    ----------
    arrays : PairArrays
        On the manifest's grid; its portal dose is not looked at.
    known : sequence of str, optional
        Optional inputs that are told; None tells all the pair has.

    Raises
    ------
    UnusableInput
        The model is for another grid.
    """
    if not isinstance(model, NetworkModel):
        return PairPrediction(arrays.physics_gy)
    grid = model.card.grid
    if (grid.size_px, grid.pixel_mm) != (manifest.grid.size_px, manifest.grid.pixel_mm):
        raise UnusableInput(
            f"Model {model.name} works on {grid.size_px} pixels of {grid.pixel_mm:g} mm, the dataset has "
            f"{manifest.grid.size_px} of {manifest.grid.pixel_mm:g} mm. Build the dataset on the model's grid."
        )
    told = told_of(arrays, model.card.inputs if known is None else known)
    per_mu = open_gy(manifest, pair) if known is None or "transmission" in known else None
    found = properties(
        arrays.physics_gy,
        grid.pixel_mm,
        source_to_image_mm=pair.source_to_image_mm,
        open_gy=per_mu,
        thickness_g_cm2=told.thickness_g_cm2,
    )
    outside = reasons_outside(found, model.card.domain)
    if outside:
        return PairPrediction(arrays.physics_gy, outside=tuple(outside))
    given = {"transmission": per_mu, "thickness": told.thickness_g_cm2, "field": told.field_map}
    seen = input_of_pair(
        told, model.card.inputs, sees=model.ensemble.variant.sees, factor=grid.block_px, open_gy=per_mu
    )
    physics = grid_image(arrays.physics_gy, grid.pixel_mm)
    band = model.band(seen, physics, [name for name in model.card.inputs if given[name] is not None])
    return PairPrediction(band.mean_gy, band.half_width_gy)


def told_of(arrays: PairArrays, known: Sequence[str]) -> PairArrays:
    """Return a pair without the optional planes that are not to be told."""
    return PairArrays(
        signal=arrays.signal,
        physics_gy=arrays.physics_gy,
        portal_dose_gy=arrays.portal_dose_gy,
        thickness_g_cm2=arrays.thickness_g_cm2 if "thickness" in known else None,
        field_map=arrays.field_map if "field" in known else None,
    )
