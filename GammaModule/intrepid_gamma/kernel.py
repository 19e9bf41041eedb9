"""The gamma index of one reference point: branch and bound over the cells of the evaluated grid, compiled.

Space is the continuous index space of the evaluated grid, axes in array order (k, j, i), in units of the distance
criterion: ``metric[a]`` = (spacing along a / distance_mm)^2. Dose is in units of the dose criterion. There

    gamma^2(r) = min over t of  sum_a metric[a] (t_a - r_a)^2 + h(t)^2,    h = (D(t) - D_ref(r)) / dose criterion,

with D the trilinear interpolant (Low et al., Med. Phys. 25 (1998) 656). A pyramid of dose ranges leaves the few cells
that can hold the minimum. In such a cell, h is a polynomial of first degree in each coordinate, so that the convex
underestimator of Adjiman and Floudas ("alpha BB", J. Glob. Optim. 9 (1996) 23) has a closed form; a box is divided
until its lower bound meets the best value found within ``ERROR_BOUND``.

Everything compiled is in this one file, because the compiler's cache notices changes of this file only.
"""

# mypy: disallow-untyped-defs=False
# The compiler infers the types of these functions from their arguments.

import math

import numpy as np
from numba import njit, prange

ERROR_BOUND = 5e-7  # gamma is at most this much above the true minimum
_BLOCK = 64  # consecutive reference points that one worker takes at a time
_MOST_STEPS = 8
_MOST_SCALAR_STEPS = 16
_MOST_BOXES = 128


@njit(cache=True, error_model="numpy")
def _prune_level(best):
    """Return the squared gamma below which a candidate still matters."""
    # The relative term keeps the bound above rounding where gamma is in the millions.
    root = math.sqrt(best) * (1.0 - 1e-12) - ERROR_BOUND
    return root * root if root > 0.0 else 0.0


@njit(cache=True, error_model="numpy")
def _axis_distance(position, low, high):
    if position < low:
        return low - position
    return position - high if position > high else 0.0


@njit(cache=True, error_model="numpy")
def _load_corners(values, k, j, i, corner):
    """Copy the eight samples round cell (k, j, i); an axis with one sample is a cell without extent."""
    nz, ny, nx = values.shape
    k1, j1, i1 = min(k + 1, nz - 1), min(j + 1, ny - 1), min(i + 1, nx - 1)
    corner[0], corner[1] = values[k, j, i], values[k, j, i1]
    corner[2], corner[3] = values[k, j1, i], values[k, j1, i1]
    corner[4], corner[5] = values[k1, j, i], values[k1, j, i1]
    corner[6], corner[7] = values[k1, j1, i], values[k1, j1, i1]


@njit(cache=True, error_model="numpy")
def _range(corner, whole):
    """Least and largest of eight samples; (inf, -inf), an empty range, if none is finite or, if ``whole``, not all."""
    total = 0.0
    for c in range(8):
        total += corner[c]
    if math.isfinite(total):
        low = min(
            min(min(corner[0], corner[1]), min(corner[2], corner[3])),
            min(min(corner[4], corner[5]), min(corner[6], corner[7])),
        )
        high = max(
            max(max(corner[0], corner[1]), max(corner[2], corner[3])),
            max(max(corner[4], corner[5]), max(corner[6], corner[7])),
        )
        return low, high
    low, high, finite = np.inf, -np.inf, 0
    for c in range(8):
        if math.isfinite(corner[c]):
            low, high, finite = min(low, corner[c]), max(high, corner[c]), finite + 1
    return (np.inf, -np.inf) if whole and finite < 8 else (low, high)


@njit(cache=True, error_model="numpy")
def _residual_polynomial(corner, reference, per_dose, poly):
    """Coefficients of h(z, y, x) = (D - reference) * per_dose: 1, x, y, yx, z, zx, zy, zyx, cell coordinates 0 to 1."""
    for c in range(8):
        poly[c] = (corner[c] - reference) * per_dose
    for step in (1, 2, 4):
        for c in range(8):
            if c & step:
                poly[c] -= poly[c - step]


@njit(cache=True, error_model="numpy")
def _residual(poly, z, y, x):
    near = poly[0] + poly[1] * x + y * (poly[2] + poly[3] * x)
    return near + z * (poly[4] + poly[5] * x + y * (poly[6] + poly[7] * x))


