"""Mass thickness along rays beside another program: gantry, couch and collimator turned, an asymmetric field.

Numbers of Joseph's projector of the Reconstruction Toolkit, made by Testing/benchmarks/peer_rtk.py with itk-rtk
2.7.0.post1 (see Testing/golden/rays/README.md).
"""

from pathlib import Path

import numpy as np
import pytest

from intrepid_epid.ray_tracing import mass_thickness_g_cm2
from intrepid_epid.transit import anatomy_of
from intrepid_rt.beam_frame import beam_frame
from intrepid_rt.grids import Grid, affine_from_axes

GOLDEN = np.load(Path(__file__).parents[2] / "golden" / "rays" / "rtk_joseph.npz")
BEAMS = [tuple(beam) for beam in GOLDEN["beams_deg"].tolist()]


@pytest.fixture(scope="module")
def anatomy():
    density = (GOLDEN["density_g_cc"] * GOLDEN["scale"]).astype(np.float32)
    return anatomy_of(Grid(density, affine_from_axes(GOLDEN["origin_lps_mm"], GOLDEN["spacing_mm"])))


def thickness(anatomy, gantry_deg, couch_deg, collimator_deg):
    """Ours at the same pixels: the imager turns with the collimator, counter-clockwise seen from the source."""
    frame = beam_frame(gantry_deg, (0.0, 0.0, 0.0), couch_angle_deg=couch_deg)
    rows, columns = GOLDEN["thickness_g_cm2"].shape[1:]
    u, v = (GOLDEN["first_pixel_mm"][a] + GOLDEN["pixel_mm"] * np.arange(n) for a, n in ((0, columns), (1, rows)))
    u, v = np.meshgrid(u, v)
    turn = np.deg2rad(collimator_deg)
    x, y = u * np.cos(turn) - v * np.sin(turn), u * np.sin(turn) + v * np.cos(turn)
    below = GOLDEN["source_to_axis_mm"] - GOLDEN["source_to_image_mm"]
    pixels = frame.to_lps(np.stack([x, y, np.broadcast_to(below, x.shape)], axis=-1))
    return mass_thickness_g_cm2(anatomy, frame.source_lps_mm, pixels.reshape(-1, 3)).sum(axis=-1).reshape(x.shape)


@pytest.mark.parametrize(("number", "beam"), list(enumerate(BEAMS)), ids=str)
def test_thickness_is_that_of_rtk(anatomy, number, beam):
    expected, found = GOLDEN["thickness_g_cm2"][number], thickness(anatomy, *beam)
    difference = found - expected
    assert expected.max() > 12
    # Joseph interpolates between voxels where ours are cuboids: 0.012, 0.058 and 0.37 at worst.
    assert abs(difference.mean()) < 0.02
    assert np.sqrt((difference**2).mean()) < 0.08
    assert np.abs(difference).max() < 0.5


@pytest.mark.parametrize("number", [1, 2, 4, 5])
def test_a_wrong_sense_of_rotation_would_show(anatomy, number):
    expected, (gantry, couch, collimator) = GOLDEN["thickness_g_cm2"][number], BEAMS[number]
    for wrong in ((-gantry, couch, collimator), (gantry, couch, -collimator), (gantry, couch + 20, collimator)):
        if wrong[0] % 360 != gantry % 360 or wrong[1:] != (couch, collimator):
            assert np.abs(thickness(anatomy, *wrong) - expected).max() > 2
