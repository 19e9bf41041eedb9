"""A thorax of elliptic cylinders, whose volumes, centroids and doses in a linear field are known on paper."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

SLICE_MM = 5.0
SLICES = 24
VERTICES = 40


@dataclass(frozen=True)
class Organ:
    """An upright elliptic cylinder, drawn on ``planes`` CT slices from ``first_plane`` on.

    ``name`` is after TG-263, ``variants`` are what centres call it, in the order of `LANGUAGES`: spellings separated by
    ``|``, of which a patient has one. ``mirrored_variants`` are those of the other side, where the name tells it.
    """

    name: str
    interpreted_type: str
    centre_xy_mm: tuple[float, float]
    radii_mm: tuple[float, float]
    first_plane: int
    planes: int
    variants: tuple[str, ...]
    mirrored_variants: tuple[str, ...] = ()

    def variant(self, language: int, spelling: int) -> str:
        """Return the name in a language, in one of its spellings."""
        spellings = self.variants[language].split("|")
        return spellings[spelling % len(spellings)]

    def mirrored(self) -> "Organ":
        """Return the target of the other side; other organs stay where they are."""
        if self.interpreted_type != "PTV":
            return self
        x, y = self.centre_xy_mm
        return replace(self, centre_xy_mm=(-x, y), variants=self.mirrored_variants or self.variants)

    def contours_mm(self, origin_lps_mm: NDArray) -> list[NDArray]:
        """Polygons (VERTICES, 3) in LPS mm, one per plane; the anatomy's first slice lies at ``origin_lps_mm`` (3,)."""
        turn = 2 * np.pi * np.arange(VERTICES) / VERTICES
        outline = np.array(self.centre_xy_mm) + np.column_stack([np.cos(turn), np.sin(turn)]) * self.radii_mm
        heights = SLICE_MM * np.arange(self.first_plane, self.first_plane + self.planes)
        return [np.round(np.column_stack([outline, np.full(VERTICES, z)]) + origin_lps_mm, 4) for z in heights]

    @property
    def volume_cc(self) -> float:
        """Volume of the drawn polygons, each standing for one slice."""
        polygon_mm2 = VERTICES / 2 * math.sin(2 * math.pi / VERTICES) * self.radii_mm[0] * self.radii_mm[1]
        return polygon_mm2 * self.planes * SLICE_MM / 1000.0

    def centroid_mm(self, origin_lps_mm: NDArray) -> NDArray:
        """Centre of gravity (3,), LPS mm."""
        middle = SLICE_MM * (self.first_plane + (self.planes - 1) / 2)
        return np.array([*self.centre_xy_mm, middle]) + origin_lps_mm

    def corners_mm(self, origin_lps_mm: NDArray) -> NDArray:
        """Corners (2 * VERTICES, 3) of the body, LPS mm: a linear dose has its extremes among them."""
        drawn = self.contours_mm(origin_lps_mm)
        half = [0.0, 0.0, SLICE_MM / 2]
        return np.concatenate([drawn[0] - half, drawn[-1] + half])

    def grown(self, factor: float) -> "Organ":
        """Return the organ of a larger or smaller patient."""
        x, y = self.centre_xy_mm
        a, b = self.radii_mm
        return replace(self, centre_xy_mm=(x * factor, y * factor), radii_mm=(a * factor, b * factor))


LANGUAGES = ("English", "German", "Danish", "Italian", "Dutch", "French")

ORGANS = (
    Organ("External", "EXTERNAL", (0, 0), (140, 95), 0, SLICES,
          ("BODY|External", "Körperumriss|Aussenkontur", "Krop|Ydre kontur", "Corpo|Contorno esterno",
           "Huid|Buitencontour", "Contour externe|Corps")),
    Organ("PTV_5000", "PTV", (70, -50), (28, 18), 7, 10,
          ("PTV breast 50|PTV_5000", "PTV Mamma li|PTV Mamma links", "PTV_Bryst|PTVp_bryst",
           "PTV mammella|PTV mammella sx",
           "PTV borst|PTV borst li", "PTV sein 50|PTV sein G"),
          ("PTV breast 50|PTV_5000", "PTV Mamma re|PTV Mamma rechts", "PTV_Bryst|PTVp_bryst",
           "PTV mammella|PTV mammella dx",
           "PTV borst|PTV borst re", "PTV sein 50|PTV sein D")),
    Organ("Heart", "ORGAN", (25, -15), (38, 32), 4, 11,
          ("Heart|HEART|Hrt", "Herz|HERZ", "Hjerte|hjerte", "Cuore|CUORE", "Hart|hart", "Coeur|Cœur")),
    Organ("Lung_L", "ORGAN", (75, 5), (36, 52), 5, 17,
          ("Lung L|Lt Lung|LLung", "Lunge li|Lunge links|LUNGE_LI", "Lunge_sin|Lunge ve|Lunge venstre",
           "Polmone sx|Polmone sinistro|polmone_sin", "Long links|Long li|LONG_L", "Poumon gauche|Poumon G|POUMON_G")),
    Organ("Lung_R", "ORGAN", (-75, 5), (38, 54), 5, 17,
          ("Lung R|Rt Lung|RLung", "Lunge re|Lunge rechts|LUNGE_RE", "Lunge_dxt|Lunge hø|Lunge højre",
           "Polmone dx|Polmone destro|polmone_dx", "Long rechts|Long re|LONG_R", "Poumon droit|Poumon D|POUMON_D")),
    Organ("SpinalCord", "ORGAN", (0, 60), (7, 7), 0, SLICES,
          ("Spinal cord|Cord|SpinalChord", "Myelon|Rückenmark|Rueckenmark", "Medulla|Rygmarv|Medulla spinalis",
           "Midollo|Midollo spinale|MIDOLLO", "Myelum|Ruggenmerg|ruggemerg", "Moelle|Moelle épinière|Moelle epiniere")),
)  # fmt: skip

# Drawn for planning in some patients: it must not be taken for an organ.
HELPER = Organ("", "AVOIDANCE", (70, -50), (40, 30), 7, 10,
               ("zRing", "Hilfsring", "Hjælpering", "Anello opt", "Hulpring", "Anneau PTV"))  # fmt: skip