@njit(cache=True, error_model="numpy")
def _residual_range(poly, box):
    """Least and largest h over a box: a function of first degree in each coordinate has them at corners."""
    z0, z1, y0, y1, x0, x1 = box
    a, b = _residual(poly, z0, y0, x0), _residual(poly, z0, y0, x1)
    c, d = _residual(poly, z0, y1, x0), _residual(poly, z0, y1, x1)
    e, f = _residual(poly, z1, y0, x0), _residual(poly, z1, y0, x1)
    g, h = _residual(poly, z1, y1, x0), _residual(poly, z1, y1, x1)
    low = min(min(min(a, b), min(c, d)), min(min(e, f), min(g, h)))
    return low, max(max(max(a, b), max(c, d)), max(max(e, f), max(g, h)))


@njit(cache=True, error_model="numpy")
def _clip(value, low, high):
    return min(max(value, low), high)


@njit(cache=True, error_model="numpy")
def _box_distance(point, metric, box):
    """Squared distance from the point to a box."""
    z = _axis_distance(point[0], box[0], box[1])
    y = _axis_distance(point[1], box[2], box[3])
    x = _axis_distance(point[2], box[4], box[5])
    return metric[0] * z * z + metric[1] * y * y + metric[2] * x * x


@njit(cache=True, error_model="numpy")
def _convexity_deficit(poly, box, largest, metric):
    """Return what to add to each metric to make the objective convex over the box (rows of Gershgorin)."""
    z0, z1, y0, y1, x0, x1 = box
    zy = largest * max(abs(poly[6] + poly[7] * x0), abs(poly[6] + poly[7] * x1))
    zx = largest * max(abs(poly[5] + poly[7] * y0), abs(poly[5] + poly[7] * y1))
    yx = largest * max(abs(poly[3] + poly[7] * z0), abs(poly[3] + poly[7] * z1))
    return max(0.0, zy + zx - metric[0]), max(0.0, zy + yx - metric[1]), max(0.0, zx + yx - metric[2])


@njit(cache=True, error_model="numpy")
def _affine_box_minimum(offset, slope, weight, centre, box, relevant):
    """Return the minimum t over the box of sum_a weight[a] (t_a - centre_a)^2 + huber(offset + slope . t).

    There t_a = clip(centre_a - v slope_a / weight_a), where v = offset + slope . t(v), one increasing scalar equation,
    or v = +-relevant if that lies further out.
    """
    (bz, by, bx), (cz, cy, cx) = slope, centre
    z0, z1, y0, y1, x0, x1 = box
    sz, sy, sx = bz / weight[0], by / weight[1], bx / weight[2]
    low, high = -relevant, relevant
    v = _clip((offset + bz * cz + by * cy + bx * cx) / (1.0 + bz * sz + by * sy + bx * sx), low, high)
    z, y, x = cz, cy, cx
    for _ in range(_MOST_SCALAR_STEPS):
        free_z, free_y, free_x = cz - v * sz, cy - v * sy, cx - v * sx
        z, y, x = _clip(free_z, z0, z1), _clip(free_y, y0, y1), _clip(free_x, x0, x1)
        mismatch = v - offset - bz * z - by * y - bx * x
        if abs(mismatch) <= 1e-12 * (1.0 + abs(v)) or (abs(v) == relevant and mismatch * v < 0.0):
            break
        steepness = 1.0 + (bz * sz if z == free_z else 0.0) + (by * sy if y == free_y else 0.0)
        steepness += bx * sx if x == free_x else 0.0
        low, high = (v, high) if mismatch < 0.0 else (low, v)
        v -= mismatch / steepness
        if not low < v < high:  # as may happen where an axis meets its limit
            v = _clip(v, low, high) if abs(v) >= relevant else 0.5 * (low + high)
    return z, y, x


@njit(cache=True, error_model="numpy")
def _slope(poly, z, y, x):
    along_z = poly[4] + poly[5] * x + y * (poly[6] + poly[7] * x)
    along_y = poly[2] + poly[3] * x + z * (poly[6] + poly[7] * x)
    return along_z, along_y, poly[1] + poly[3] * y + z * (poly[5] + poly[7] * y)


@njit(cache=True, error_model="numpy")
def _first_guess(poly, point, metric, box, relevant):
    """Return the minimum t of the objective with h linearised where the box is nearest, and the linear h there."""
    z, y, x = _clip(point[0], box[0], box[1]), _clip(point[1], box[2], box[3]), _clip(point[2], box[4], box[5])
    slope = _slope(poly, z, y, x)
    offset = _residual(poly, z, y, x) - slope[0] * z - slope[1] * y - slope[2] * x
    z, y, x = _affine_box_minimum(offset, slope, metric, point, box, relevant)
    return (z, y, x), offset + slope[0] * z + slope[1] * y + slope[2] * x


