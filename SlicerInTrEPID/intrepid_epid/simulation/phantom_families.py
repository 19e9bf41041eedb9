"""The four kinds of phantom of the founding study, each with thicknesses, sizes, places and densities of its own."""

import numpy as np

from intrepid_epid.simulation.phantoms import AIR_G_CC, Phantom, Solid

FAMILIES = ("OMG", "CIRS", "SLAB", "MULTIPLUG")
_TISSUE_PLUGS = (0.92, 0.98, 1.06, 1.15, 1.28, 1.5, 1.75)


def make_phantom(family: str, name: str, rng: np.random.Generator, *, thickness_mm: float = 0.0) -> Phantom:
    """Draw a phantom of a family; ``thickness_mm`` fixes that of a homogeneous one, 0 draws it.

    Raises
    ------
    KeyError
        The family is none of ``FAMILIES``.
    """
    if family == "OMG":
        return _homogeneous(name, rng, thickness_mm or rng.uniform(40, 300))
    return {"CIRS": _thorax, "SLAB": _slabs, "MULTIPLUG": _multiplug}[family](name, rng)


def _homogeneous(name: str, rng: np.random.Generator, thickness_mm: float) -> Phantom:
    width, length = rng.uniform(250, 330), rng.uniform(240, 310)
    density = float(rng.choice([1.0, 1.0, 1.03, 1.045]))
    return Phantom(name, "OMG", (_box(density, (0, 0, 0), (width, thickness_mm, length)),))


def _thorax(name: str, rng: np.random.Generator) -> Phantom:
    """Body, two lungs, spine with its canal, a heart, and a lesion in one lung."""
    width, depth, half_z = rng.uniform(135, 168), rng.uniform(92, 120), rng.uniform(95, 130)
    lung, x = round(rng.uniform(0.19, 0.33), 3), rng.uniform(0.48, 0.54) * width
    lung_half = (rng.uniform(0.30, 0.36) * width, rng.uniform(0.58, 0.72) * depth)
    side = float(rng.choice([-1, 1]))
    lesion = (side * x + rng.uniform(-12, 12), rng.uniform(-20, 20), rng.uniform(-20, 20))
    spine_y = 0.66 * depth
    solids = [_cylinder(1.0, (0, 0), (width, depth), half_z)]
    solids += [_cylinder(lung, (s * x, rng.uniform(-8, 4)), lung_half, half_z - 10) for s in (-1, 1)]
    solids += [
        _cylinder(1.05, (rng.uniform(5, 25), rng.uniform(-35, -15)), (rng.uniform(28, 40),) * 2, half_z / 2),
        _cylinder(round(rng.uniform(1.35, 1.7), 2), (0, spine_y), (rng.uniform(14, 19),) * 2, half_z),
        _cylinder(1.04, (0, spine_y + 2), (6.5, 6.5), half_z),
        Solid(1.06, lesion, (float(rng.uniform(7, 20)),) * 3, "ellipsoid"),
    ]
    return Phantom(name, "CIRS", tuple(solids))


def _slabs(name: str, rng: np.random.Generator) -> Phantom:
    """Between two sheets of water four to six of bone, lung, air, tissue and water, no two alike in a row."""
    kinds = {
        "water": (1.0, 1.0, 20, 55),
        "bone": (1.4, 1.85, 8, 28),
        "lung": (0.2, 0.36, 35, 85),
        "air": (AIR_G_CC, AIR_G_CC, 8, 28),
        "tissue": (1.04, 1.07, 15, 40),
    }
    order = ["water"]
    while len(order) < int(rng.integers(5, 8)):
        order.append(str(rng.choice([kind for kind in kinds if kind != order[-1]])))
    if "lung" not in order and "bone" not in order:
        order[len(order) // 2] = "lung"
    order.append("water")
    sheets = [(round(rng.uniform(*kinds[k][:2]), 4), rng.uniform(*kinds[k][2:])) for k in order]
    total = sum(thickness for _, thickness in sheets)
    width, length = rng.uniform(225, 290, 2)
    y, solids = -total / 2, [_box(1.0, (0, 0, 0), (width, total, length))]
    for density, thickness in sheets:
        solids.append(_box(density, (0, y + thickness / 2, 0), (width, thickness, length)))
        y += thickness
    return Phantom(name, "SLAB", tuple(solids))


def _multiplug(name: str, rng: np.random.Generator) -> Phantom:
    """Return a block of water with six rods along z: lung, air, titanium and three tissues."""
    size = (rng.uniform(215, 275), rng.uniform(150, 205), rng.uniform(180, 235))
    lung = round(rng.uniform(0.2, 0.5), 2)
    plugs = [lung, AIR_G_CC, 4.54, *rng.choice(_TISSUE_PLUGS, 3, replace=False)]
    solids = [_box(1.0, (0, 0, 0), size)]
    for place, number in enumerate(rng.permutation(6)):
        column, row = place % 3 - 1, place // 3 - 0.5
        centre = (column * 0.3 * size[0] + rng.uniform(-8, 8), row * 0.48 * size[1] + rng.uniform(-8, 8))
        density = float(plugs[number])
        radius = rng.uniform(7, 12) if density > 3 else rng.uniform(10, 21)
        solids.append(_cylinder(density, centre, (radius, radius), size[2] / 2))
    return Phantom(name, "MULTIPLUG", tuple(solids))


def _box(density: float, centre: tuple[float, float, float], size: tuple[float, float, float]) -> Solid:
    return Solid(density, _floats(centre), _floats(tuple(s / 2 for s in size)))


def _cylinder(density: float, centre: tuple[float, float], half: tuple[float, float], half_z: float) -> Solid:
    return Solid(density, _floats((*centre, 0.0)), _floats((*half, half_z)), "cylinder")


def _floats(values: tuple[float, ...]) -> tuple[float, float, float]:
    x, y, z = (round(float(v), 2) for v in values)
    return x, y, z
