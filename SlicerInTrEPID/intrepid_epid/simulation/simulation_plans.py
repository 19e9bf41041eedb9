"""Which phantoms, beams and parts of the split a simulated set consists of."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intrepid_epid.aperture import open_area_cm2
from intrepid_epid.simulation import fields
from intrepid_epid.simulation.phantom_families import FAMILIES, TRUNK, make_phantom
from intrepid_epid.simulation.phantoms import Phantom
from intrepid_rt.errors import InvalidSetting
from intrepid_rt.plan import Beam

# Pairs (training, test) of the founding study by phantom and field. Its table adds up to 213 pairs and 23 tests where
# its text says 211 and 22 (docs/commissioning.md): one OMG 10x10 less to learn from and no OMG 2x10 test.
FOUNDING: dict[str, dict[str, tuple[int, int]]] = {
    "OMG": {"2x2": (13, 1), "5x5": (11, 1), "10x10": (14, 1), "20x20": (13, 1), "2x10": (12, 0)},
    "CIRS": {
        "2x2": (7, 1), "5x5": (8, 1), "10x10": (6, 1), "2x10": (7, 1), "10x2": (7, 1), "15x1": (7, 1), "1x15": (7, 1),
    },
    "SLAB": {
        "2x2": (6, 1), "5x5": (6, 1), "10x10": (6, 1), "20x20": (6, 1), "2x10": (6, 1), "10x2": (2, 0), "4x20": (6, 1),
    },
    "MULTIPLUG": {"5x5": (11, 1), "10x10": (7, 1), "2x10": (7, 1), "15x1": (7, 1), "ellipse": (7, 1)},
}  # fmt: skip
TRAINING_PHANTOMS = {"OMG": 9, "CIRS": 7, "SLAB": 6, "MULTIPLUG": 7}
TEST_PHANTOMS = 2
OMG_THICKNESSES_MM = (48.0, 72.0, 88.0, 118.0, 146.0, 172.0, 214.0, 246.0, 278.0)
OMG_TEST_MM = (132.0, 228.0)
EXTRA_PHANTOMS = 3  # per family, with irregular, off-axis and modulated fields
_EXTRA_FIELDS = ("mlc", "mlc", "offaxis", "modulated")
_ANGLES = {
    "OMG": (0.0, 0.0, 0.0, 180.0, 90.0),
    "CIRS": (0.0, 90.0, 180.0, 270.0),
    "SLAB": (0.0, 0.0, 180.0),
    "MULTIPLUG": (0.0, 90.0, 180.0, 270.0),
}
_METERSETS_MU = (50.0, 80.0, 100.0, 100.0, 100.0, 120.0, 200.0)
WIDE_PHANTOMS = {"OMG": 14, "CIRS": 6, "SLAB": 6, "MULTIPLUG": 6}
WIDE_THICKNESS_MM = (50.0, 330.0)  # of the homogeneous ones, spread evenly
_WIDE_SIDES_CM = ((2, 6), (7, 13), (14, 22))  # a square of each on every phantom
_WIDE_SCALE = 1.35  # leaves then stay within 12 cm of the axis
_WIDE_SHAPES = ("widemlc", "offaxis", "widemodulated", "mlc")
TRUNKS = 27
_TRUNK_SHAPES = ("mlc", "offaxis", "modulated", "widemlc", "ellipse", "1.5x10", "12x2")
SETS = ("founding", "wide", "trunks", "unseen")


@dataclass(frozen=True)
class SimulatedPlan:
    """One phantom on the couch with the beams that are imaged; ``split`` is empty where no split is published."""

    phantom: Phantom
    beams: tuple[Beam, ...]
    fields: tuple[str, ...]  # the name of each beam's field
    split: str = ""

    @property
    def label(self) -> str:
        """Name of the plan."""
        return f"P-{self.phantom.name}"


def plans_of(name: str, *, seed: int, count: int | None = None) -> tuple[SimulatedPlan, ...]:
    """Return the plans of a set; with ``count`` its first ``count`` pairs only.

    ``founding`` is the composition of the founding study, 211 pairs, and 48 pairs with irregular, off-axis and
    modulated fields. ``wide`` adds what that composition has few of: every field size through every thickness, large
    fields through thick phantoms above all. ``trunks`` are 135 pairs on bodies drawn freely, with and without lungs,
    bone, masses and air, seen from all sides, with small fields most of all. ``unseen`` is held out from all training:
    other phantoms and fields, made from another seed.

    Raises
    ------
    InvalidSetting
        No such set, or a count below 1.
    """
    if name not in SETS:
        raise InvalidSetting(f"No simulated set is called {name!r}; known are {', '.join(SETS)}.")
    if count is not None and count < 1:
        raise InvalidSetting(f"--count {count}: at least one pair must be simulated.")
    made = list({"founding": _founding, "wide": _wide, "trunks": _trunks, "unseen": _unseen}[name](seed))
    return tuple(made if count is None else _first(made, count))


def table_of(plans: tuple[SimulatedPlan, ...]) -> str:
    """Return the list of pairs as CSV, one line a pair: what is published about a set."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["id", "family", "phantom", "plan", "field", "gantry_deg", "mu", "area_cm2", "split"])
    for plan in plans:
        for beam, field in zip(plan.beams, plan.fields, strict=True):
            writer.writerow([
                pair_id(plan, beam), plan.phantom.family, plan.phantom.name, plan.label, field,
                f"{beam.control_points[0].gantry_angle_deg:g}", f"{beam.meterset_mu:g}", f"{open_area_cm2(beam):.2f}",
                plan.split,
            ])  # fmt: skip
    return out.getvalue()