@njit(cache=True, error_model="numpy")
def _bounds_of_box(poly, point, metric, box, alpha, relevant, t, best):
    """Improve ``best`` inside a box and say whether the box needs no division.

    The lower bound is that of the convex function f - sum alpha (t - low)(high - t) <= f, with Huber's function of h
    in place of h^2: its value at t less the most that its tangent plane falls over the box (Frank and Wolfe's gap),
    whatever t is.
    """
    z0, z1, y0, y1, x0, x1 = box
    (pz, py, px), (gz, gy, gx), (az, ay, ax), (z, y, x) = point, metric, alpha, t
    weight = (gz + az, gy + ay, gx + ax)
    centre = (
        (gz * pz + 0.5 * az * (z0 + z1)) / weight[0],
        (gy * py + 0.5 * ay * (y0 + y1)) / weight[1],
        (gx * px + 0.5 * ax * (x0 + x1)) / weight[2],
    )
    for _ in range(_MOST_STEPS):
        slope = _slope(poly, z, y, x)
        h = _residual(poly, z, y, x)
        v = _clip(h, -relevant, relevant)
        dz, dy, dx = z - pz, y - py, x - px
        value = h * h + gz * dz * dz + gy * dy * dy + gx * dx * dx
        deficit = (h - v) ** 2 + az * (z - z0) * (z1 - z) + ay * (y - y0) * (y1 - y) + ax * (x - x0) * (x1 - x)
        fall_z = 2.0 * (gz * dz + v * slope[0]) + az * (2.0 * z - z0 - z1)
        fall_y = 2.0 * (gy * dy + v * slope[1]) + ay * (2.0 * y - y0 - y1)
        fall_x = 2.0 * (gx * dx + v * slope[2]) + ax * (2.0 * x - x0 - x1)
        gap = max(fall_z * (z - z0), fall_z * (z - z1)) + max(fall_y * (y - y0), fall_y * (y - y1))
        gap += max(fall_x * (x - x0), fall_x * (x - x1))
        best = min(best, value)
        if value - deficit - gap >= _prune_level(best):
            return best, True
        if gap < 0.1 * deficit:
            break
        offset = h - slope[0] * z - slope[1] * y - slope[2] * x
        z, y, x = _affine_box_minimum(offset, slope, weight, centre, box, relevant)
    return best, False


@njit(cache=True, error_model="numpy")
def _divide(boxes, top, box, alpha, metric):
    """Put the two halves of a box on the stack, cut across the axis that loosens its bound most."""
    axis, worst = 0, -1.0
    for a in range(3):
        width = box[2 * a + 1] - box[2 * a]
        looseness = (alpha[a] + 1e-3 * metric[a]) * width * width
        if looseness > worst:
            axis, worst = a, looseness
    for a in range(6):
        boxes[top + 1, a] = boxes[top + 2, a] = box[a]
    middle = 0.5 * (box[2 * axis] + box[2 * axis + 1])
    boxes[top + 1, 2 * axis + 1] = boxes[top + 2, 2 * axis] = middle
    return top + 2


@njit(cache=True, error_model="numpy")
def _minimum_in_cell(poly, point, metric, best, boxes):
    """Least of ``best`` and the squared gamma within one cell, certified."""
    top = -1
    box = (0.0, 1.0, 0.0, 1.0, 0.0, 1.0)
    while True:
        distance = _box_distance(point, metric, box)
        low, high = _residual_range(poly, box)
        nearest = max(low, -high, 0.0)
        limit = _prune_level(best)
        if distance + nearest * nearest < limit:
            # Where |h| is larger, f is beyond the limit. Huber's function is below h^2 for any ``relevant``; it bends
            # the less the smaller that is, and is still tight at a minimum with a smaller |h|.
            relevant = min(math.sqrt(limit - distance), max(-low, high))
            t, v = _first_guess(poly, point, metric, box, relevant)
            relevant = min(relevant, 1.2 * abs(v) + 0.02 * relevant)
            alpha = _convexity_deficit(poly, box, relevant, metric)
            best, settled = _bounds_of_box(poly, point, metric, box, alpha, relevant, t, best)
            if not settled and top + 2 < _MOST_BOXES:  # deeper would be a box below rounding: 2^-40 of a cell
                top = _divide(boxes, top, box, alpha, metric)
        if top < 0:
            return best
        box = (boxes[top, 0], boxes[top, 1], boxes[top, 2], boxes[top, 3], boxes[top, 4], boxes[top, 5])
        top -= 1


