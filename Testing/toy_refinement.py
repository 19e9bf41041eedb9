"""A refinement with random weights on disk, and a beam through a small phantom: no training needed."""

import msgspec
import numpy as np

from intrepid_epid.beam_model import generic_spectrum
from intrepid_epid.networks.card import TrainingRange, save_model
from intrepid_epid.refinement.card import RefinementCard
from intrepid_epid.refinement.training import SETTINGS
from intrepid_epid.transit import PrimaryBeam, anatomy_of
from intrepid_rt.beam_frame import beam_frame
from intrepid_rt.grids import Grid, affine_from_axes

WIDE = (
    TrainingRange("area_cm2", 0.0, 1000.0),
    TrainingRange("depth_g_cm2", 0.0, 60.0),
    TrainingRange("density_g_cc", 0.0, 3.0),
    TrainingRange("grid_mm", 0.5, 12.0),
)


def write_toy_refinement(folder, *, last_weight=5.0, seed=0, energy="6 MV", domain=WIDE):
    """Write an ensemble of two; with ``last_weight`` 0 its networks correct nothing."""
    import torch

    from intrepid_epid.networks.architecture.refinement import RefinementNetwork

    members = {}
    for number in range(2):
        torch.manual_seed(seed + number)
        network = RefinementNetwork(SETTINGS.filters[0])
        torch.nn.init.normal_(network.last.weight, std=last_weight) if last_weight else None
        members[f"m{number}"] = network.state_dict()
    card = RefinementCard(
        name="toy",
        created="2026-11-28",
        software_version="test",
        energy=energy,
        intended_use="tests",
        about_data="none",
        beams={},
        filters=SETTINGS.filters[0],
        members=tuple(members),
        settings=msgspec.structs.replace(SETTINGS, epochs=1),
        quantile=2.0,
        trials=(),
        domain=tuple(domain),
        training_seconds=0.0,
    )
    save_model(folder, card, members)
    return folder


def toy_beam(gantry_deg=37.0):
    """Turned beam on an off-centre, anisotropic phantom, and a dose on its grid that falls off as a beam's does."""
    grid = Grid(np.zeros((20, 26, 30), np.float32), affine_from_axes((-55.0, -45.0, -60.0), (4.0, 3.5, 5.0)))
    frame = beam_frame(gantry_deg, (5.0, 3.0, -8.0))
    position = grid.positions()
    inside = (np.abs(position - (3.0, -2.0, -10.0)) < (45.0, 38.0, 40.0)).all(axis=-1)
    density = np.where(inside, 1.0, 0.0012).astype(np.float32)
    beam = PrimaryBeam(anatomy_of(grid.with_values(density)), generic_spectrum(), frame)
    across = frame.projected(position, 1000.0)
    depth_mm = -frame.to_gantry(position)[..., 2]
    dose = np.prod(1 / (1 + np.exp((np.abs(across) - 18.0) / 2.5)), axis=-1) * np.exp(-depth_mm / 200.0)
    return (0.8 * dose * inside).astype(np.float32), beam