def pair_id(plan: SimulatedPlan, beam: Beam) -> str:
    """Name of a pair, fit for a file name."""
    return f"{plan.phantom.name}_{beam.name}"


def _founding(seed: int) -> Iterator[SimulatedPlan]:
    for number, family in enumerate(FAMILIES):
        for part, (split, phantoms) in enumerate((("train", TRAINING_PHANTOMS[family]), ("test", TEST_PHANTOMS))):
            names = [field for field, counts in FOUNDING[family].items() for _ in range(counts[part])]
            for index in range(phantoms):
                rng = np.random.default_rng([seed, number, part, index])
                thickness = (OMG_THICKNESSES_MM, OMG_TEST_MM)[part][index] if family == "OMG" else 0.0
                phantom = make_phantom(family, f"{family}-{'LT'[part]}{index + 1:02d}", rng, thickness_mm=thickness)
                # The last phantom of every family is set apart to watch the training by.
                shown = "validation" if split == "train" and index == phantoms - 1 else split
                yield _plan(phantom, names[index::phantoms], shown, rng)
        for index in range(EXTRA_PHANTOMS):
            rng = np.random.default_rng([seed, number, 2, index])
            phantom = make_phantom(family, f"{family}-X{index + 1:02d}", rng)
            yield _plan(phantom, _EXTRA_FIELDS, "validation" if index == EXTRA_PHANTOMS - 1 else "train", rng)


def _wide(seed: int) -> Iterator[SimulatedPlan]:
    for number, family in enumerate(FAMILIES):
        count = WIDE_PHANTOMS[family]
        low, high = WIDE_THICKNESS_MM
        for index in range(count):
            rng = np.random.default_rng([2_000_003 + seed, number, index])
            thickness = round(low + (index + rng.uniform(0, 1)) / count * (high - low), 1) if family == "OMG" else 0.0
            phantom = make_phantom(family, f"{family}-W{index + 1:02d}", rng, thickness_mm=_apart(thickness))
            squares = [f"{side}x{side}" for side in (rng.integers(a, b + 1) for a, b in _WIDE_SIDES_CM)]
            rectangle = "{}x{}".format(*rng.integers(2, 23, 2))
            names = (*squares, rectangle, _WIDE_SHAPES[index % len(_WIDE_SHAPES)])
            # Every sixth phantom is set apart, so that the homogeneous ones give a thinner and a thick one.
            yield _plan(phantom, names, "validation" if index % 6 == 4 else "train", rng)


def _apart(thickness_mm: float) -> float:
    """Keep a homogeneous phantom clear of those of the founding set and of the Monte Carlo reference cases."""
    others = (*OMG_THICKNESSES_MM, *OMG_TEST_MM, 100.0, 200.0, 300.0)
    return thickness_mm + 3.0 if any(abs(thickness_mm - one) < 1.0 for one in others) else thickness_mm