@njit(cache=True, error_model="numpy")
def _minimum_at_corners(corner, reference, per_dose, point, metric, best):
    """Least of ``best`` and the squared gamma at the sample centres round one cell."""
    for c in range(8):
        h = (corner[c] - reference) * per_dose
        value = h * h
        for a in range(3):
            away = ((c >> (2 - a)) & 1) - point[a]
            value += metric[a] * away * away
        if value < best:  # false for a sample that is not a number
            best = value
    return best


@njit(cache=True, error_model="numpy")
def _gap_squared(low, high, reference, per_dose):
    gap = max(low - reference, reference - high, 0.0) * per_dose
    return gap * gap


@njit(cache=True, error_model="numpy")
def _nearest_octant(point, k, j, i, half):
    """Return the number of the octant of a block (bits k, j, i) on whose side the point lies."""
    nearest = 4 if point[0] >= (2 * k + 1) * half else 0
    nearest += 2 if point[1] >= (2 * j + 1) * half else 0
    return nearest + (1 if point[2] >= (2 * i + 1) * half else 0)


@njit(cache=True, error_model="numpy")
def _block_distance(point, metric, k, j, i, size, shape):
    """Squared distance from the point to block (k, j, i) of ``size`` cells; inf if it lies outside the grid."""
    nz, ny, nx = max(shape[0] - 1, 1), max(shape[1] - 1, 1), max(shape[2] - 1, 1)
    z, y, x = k * size, j * size, i * size
    if z >= nz or y >= ny or x >= nx:
        return np.inf
    return _box_distance(point, metric, (z, min(z + size, nz), y, min(y + size, ny), x, min(x + size, nx)))


@njit(cache=True, error_model="numpy")
def _search_cells(values, block, point, reference, per_dose, metric, interpolate, best, scratch):
    """Least of ``best`` and the squared gamma in the up to eight cells of a block of the lowest level."""
    corner, poly, boxes = scratch
    nearest = _nearest_octant(point, block[0], block[1], block[2], 1)
    for order in (0, 1, 2, 4, 3, 5, 6, 7):
        octant = order ^ nearest
        k, j, i = 2 * block[0] + (octant >> 2), 2 * block[1] + ((octant >> 1) & 1), 2 * block[2] + (octant & 1)
        distance = _block_distance(point, metric, k, j, i, 1, values.shape)
        limit = _prune_level(best)
        if distance >= limit:
            continue
        _load_corners(values, k, j, i, corner)
        low, high = _range(corner, interpolate)
        if distance + _gap_squared(low, high, reference, per_dose) >= limit:
            continue
        local = (point[0] - k, point[1] - j, point[2] - i)
        if interpolate:
            _residual_polynomial(corner, reference, per_dose, poly)
            best = _minimum_in_cell(poly, local, metric, best, boxes)
        else:
            best = _minimum_at_corners(corner, reference, per_dose, local, metric, best)
    return best


@njit(cache=True, error_model="numpy")
def _block_span(position, metric, best, n_cells, size):
    """First and last block of ``size`` cells that a smaller gamma can lie in, along one axis."""
    reach = math.sqrt(best / metric)
    first, last = max(position - reach, 0.0), min(position + reach, n_cells - 0.5)
    return int(first) // size, int(last) // size


@njit(cache=True, error_model="numpy")
def _push_blocks_around(point, metric, best, n_levels, shape, entries, bounds):
    """Put the few blocks that hold the ball of radius sqrt(best) on the stack, from the lowest level that allows it."""
    nz, ny, nx = max(shape[0] - 1, 1), max(shape[1] - 1, 1), max(shape[2] - 1, 1)
    level, diameter = 1, 2.0 * math.sqrt(best / min(metric[0], metric[1], metric[2]))
    while level < n_levels and (1 << level) < diameter:
        level += 1
    size, top = 1 << level, -1
    z0, z1 = _block_span(point[0], metric[0], best, nz, size)
    y0, y1 = _block_span(point[1], metric[1], best, ny, size)
    x0, x1 = _block_span(point[2], metric[2], best, nx, size)
    for k in range(z0, z1 + 1):
        for j in range(y0, y1 + 1):
            for i in range(x0, x1 + 1):
                top += 1
                entries[top, 0], entries[top, 1], entries[top, 2], entries[top, 3] = level, k, j, i
                bounds[top] = _block_distance(point, metric, k, j, i, size, shape)
    return top


