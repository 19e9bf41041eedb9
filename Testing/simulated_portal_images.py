"""Portal doses as an imager might measure them, made apart from the prediction under test.

Apertures are sampled at points instead of integrated, the source is wider (1.8 mm), the beam has horns, the output
drifts by 0.3 %, scatter is 10 % higher, the CT is made on another grid than the patient, and every pixel carries 1 % of
noise. Only attenuation and detector response are shared with the prediction.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from intrepid_epid.aperture import at_isocentre_plane
from intrepid_epid.beam_model import beam_model, readings_gy_cm2
from intrepid_epid.machine_profile import load_profile
from intrepid_epid.patient_scatter import single_scatter
from intrepid_epid.point_spread import spread
from intrepid_epid.simulation.detector_kernels import spread as detector_spread
from intrepid_epid.transit import PrimaryBeam, anatomy_of
from intrepid_rt.beam_frame import BeamFrame, beam_frame
from intrepid_rt.grids import Grid, affine_from_axes
from intrepid_rt.plan import Beam, ControlPoint, MultileafCollimator
from intrepid_rt.portal_image import PortalImage

PROFILE = load_profile(Path(__file__).parents[1] / "SlicerInTrEPID" / "Resources" / "SampleData" / "MC6MV.profile.json")
SPECTRUM = beam_model(PROFILE).spectrum
PHOTONS_PER_CM2_MU = 1.362e9  # of that machine's 10 x 10 field alone
METERSET = 120.0
PIXEL_MM = 1.62
LEAF_MM = 10.0
IMAGER = PortalImage(
    np.zeros((180, 170)), (-PIXEL_MM * 84.5, PIXEL_MM * 89.5), (PIXEL_MM, PIXEL_MM), 1600.0, 1000.0, unit="Gy"
)


@dataclass(frozen=True)
class Opening:
    """Leaf pairs of 10 mm: from ``low_mm[i]`` to ``high_mm[i]`` along X_bld, stacked along Y_bld from ``first_mm``."""

    first_mm: float
    low_mm: tuple[float, ...]
    high_mm: tuple[float, ...]

    def beam(self, gantry_deg: float) -> Beam:
        """The plan's side of it."""
        boundary = self.first_mm + LEAF_MM * np.arange(len(self.low_mm) + 1)
        mlc = MultileafCollimator("X", boundary, np.array(self.low_mm), np.array(self.high_mm))
        jaws = ((min(self.low_mm), max(self.high_mm)), (boundary[0], boundary[-1]))
        points = [
            ControlPoint(i, float(i), gantry_deg, 0.0, 0.0, 0.0, np.zeros(3), *jaws, mlc=(mlc,)) for i in range(2)
        ]
        return Beam(1, "TEST", "LINAC", "PHOTON", 1000.0, METERSET, 1.0, tuple(points))

    def with_leaf(self, pair: int, low_mm: float, high_mm: float) -> "Opening":
        """The same opening with one pair elsewhere."""
        low, high = list(self.low_mm), list(self.high_mm)
        low[pair], high[pair] = low_mm, high_mm
        return replace(self, low_mm=tuple(low), high_mm=tuple(high))

    def towards(self, other: "Opening", part: float) -> "Opening":
        """Leaf ends on the way to another opening of the same pairs."""
        low, high = (
            tuple(float((1 - part) * a + part * b) for a, b in zip(own, its, strict=True))
            for own, its in ((self.low_mm, other.low_mm), (self.high_mm, other.high_mm))
        )
        return replace(self, low_mm=low, high_mm=high)

    def open_at(self, x_mm: np.ndarray, y_mm: np.ndarray) -> np.ndarray:
        """Whether points of the isocentre plane are open."""
        pair = np.floor((y_mm - self.first_mm) / LEAF_MM).astype(int)
        inside = (pair >= 0) & (pair < len(self.low_mm))
        pair = np.clip(pair, 0, len(self.low_mm) - 1)
        return inside & (x_mm > np.array(self.low_mm)[pair]) & (x_mm < np.array(self.high_mm)[pair])


