"""Path integrals by the Reconstruction Toolkit, an independent program, for Testing/unit/epid/test_rays_beside_rtk.py.

    python -m venv RTK && RTK/bin/pip install itk-rtk==2.7.0.post1 numpy
    RTK/bin/python Testing/benchmarks/peer_rtk.py Testing/golden/rays/rtk_joseph.npz

itk-rtk needs about 1.8 GB with ITK, too much for the tests' environment: its numbers are kept instead. The volume is
made here, in IEC fixed coordinates, and written along with them; ray directions are RTK's own geometry (gantry angle,
in-plane angle of the detector), the couch turns the volume. Joseph's projector (IEEE Trans. Med. Imaging 1 (1982) 192)
interpolates between voxel centres, where ours takes voxels as filled cuboids: inside smooth objects both agree.
"""

import sys
from pathlib import Path

import itk
import numpy as np

SPACING, SHAPE = (2.0, 2.5, 3.0), (44, 72, 96)  # (x, y, z) mm of the patient; (nz, ny, nx)
ORIGIN = (-88.0, -95.0, -58.0)  # LPS mm of the first voxel: off centre
SOURCE_TO_AXIS, SOURCE_TO_IMAGE = 1000.0, 1600.0
# Gantry, couch, collimator (degrees, IEC 61217).
BEAMS = ((0, 0, 0), (35, 0, 20), (115, 0, 300), (250, 25, 0), (310, 340, 75), (180, 90, 10))
# Pixels of the imager in axes turned with the collimator; the field is off centre on both axes.
COLUMNS, ROWS, PIXEL = 30, 24, 8.0
FIRST = (-70.0, -110.0)


def density() -> np.ndarray:
    """Body with soft edges, a lung to one side and a dense ball off centre, g/cm3, (nz, ny, nx)."""
    z, y, x = (ORIGIN[a] + SPACING[a] * np.arange(SHAPE[2 - a]) for a in (2, 1, 0))
    z, y, x = np.meshgrid(z, y, x, indexing="ij")

    def soft(distance_mm, width_mm=6.0):
        return 1 / (1 + np.exp(np.clip(distance_mm / width_mm, -40, 40)))

    made = soft((np.sqrt((x / 75) ** 2 + ((y + 5) / 62) ** 2 + (z / 48) ** 2) - 1) * 48)
    made *= 1 - 0.7 * soft(np.sqrt((x - 25) ** 2 + y**2 + (z / 1.5) ** 2) - 22)
    made += 0.8 * soft(np.sqrt((x + 30) ** 2 + (y + 20) ** 2 + (z - 15) ** 2) - 12)
    return made.astype(np.float32)


def projected(values: np.ndarray, gantry: float, couch: float, collimator: float) -> np.ndarray:
    """Integral over the rays to the pixels, g/cm2, (rows, columns)."""
    turn = np.deg2rad(couch)
    # Head first supine: X_fixed along patient x, Y_fixed along z, Z_fixed against y; the couch turns about Z_fixed.
    to_fixed = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    to_fixed = to_fixed @ np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])
    image = itk.image_from_array(np.ascontiguousarray(values))
    image.SetSpacing(SPACING)
    image.SetOrigin((to_fixed @ ORIGIN).tolist())
    image.SetDirection(itk.matrix_from_array(to_fixed))
    geometry = itk.RTK.ThreeDCircularProjectionGeometry.New()
    geometry.AddProjection(SOURCE_TO_AXIS, SOURCE_TO_IMAGE, gantry, 0, 0, 0, collimator)
    kind = itk.Image[itk.F, 3]
    empty = itk.RTK.ConstantImageSource[kind].New(
        Origin=[*FIRST, 0.0], Spacing=[PIXEL, PIXEL, 1.0], Size=[COLUMNS, ROWS, 1], Constant=0.0
    )
    projector = itk.RTK.JosephForwardProjectionImageFilter[kind, kind].New()
    projector.SetInput(0, empty.GetOutput())
    projector.SetInput(1, image)
    projector.SetGeometry(geometry)
    projector.Update()
    return itk.array_from_image(projector.GetOutput())[0] / 10


def main() -> None:
    """Write the projections of all beams."""
    out, values = Path(sys.argv[1]), (np.round(density() * 200) / 200).astype(np.float32)
    made = np.stack([projected(values, *beam) for beam in BEAMS]).astype(np.float32)
    out.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        out, density_g_cc=np.round(values * 200).astype(np.uint16), scale=1 / 200, spacing_mm=SPACING,
        origin_lps_mm=ORIGIN, beams_deg=BEAMS, first_pixel_mm=FIRST, pixel_mm=PIXEL, source_to_axis_mm=SOURCE_TO_AXIS,
        source_to_image_mm=SOURCE_TO_IMAGE, thickness_g_cm2=made,
    )  # fmt: skip
    print(made.max(axis=(1, 2)), out.stat().st_size)


if __name__ == "__main__":
    main()