@njit(cache=True, error_model="numpy")
def _search(values, pyramid, point, reference, per_dose, metric, interpolate, best, stack, scratch):
    """Least of ``best`` and the squared gamma in the whole grid: depth first, nearest octants first."""
    lowest, highest, first, width = pyramid
    entries, bounds = stack
    top = _push_blocks_around(point, metric, best, first.size, values.shape, entries, bounds)
    while top >= 0:
        level, block = entries[top, 0], (entries[top, 1], entries[top, 2], entries[top, 3])
        bound = bounds[top]
        top -= 1
        if bound >= best:
            continue
        if level == 1:
            best = _search_cells(values, block, point, reference, per_dose, metric, interpolate, best, scratch)
            continue
        half = 1 << (level - 1)
        nearest = _nearest_octant(point, block[0], block[1], block[2], half)
        for order in (7, 6, 5, 3, 4, 2, 1, 0):
            octant = order ^ nearest
            k, j, i = 2 * block[0] + (octant >> 2), 2 * block[1] + ((octant >> 1) & 1), 2 * block[2] + (octant & 1)
            bound = _block_distance(point, metric, k, j, i, half, values.shape)
            if bound >= best:
                continue
            node = first[level - 2] + (k * width[level - 2, 0] + j) * width[level - 2, 1] + i
            bound += _gap_squared(lowest[node], highest[node], reference, per_dose)
            if bound < best:
                top += 1
                entries[top, 0], entries[top, 1], entries[top, 2], entries[top, 3] = level - 1, k, j, i
                bounds[top] = bound
    return best


@njit(cache=True, error_model="numpy")
def _start(values, point, reference, per_dose, metric, interpolate, best, scratch):
    """Squared gamma near the point itself, capped by ``best``; -1 if the evaluated dose has no value at the point."""
    corner, poly, boxes = scratch
    k = _clip(math.floor(point[0]), 0, max(values.shape[0] - 2, 0))
    j = _clip(math.floor(point[1]), 0, max(values.shape[1] - 2, 0))
    i = _clip(math.floor(point[2]), 0, max(values.shape[2] - 2, 0))
    local = (point[0] - k, point[1] - j, point[2] - i)
    inside = (_clip(local[0], 0.0, 1.0), _clip(local[1], 0.0, 1.0), _clip(local[2], 0.0, 1.0))
    _load_corners(values, k, j, i, corner)
    here = _interpolated(corner, inside)
    if not math.isfinite(here):
        return -1.0
    if not interpolate:
        return _minimum_at_corners(corner, reference, per_dose, local, metric, best)
    h = (here - reference) * per_dose
    best = min(best, h * h + _box_distance(local, metric, (0.0, 1.0, 0.0, 1.0, 0.0, 1.0)))
    # On a corner of its cell, as if the grids share a lattice, the point has eight cells: take the one downhill.
    if k > 0 and local[0] < 1e-6 and h * (corner[4] - corner[0]) > 0.0:
        k -= 1
    if j > 0 and local[1] < 1e-6 and h * (corner[2] - corner[0]) > 0.0:
        j -= 1
    if i > 0 and local[2] < 1e-6 and h * (corner[1] - corner[0]) > 0.0:
        i -= 1
    local = (point[0] - k, point[1] - j, point[2] - i)
    _load_corners(values, k, j, i, corner)
    low, high = _range(corner, True)
    if low <= high:
        _residual_polynomial(corner, reference, per_dose, poly)
        best = _minimum_in_cell(poly, local, metric, best, boxes)
    return best


@njit(cache=True, error_model="numpy")
def _interpolated(corner, t):
    """Trilinear value at cell coordinates t; a sample of weight zero does not count, not even if it is no number."""
    total = 0.0
    for c in range(8):
        weight = 1.0
        for a in range(3):
            weight *= t[a] if (c >> (2 - a)) & 1 else 1.0 - t[a]
        if weight != 0.0:
            total += weight * corner[c]
    return total


@njit(cache=True, error_model="numpy")
def _reaches_outside(point, metric, best, shape):
    """Whether the ellipsoid in which a smaller gamma could lie extends beyond the outermost sample centres."""
    for a in range(3):
        last = shape[a] - 1
        if last > 0 and metric[a] * min(point[a], last - point[a]) ** 2 < best * (1.0 - 1e-9):
            return True
    return False