@dataclass(frozen=True)
class Patient:
    """An elliptic body along z with cylinders and spheres in it: (density, centre LPS, radius, is sphere)."""

    half_axes_mm: tuple[float, float]
    inserts: tuple[tuple[float, tuple[float, float, float], float, bool], ...]
    fat_mm: float = 0.0  # grown on all sides

    def density(self, spacing_mm: float) -> Grid:
        """Mass density on a grid of this spacing, edges of voxels averaged over eight points."""
        half = np.array([190.0, 150.0, 90.0])
        counts = np.ceil(2 * half / spacing_mm).astype(int)
        origin = -(counts - 1) / 2 * spacing_mm
        axes = [origin[a] + spacing_mm * np.arange(counts[a]) for a in range(3)]
        total = np.zeros(counts[::-1], np.float32)
        for dx in (-0.25, 0.25):
            for dy in (-0.25, 0.25):
                z, y, x = np.meshgrid(*(axes[a] + s * spacing_mm for a, s in ((2, 0.0), (1, dy), (0, dx))),
                                      indexing="ij", sparse=True)  # fmt: skip
                total += self._at(x, y, z)
        return Grid(total / 4, affine_from_axes(origin, (spacing_mm,) * 3), "1")

    def _at(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        a, b = (half + self.fat_mm for half in self.half_axes_mm)
        density = np.where((x / a) ** 2 + (y / b) ** 2 + 0 * z < 1, 1.0, 0.0012)
        for value, (cx, cy, cz), radius, is_sphere in self.inserts:
            along = (z - cz) ** 2 if is_sphere else 0.0
            density = np.where((x - cx) ** 2 + (y - cy) ** 2 + along < radius**2, value, density)
        return density.astype(np.float32)


def random_patient(rng: np.random.Generator) -> Patient:
    """A body with two large organs of lung or air, bones and a lump, each at random."""
    half = (rng.uniform(130, 165), rng.uniform(90, 120))
    side = rng.choice([-1.0, 1.0])
    inserts = [
        (0.28, (side * rng.uniform(55, 75), rng.uniform(-15, 15), 0.0), rng.uniform(35, 45), False),
        (1.55, (rng.uniform(-20, 20), rng.uniform(30, 45), 0.0), rng.uniform(14, 20), False),
        (1.35, (rng.uniform(-45, 45), rng.uniform(-35, 20), rng.uniform(-30, 30)), rng.uniform(10, 16), True),
        (0.0012, (rng.uniform(-40, 40), rng.uniform(-35, 20), rng.uniform(-25, 25)), rng.uniform(10, 15), True),
        (1.06, (side * rng.uniform(55, 75), rng.uniform(-15, 15), rng.uniform(-20, 20)), rng.uniform(12, 18), True),
    ]
    return Patient(half, tuple(inserts))


def random_opening(rng: np.random.Generator) -> Opening:
    """Six to ten leaf pairs around the axis, ends cut at random."""
    pairs = int(rng.integers(6, 11))
    low, high = rng.uniform(-48, -30, pairs), rng.uniform(30, 48, pairs)
    return Opening(-LEAF_MM * (pairs // 2), tuple(low.round(1)), tuple(high.round(1)))


def way(density: Grid, gantry_deg: float, shift_lps_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> PrimaryBeam:
    """Beam through a patient who lies ``shift_lps_mm`` off where he should."""
    frame: BeamFrame = beam_frame(gantry_deg, -np.array(shift_lps_mm))
    return PrimaryBeam(anatomy_of(density), SPECTRUM, frame)


def measured(
    opening: Opening,
    beam: PrimaryBeam,
    rng: np.random.Generator,
    *,
    output: float = 1.0,
    meterset_mu: float = METERSET,
    imager: PortalImage = IMAGER,
    until: Opening | None = None,
) -> PortalImage:
    """Portal dose with everything that differs from the prediction, and 1 % of noise per pixel.

    The leaves move from ``opening`` to ``until`` at constant speed, or stand still.
    """
    response = readings_gy_cm2(SPECTRUM.energy_mev)[:, 1]
    per_photon = beam.transmitted(beam.thickness_g_cm2(beam.pixel_positions_lps_mm(imager)), response)
    stops = [opening] if until is None else [opening.towards(until, part) for part in (1 / 6, 3 / 6, 5 / 6)]
    opened = np.mean([_open(stop, imager) for stop in stops], axis=0)
    fluence = opened * meterset_mu * PHOTONS_PER_CM2_MU * output * rng.normal(1.0, 0.003)
    image = imager.with_values(fluence)
    water = detector_spread("water_15mm", SPECTRUM.energy_mev, SPECTRUM.weight)
    pixel_mm = imager.pixel_spacing_mm
    primary = spread(fluence / 2.56 * per_photon, pixel_mm, list(water.widths_mm), list(water.weights))
    scatter = 1.15 * 1.1 * single_scatter(beam, at_isocentre_plane(image), imager, readings_gy_cm2)[1]
    noise = 1 + 0.01 * rng.standard_normal(primary.shape)
    return imager.with_values((primary + scatter) * noise)


def _open(opening: Opening, imager: PortalImage) -> np.ndarray:
    row_mm, column_mm = imager.pixel_spacing_mm
    parts = (np.arange(5) - 2) / 5
    x, y = np.meshgrid(imager.x_mm, imager.y_mm)
    points = [opening.open_at((x + dx) / 1.6, (y + dy) / 1.6) for dx in parts * column_mm for dy in parts * row_mm]
    blurred = ndimage.gaussian_filter(np.mean(points, axis=0), [1.8 * 1.6 / row_mm, 1.8 * 1.6 / column_mm])
    return blurred * (1 + 0.008 * (x**2 + y**2) / (160.0**2))
