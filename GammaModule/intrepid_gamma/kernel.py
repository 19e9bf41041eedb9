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
    return (
        (poly[0] + poly[1] * x)
        + y * (poly[2] + poly[3] * x)
        + z * (poly[4] + poly[5] * x + y * (poly[6] + poly[7] * x))
    )


@njit(cache=True, error_model="numpy")
def _residual_range(poly, box):
    """Least and largest h over a box: a function of first degree in each coordinate has them at corners."""
    low, high = np.inf, -np.inf
    for z in (box[0], box[1]):
        for y in (box[2], box[3]):
            for x in (box[4], box[5]):
                h = _residual(poly, z, y, x)
                low, high = min(low, h), max(high, h)
    return low, high


@njit(cache=True, error_model="numpy")
def _convexity_deficit(poly, box, largest, metric, alpha):
    """Set alpha[a] so that adding it to metric[a] makes the objective convex over the box (Gershgorin's rows)."""
    zy = largest * max(abs(poly[6] + poly[7] * box[4]), abs(poly[6] + poly[7] * box[5]))
    zx = largest * max(abs(poly[5] + poly[7] * box[2]), abs(poly[5] + poly[7] * box[3]))
    yx = largest * max(abs(poly[3] + poly[7] * box[0]), abs(poly[3] + poly[7] * box[1]))
    alpha[0] = max(0.0, zy + zx - metric[0])
    alpha[1] = max(0.0, zy + yx - metric[1])
    alpha[2] = max(0.0, zx + yx - metric[2])


@njit(cache=True, error_model="numpy")
def _affine_box_minimum(offset, slope, weight, centre, box, t):
    """Set t to the minimum over the box of sum_a weight[a] (t_a - centre_a)^2 + (offset + slope . t)^2.

    There t_a = clip(centre_a - v slope_a / weight_a) with v = offset + slope . t(v), one increasing scalar equation.
    """
    v = offset
    for a in range(3):
        v += slope[a] * centre[a]
    steepness = 1.0
    for a in range(3):
        steepness += slope[a] * slope[a] / weight[a]
    v /= steepness
    for _ in range(_MOST_STEPS):
        mismatch, steepness = v - offset, 1.0
        for a in range(3):
            free = centre[a] - v * slope[a] / weight[a]
            t[a] = min(max(free, box[2 * a]), box[2 * a + 1])
            mismatch -= slope[a] * t[a]
            if t[a] == free:
                steepness += slope[a] * slope[a] / weight[a]
        if abs(mismatch) <= 1e-12 * (1.0 + abs(v)):
            return
        v -= mismatch / steepness


@njit(cache=True, error_model="numpy")
def _bounds_of_box(poly, point, metric, box, alpha, best, work):
    """Improve ``best`` inside a box and say whether the box needs no division.

    The lower bound is that of the convex function f - sum alpha (t - low)(high - t) <= f: its value at t less the most
    that its tangent plane falls over the box (Frank and Wolfe's gap), whatever t is.
    """
    t, slope, weight, centre = work[0], work[1], work[2], work[3]
    for a in range(3):
        weight[a] = metric[a] + alpha[a]
        centre[a] = (metric[a] * point[a] + 0.5 * alpha[a] * (box[2 * a] + box[2 * a + 1])) / weight[a]
        t[a] = min(max(point[a], box[2 * a]), box[2 * a + 1])
    for _ in range(_MOST_STEPS):
        z, y, x = t[0], t[1], t[2]
        slope[0] = poly[4] + poly[5] * x + y * (poly[6] + poly[7] * x)
        slope[1] = poly[2] + poly[3] * x + z * (poly[6] + poly[7] * x)
        slope[2] = poly[1] + poly[3] * y + z * (poly[5] + poly[7] * y)
        h = _residual(poly, z, y, x)
        value, deficit, gap, offset = h * h, 0.0, 0.0, h
        for a in range(3):
            low, high = t[a] - box[2 * a], box[2 * a + 1] - t[a]
            away = t[a] - point[a]
            value += metric[a] * away * away
            deficit += alpha[a] * low * high
            fall = 2.0 * (metric[a] * away + h * slope[a]) + alpha[a] * (low - high)
            gap += max(fall * low, -fall * high)
            offset -= slope[a] * t[a]
        best = min(best, value)
        if value - deficit - gap >= _prune_level(best):
            return best, True
        if gap < 0.1 * deficit:
            return best, False
        _affine_box_minimum(offset, slope, weight, centre, box, t)
    return best, False


