"""Pencil beam of photons on a layered detector: energy deposited in every layer by distance from the beam."""

from dataclasses import dataclass

# ruff: noqa: NPY002 - compiled code draws from one generator per thread, which every run seeds first.
import numpy as np
from numba import njit
from numpy.typing import NDArray

from intrepid_epid.simulation.medium import at, tabulate
from intrepid_epid.simulation.tally import Tally, radii_cm
from intrepid_epid.simulation.transport import follow, interact, new_stack

FloatArray = NDArray[np.floating]

FIRST_RADIUS_CM, BINS_PER_DECADE, LAST_RADIUS_CM = 0.01, 12, 30.0


@dataclass(frozen=True)
class Layer:
    """A layer of a detector: material name, mass density, thickness."""

    material: str
    density_g_cc: float
    thickness_mm: float


# Scored layers: the phosphor; water at 14-16 mm and 49-51 mm depth.
EPID_LAYERS = (
    Layer("water", 1.0, 1.0),
    Layer("copper", 8.96, 1.0),
    Layer("gadolinium_oxysulphide", 4.6, 0.29),
    Layer("water", 1.0, 10.0),
)
EPID_SCORED = (2,)
WATER_SLAB_LAYERS = tuple(Layer("water", 1.0, t) for t in (14.0, 2.0, 33.0, 2.0, 199.0))
WATER_SLAB_SCORED = (1, 3)


@dataclass(frozen=True, eq=False)
class PencilBeamResult:
    """Dose per photon in the scored layers of a detector.

    Parameters
    ----------
    outer_radius_cm : ndarray, (bins,)
        Outer radii of the radial bins; the first starts at 0.
    dose_gy_cm2 : ndarray, (scored, bins)
        Mean dose to the layer within the bin, times the bin's area, per incident photon. Its sum over all bins is the
        dose per photon fluence in a broad beam.
    relative_sigma : ndarray, (scored,)
        Statistical standard deviation of that sum.
    """

    outer_radius_cm: FloatArray
    dose_gy_cm2: FloatArray
    relative_sigma: FloatArray


def pencil_beam(
    layers: tuple[Layer, ...], scored: tuple[int, ...], energy_mev: float, *, histories: int, seed: int
) -> PencilBeamResult:
    """Simulate a pencil beam along +z on ``layers``; energies 0.02 to 20 MeV, 20 batches for the uncertainty."""
    media = tabulate([(layer.material, layer.density_g_cc) for layer in layers])
    thickness_cm = np.array([layer.thickness_mm for layer in layers]) / 10
    faces = np.concatenate([[0.0], np.cumsum(thickness_cm)])
    bins = int(np.ceil(BINS_PER_DECADE * np.log10(LAST_RADIUS_CM / FIRST_RADIUS_CM))) + 2
    # Ranges are those of the layer a particle starts in, so the short cut is for detectors of one material.
    one_material = len({layer.material for layer in layers}) == 1
    wanted = np.array([faces[i : i + 2] for i in scored if one_material]).reshape(-1, 2)
    batches = []
    for batch in range(20):
        tally = Tally(np.zeros((len(layers), bins)), FIRST_RADIUS_CM, BINS_PER_DECADE / np.log(10), 0, wanted)
        _run(energy_mev, histories // 20, seed + batch, faces, media, tally)
        batches.append(tally.deposited_mev[list(scored)] / (histories // 20))
    gray_per_mev_per_g = 1.602176634e-10
    mass_g_cm2 = np.array([layers[i].density_g_cc * thickness_cm[i] for i in scored])[:, None]
    dose = np.array(batches)[:, :, :-1] * gray_per_mev_per_g / mass_g_cm2
    totals = dose.sum(axis=2)
    sigma = totals.std(axis=0, ddof=1) / np.sqrt(len(batches)) / totals.mean(axis=0)
    return PencilBeamResult(radii_cm(tally), dose.mean(axis=0), sigma)


@njit(cache=True)
def _run(energy, histories, seed, faces, media, tally):  # type: ignore[no-untyped-def]
    np.random.seed(seed)
    stack = new_stack()
    layers = faces.size - 1
    depth = np.zeros(layers + 1)
    for i in range(layers):
        depth[i + 1] = depth[i] + at(media.attenuation_per_cm, i, energy) * (faces[i + 1] - faces[i])
    # Every photon is forced to interact in the detector; its depth is stratified over the histories.
    weight = 1.0 - np.exp(-depth[layers])
    for history in range(histories):
        optical = -np.log(1.0 - weight * (history + np.random.random()) / histories)
        layer = 0
        while layer < layers - 1 and depth[layer + 1] < optical:
            layer += 1
        z = faces[layer] + (optical - depth[layer]) / at(media.attenuation_per_cm, layer, energy)
        n = interact(stack, 0, layer, energy, 0.0, 0.0, z, 0.0, 0.0, 1.0, 0.0, media, weight, tally)
        follow(stack, n, faces, media, weight, tally)