@njit(cache=True, error_model="numpy")
def _is_outside(point, metric, border, shape):
    grid = (0.0, shape[0] - 1.0, 0.0, shape[1] - 1.0, 0.0, shape[2] - 1.0)
    return _box_distance(point, metric, grid) > border * border


@njit(cache=True, error_model="numpy")
def _transformed(affine, k, j, i):
    return (
        affine[0, 0] * k + affine[0, 1] * j + affine[0, 2] * i + affine[0, 3],
        affine[1, 0] * k + affine[1, 1] * j + affine[1, 2] * i + affine[1, 3],
        affine[2, 0] * k + affine[2, 1] * j + affine[2, 2] * i + affine[2, 3],
    )


@njit(cache=True, error_model="numpy", parallel=True)
def gamma_of_points(
    values,
    pyramid,
    metric,
    border,
    reference,
    selected,
    to_evaluated,
    dose_criterion,
    local,
    cap,
    interpolate,
    start,
    stop,
    n_workers,
    gamma,
):
    """Fill ``gamma`` at the selected reference points with flat index in [start, stop); count searches that reach out.

    Parameters
    ----------
    values : (nz, ny, nx) float32 or float64
        Evaluated dose.
    pyramid : lowest, highest (n,), first (levels,), width (levels, 2)
        Dose ranges of blocks of 2, 4, 8... cells: flat, where each level starts, and its sizes along j and i.
    metric : (3,) float64
        (Spacing / distance criterion)^2 along k, j, i of the evaluated grid; ``border`` in units of the criterion.
    reference, selected : (mz, my, mx)
        Reference dose and which of its points count.
    to_evaluated : (3, 4) float64
        Reference index (k, j, i) to evaluated index (k, j, i).
    dose_criterion : float
        Dose criterion, or with ``local`` its fraction of the reference dose at the point.
    cap : float
        Largest gamma of interest; inf for none.
    gamma : (mz * my * mx,) float64, written
        inf where the evaluated dose has no value at the point's position.

    Returns
    -------
    int : points whose search reached beyond the evaluated grid.
    """
    my, mx = reference.shape[1:]
    scale = (metric[0], metric[1], metric[2])
    doses, chosen = reference.reshape(-1), selected.reshape(-1)
    reached = np.zeros(n_workers, np.int64)
    for worker in prange(n_workers):
        scratch = (np.empty(8), np.empty(8), np.empty((_MOST_BOXES, 6)))
        stack = (np.empty((256, 4), np.int64), np.empty(256))
        n_reached = 0
        # Blocks go round the workers in turn: neighbours cost alike, so that all workers finish together.
        for begin in range(start + worker * _BLOCK, stop, n_workers * _BLOCK):
            for flat in range(begin, min(begin + _BLOCK, stop)):
                if not chosen[flat]:
                    continue
                k, j, i = flat // (my * mx), flat // mx % my, flat % mx
                point = _transformed(to_evaluated, k, j, i)
                dose = float(doses[flat])
                per_dose = 1.0 / (dose_criterion * abs(dose) if local else dose_criterion)
                best = -1.0
                if not _is_outside(point, scale, border, values.shape):
                    best = _start(values, point, dose, per_dose, scale, interpolate, cap * cap, scratch)
                if best < 0.0:
                    gamma[flat] = np.inf
                    continue
                best = _search(values, pyramid, point, dose, per_dose, scale, interpolate, best, stack, scratch)
                gamma[flat] = math.sqrt(best)
                n_reached += _reaches_outside(point, scale, best, values.shape)
        reached[worker] = n_reached
    return reached.sum()


@njit(cache=True, error_model="numpy", parallel=True)
def lowest_blocks(values, whole, lowest, highest):
    """Fill ``lowest`` and ``highest`` (bz, by, bx) with the dose range of each block of up to 2 x 2 x 2 cells.

    With ``whole``, cells with a sample that is not finite do not count; else such samples do not count.
    """
    nz, ny, nx = values.shape
    bz, by, bx = lowest.shape
    for k in prange(bz):
        corner = np.empty(8)
        for j in range(by):
            for i in range(bx):
                low, high = np.inf, -np.inf
                for z in range(2 * k, min(2 * k + 2, max(nz - 1, 1))):
                    for y in range(2 * j, min(2 * j + 2, max(ny - 1, 1))):
                        for x in range(2 * i, min(2 * i + 2, max(nx - 1, 1))):
                            _load_corners(values, z, y, x, corner)
                            cell_low, cell_high = _range(corner, whole)
                            low, high = min(low, cell_low), max(high, cell_high)
                lowest[k, j, i], highest[k, j, i] = low, high
