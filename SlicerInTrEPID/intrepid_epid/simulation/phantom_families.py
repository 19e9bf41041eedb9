"""The four kinds of phantom of the founding study and random trunks, each with sizes, places and densities drawn."""

import numpy as np

from intrepid_epid.simulation.phantoms import AIR_G_CC, Phantom, Solid

FAMILIES = ("OMG", "CIRS", "SLAB", "MULTIPLUG")  # of the founding study
TRUNK = "TRUNK"
_TISSUE_PLUGS = (0.92, 0.98, 1.06, 1.15, 1.28, 1.5, 1.75)


def make_phantom(family: str, name: str, rng: np.random.Generator, *, thickness_mm: float = 0.0) -> Phantom:
    """Draw a phantom of a family.

    Parameters
    ----------
    rng : numpy.random.Generator
        The same state gives the same phantom.
    thickness_mm : float
        Of a homogeneous phantom; 0 draws it, 40 to 300 mm. Other families have none.

    Raises
    ------
    KeyError
        The family is neither ``TRUNK`` nor one of ``FAMILIES``.
    """
    if family == "OMG":
        return _homogeneous(name, rng, thickness_mm or rng.uniform(40, 300))
    return {"CIRS": _thorax, "SLAB": _slabs, "MULTIPLUG": _multiplug, TRUNK: _trunk}[family](name, rng)


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


def _trunk(name: str, rng: np.random.Generator) -> Phantom:
    """Return a body drawn freely: thin or thick, no to three lungs, bony wall or none, a spine, masses and air."""
    width, depth, half_z = rng.uniform(115, 185), rng.uniform(65, 135), rng.uniform(85, 130)
    solids = [_cylinder(round(rng.uniform(0.95, 1.05), 3), (0, 0), (width, depth), half_z)]
    if rng.random() < 0.5:
        shell, wall = rng.uniform(0.8, 0.92), rng.uniform(4, 10)
        outer = (shell * width, shell * depth)
        solids.append(_cylinder(round(rng.uniform(1.1, 1.4), 2), (0, 0), outer, half_z))
        solids.append(_cylinder(1.0, (0, 0), (outer[0] - wall, outer[1] - wall), half_z))
    for side in rng.permutation([-1, 0, 1])[: rng.integers(0, 4)]:
        centre = (side * rng.uniform(0.4, 0.55) * width, rng.uniform(-0.12, 0.12) * depth)
        half = (rng.uniform(0.22, 0.4) * width, rng.uniform(0.4, 0.78) * depth)
        solids.append(_cylinder(round(rng.uniform(0.13, 0.5), 3), centre, half, rng.uniform(0.6, 0.95) * half_z))
    spine, radius = (rng.uniform(-15, 15), rng.uniform(0.45, 0.7) * depth), rng.uniform(11, 22)
    solids.append(_cylinder(round(rng.uniform(1.2, 1.8), 2), spine, (radius, radius), half_z))
    drawn = [(0.9, 1.12, 5, 40)] * rng.integers(1, 5) + [(AIR_G_CC, AIR_G_CC, 5, 18)] * rng.integers(0, 3)
    for least, most, small, large in drawn:
        place = (rng.uniform(-0.65, 0.65) * width, rng.uniform(-0.6, 0.6) * depth, rng.uniform(-40, 40))
        half_axes = rng.uniform(small, large) * rng.uniform(0.7, 1.3, 3)
        solids.append(Solid(round(rng.uniform(least, most), 4), _floats(place), _floats(tuple(half_axes)), "ellipsoid"))
    return Phantom(name, TRUNK, tuple(solids))


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