@njit(cache=True, error_model="numpy")
def _divide(boxes, top, alpha, metric):
    """Replace the box on top of the stack by its halves along the axis that loosens the bound most."""
    box = boxes[top]
    axis, worst = 0, -1.0
    for a in range(3):
        width = box[2 * a + 1] - box[2 * a]
        looseness = (alpha[a] + 1e-3 * metric[a]) * width * width
        if looseness > worst:
            axis, worst = a, looseness
    middle = 0.5 * (box[2 * axis] + box[2 * axis + 1])
    boxes[top + 1] = box
    boxes[top, 2 * axis + 1] = middle
    boxes[top + 1, 2 * axis] = middle
    return top + 1


@njit(cache=True, error_model="numpy")
def _minimum_in_cell(poly, point, metric, best, boxes, alpha, work):
    """Least of ``best`` and the squared gamma within one cell, certified."""
    boxes[0, 0::2] = 0.0
    boxes[0, 1::2] = 1.0
    top = 0
    while top >= 0:
        box = boxes[top]
        distance = 0.0
        for a in range(3):
            away = _axis_distance(point[a], box[2 * a], box[2 * a + 1])
            distance += metric[a] * away * away
        low, high = _residual_range(poly, box)
        nearest = max(low, -high, 0.0)
        if distance + nearest * nearest >= _prune_level(best):
            top -= 1
            continue
        _convexity_deficit(poly, box, max(abs(low), abs(high)), metric, alpha)
        best, settled = _bounds_of_box(poly, point, metric, box, alpha, best, work)
        if settled or top + 1 == _MOST_BOXES:  # the second would be a box below rounding: 2^-40 of a cell
            top -= 1
        else:
            top = _divide(boxes, top, alpha, metric)
    return best


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
def _nearest_octant(point, block, half):
    """Return the number of the octant of a block (bits k, j, i) on whose side the point lies."""
    nearest = 0
    for a in range(3):
        if point[a] >= (2 * block[a] + 1) * half:
            nearest |= 4 >> a
    return nearest


@njit(cache=True, error_model="numpy")
def _octant_distance(point, metric, block, half, octant, shape):
    """Squared distance from the point to an octant of a block, ``half`` cells wide; inf if it lies outside the grid."""
    distance = 0.0
    for a in range(3):
        low = (2 * block[a] + ((octant >> (2 - a)) & 1)) * half
        cells = max(shape[a] - 1, 1)
        if low >= cells:
            return np.inf
        away = _axis_distance(point[a], low, min(low + half, cells))
        distance += metric[a] * away * away
    return distance


@njit(cache=True, error_model="numpy")
def _search_cells(values, block, point, reference, per_dose, metric, interpolate, best, scratch):
    """Least of ``best`` and the squared gamma in the up to eight cells of a block of the lowest level."""
    corner, poly, alpha, local, boxes, work = scratch
    nearest = _nearest_octant(point, block, 1)
    for order in (0, 1, 2, 4, 3, 5, 6, 7):
        octant = order ^ nearest
        distance = _octant_distance(point, metric, block, 1, octant, values.shape)
        if distance >= _prune_level(best):
            continue
        k, j, i = 2 * block[0] + (octant >> 2), 2 * block[1] + ((octant >> 1) & 1), 2 * block[2] + (octant & 1)
        _load_corners(values, k, j, i, corner)
        low, high = _range(corner, interpolate)
        if distance + _gap_squared(low, high, reference, per_dose) >= _prune_level(best):
            continue
        local[0], local[1], local[2] = point[0] - k, point[1] - j, point[2] - i
        if interpolate:
            _residual_polynomial(corner, reference, per_dose, poly)
            best = _minimum_in_cell(poly, local, metric, best, boxes, alpha, work)
        else:
            best = _minimum_at_corners(corner, reference, per_dose, local, metric, best)
    return best