def _trunks(seed: int) -> Iterator[SimulatedPlan]:
    for index in range(TRUNKS):
        rng = np.random.default_rng([3_000_017 + seed, index])
        phantom = make_phantom(TRUNK, f"TRUNK-{index + 1:02d}", rng)
        small, smaller = rng.uniform(2, 7, 2).round(1)
        side = rng.integers(7, 19)
        long, short = rng.uniform(6, 16), rng.uniform(2, 6)
        names = (
            f"{small:g}x{small:g}", f"{smaller:g}x{smaller:g}", f"{side}x{side}", f"{long:.1f}x{short:.1f}",
            _TRUNK_SHAPES[index % len(_TRUNK_SHAPES)],
        )  # fmt: skip
        width, depth, _ = phantom.solids[0].half_mm
        isocentre = rng.uniform(-0.6, 0.6, 3) * (width, depth, 50.0)
        # Every third is set apart, because this set is to say how far off the band may be.
        split = "validation" if index % 3 == 1 else "train"
        yield _beams(phantom, names, split, rng, isocentre.round(1), np.arange(0.0, 360.0, 5.0))


_UNSEEN_FIELDS = (
    ("10x10", "3x3", "mlc", "6x12"),
    ("5x5", "2x10", "offaxis", "8x8"),
    ("12x4", "modulated", "7x7", "2x2"),
    ("15x15", "ellipse", "4x20", "mlc"),
)


def _unseen(seed: int) -> Iterator[SimulatedPlan]:
    for number, family in enumerate(FAMILIES):
        for index in range(2):
            rng = np.random.default_rng([1_000_003 + seed, number, index])
            phantom = make_phantom(family, f"{family}-U{index + 1:02d}", rng)
            yield _plan(phantom, _UNSEEN_FIELDS[(number + index) % len(_UNSEEN_FIELDS)], "test", rng)


def _plan(phantom: Phantom, names: Sequence[str], split: str, rng: np.random.Generator) -> SimulatedPlan:
    """Put the isocentre up to 4 cm off the middle and give every field an angle and monitor units."""
    depth_mm = 2 * phantom.solids[0].half_mm[1]
    reach_mm = min(40.0, 0.35 * depth_mm)
    isocentre = np.array([rng.uniform(-10, 10), rng.uniform(-reach_mm, reach_mm), rng.uniform(-15, 15)]).round(1)
    # Through the narrow side of a thin phantom most of a field would pass beside it.
    angles = [a for a in _ANGLES[phantom.family] if depth_mm > 110.0 or a % 180.0 == 0.0]
    return _beams(phantom, names, split, rng, isocentre, angles)


def _beams(
    phantom: Phantom,
    names: Sequence[str],
    split: str,
    rng: np.random.Generator,
    isocentre: NDArray,
    angles: Sequence[float] | NDArray,
) -> SimulatedPlan:
    beams = []
    for number, name in enumerate(names, 1):
        angle = float(rng.choice(angles))
        if rng.random() < 0.25:
            angle = float((angle + rng.integers(-30, 31)) % 360)
        beam = _field(name, rng, isocentre=isocentre, gantry_deg=angle, meterset_mu=float(rng.choice(_METERSETS_MU)))
        beams.append(replace(beam, number=number, name=f"B{number:02d}_{name}_g{angle:03.0f}"))
    return SimulatedPlan(phantom, tuple(beams), tuple(names), split)


def _field(name: str, rng: np.random.Generator, **beam: Any) -> Beam:
    if name == "ellipse":
        return fields.ellipse(*rng.uniform(18, 60, 2).round(1), **beam)
    if name == "mlc":
        return fields.irregular(rng, collimator_deg=float(rng.choice([0.0, 0.0, 90.0, 15.0, 345.0])), **beam)
    if name == "modulated":
        return fields.modulated(rng, **beam)
    if name == "widemlc":
        return fields.irregular(rng, scale=_WIDE_SCALE, **beam)
    if name == "widemodulated":
        return fields.modulated(rng, scale=_WIDE_SCALE, **beam)
    if name == "offaxis":
        x, y, half_x, half_y = (*rng.uniform(-50, 50, 2), *rng.uniform(12, 45, 2))
        return fields.rectangle(_limits(x, half_x), _limits(y, half_y), **beam)
    return fields.centred(name, **beam)


def _limits(centre: float, half: float) -> tuple[float, float]:
    return round(float(centre - half), 1), round(float(centre + half), 1)


def _first(plans: list[SimulatedPlan], count: int) -> Iterator[SimulatedPlan]:
    for plan in plans:
        if count <= 0:
            return
        yield replace(plan, beams=plan.beams[:count], fields=plan.fields[:count])
        count -= len(plan.beams)