@njit(cache=True, error_model="numpy")
def _search(values, pyramid, point, reference, per_dose, metric, interpolate, best, stack, scratch):
    """Least of ``best`` and the squared gamma in the whole grid: depth first, nearest octants first."""
    lowest, highest, first, width = pyramid
    entries, bounds = stack
    entries[0, 0], entries[0, 1], entries[0, 2], entries[0, 3], bounds[0] = first.size, 0, 0, 0, 0.0
    top = 0
    while top >= 0:
        level, block = entries[top, 0], (entries[top, 1], entries[top, 2], entries[top, 3])
        bound = bounds[top]
        top -= 1
        if bound >= _prune_level(best):
            continue
        if level == 1:
            best = _search_cells(values, block, point, reference, per_dose, metric, interpolate, best, scratch)
            continue
        half, nearest = 1 << (level - 1), _nearest_octant(point, block, 1 << (level - 1))
        for order in (7, 6, 5, 3, 4, 2, 1, 0):
            octant = order ^ nearest
            bound = _octant_distance(point, metric, block, half, octant, values.shape)
            if bound >= best:
                continue
            k, j, i = 2 * block[0] + (octant >> 2), 2 * block[1] + ((octant >> 1) & 1), 2 * block[2] + (octant & 1)
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
    corner, poly, alpha, local, boxes, work = scratch
    cell = work[4]
    for a in range(3):
        cell[a] = min(max(math.floor(point[a]), 0), max(values.shape[a] - 2, 0))
        local[a] = point[a] - cell[a]
        work[0, a] = min(max(local[a], 0.0), 1.0)
    _load_corners(values, int(cell[0]), int(cell[1]), int(cell[2]), corner)
    here = _interpolated(corner, work[0])
    if not math.isfinite(here):
        return -1.0
    low, _ = _range(corner, True)
    if not interpolate:
        return _minimum_at_corners(corner, reference, per_dose, local, metric, best)
    value = ((here - reference) * per_dose) ** 2
    for a in range(3):
        value += metric[a] * (local[a] - work[0, a]) ** 2
    best = min(best, value)
    if low < np.inf:
        _residual_polynomial(corner, reference, per_dose, poly)
        best = _minimum_in_cell(poly, local, metric, best, boxes, alpha, work)
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
    furthest = 0.0
    for a in range(3):
        furthest = max(furthest, metric[a] * _axis_distance(point[a], 0.0, shape[a] - 1.0) ** 2)
    return furthest > border * border


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
    doses, chosen = reference.reshape(-1), selected.reshape(-1)
    reached = np.zeros(n_workers, np.int64)
    for worker in prange(n_workers):
        point = np.empty(3)
        scratch = (np.empty(8), np.empty(8), np.empty(3), np.empty(3), np.empty((_MOST_BOXES, 6)), np.empty((5, 3)))
        stack = (np.empty((256, 4), np.int64), np.empty(256))
        n_reached = 0
        # Blocks go round the workers in turn: neighbours cost alike, so that all workers finish together.
        for begin in range(start + worker * _BLOCK, stop, n_workers * _BLOCK):
            for flat in range(begin, min(begin + _BLOCK, stop)):
                if not chosen[flat]:
                    continue
                k, j, i = flat // (my * mx), flat // mx % my, flat % mx
                for a in range(3):
                    point[a] = (
                        to_evaluated[a, 0] * k + to_evaluated[a, 1] * j + to_evaluated[a, 2] * i + to_evaluated[a, 3]
                    )
                dose = float(doses[flat])
                per_dose = 1.0 / (dose_criterion * abs(dose) if local else dose_criterion)
                best = -1.0
                if not _is_outside(point, metric, border, values.shape):
                    best = _start(values, point, dose, per_dose, metric, interpolate, cap * cap, scratch)
                if best < 0.0:
                    gamma[flat] = np.inf
                    continue
                best = _search(values, pyramid, point, dose, per_dose, metric, interpolate, best, stack, scratch)
                gamma[flat] = math.sqrt(best)
                n_reached += _reaches_outside(point, metric, best, values.shape)
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
