"""Stored frames of any source to a series on the working grid: one scale, one search for defects, one sum."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from intrepid_epid.delivery.checking import find_doubles, find_gaps
from intrepid_epid.delivery.frames import DeliveryFrame, FrameSeries
from intrepid_epid.image_grid import binned
from intrepid_epid.portal_reader import PortalFrame
from intrepid_epid.portal_reader.defects import Defects, find_defects
from intrepid_epid.portal_reader.lattice import GantryLattice, gantry_lattice
from intrepid_epid.portal_reader.signal import SignalScale
from intrepid_rt.dicom_image import PortalGeometry, PortalHeader
from intrepid_rt.errors import UnsupportedGeometry
from intrepid_rt.portal_image import PortalImage

_REACH = 2  # pixels on each side from which a defective one is replaced


@dataclass(frozen=True, eq=False)
class StoredFrame:
    """Pixels of one frame as stored, how they become signal, where they lie, and what is stated about the frame.

    ``facts`` is a `DeliveryFrame` whose image is still missing.
    """

    stored: NDArray  # (rows, columns)
    scale: SignalScale
    geometry: PortalGeometry
    facts: DeliveryFrame


def assembled(frames: Sequence[StoredFrame], header: PortalHeader, notes: Sequence[str]) -> FrameSeries:
    """Turn stored frames into signal on gantry axes, repair defective pixels, add up.

    Raises
    ------
    UnsupportedGeometry
        Frames of different size or place.
    """
    first = frames[0]
    for frame in frames[1:]:
        _check_same_place(first, frame)
    doubles = find_doubles([frame.stored for frame in frames], [frame.facts for frame in frames])
    frames = [frames[n] for n in doubles.kept]
    total, saturated = np.zeros(first.stored.shape), np.zeros(first.stored.shape, bool)
    for frame in frames:
        signal = frame.scale.signal(frame.stored)
        total += signal.values
        saturated |= signal.at_limit
    # In the sum, because what noise hides in one frame stands out in all.
    defects = find_defects(total.astype(np.float32), saturated)
    lattice = gantry_lattice(first.geometry, first.stored.shape)
    integrated = _integrated(frames, total, lattice, defects, header, notes)
    made = tuple(_on_working_grid(frame, integrated.image, lattice, defects.dead) for frame in frames)
    gaps = find_gaps(made)
    integrated = replace(integrated, warnings=(*integrated.warnings, *doubles.notes, *gaps.notes))
    return FrameSeries(made, integrated, gaps.count, doubles.count)


def _integrated(
    frames: Sequence[StoredFrame],
    total: NDArray,
    lattice: GantryLattice,
    defects: Defects,
    header: PortalHeader,
    notes: Sequence[str],
) -> PortalFrame:
    """Make one image of the sum of all frames, on gantry axes."""
    first = frames[0]
    image = PortalImage(
        values=lattice.turned(total.astype(np.float32)),
        first_pixel_mm=lattice.first_pixel_mm,
        pixel_spacing_mm=lattice.pixel_spacing_mm,
        source_to_image_mm=first.geometry.source_to_image_mm,
        source_to_axis_mm=first.geometry.source_to_axis_mm,
        gantry_angle_deg=header.gantry_angle_deg,
        unit=first.scale.unit,
    )
    if lattice.angle_deg:
        notes = [*notes, f"The receptor is turned by {lattice.angle_deg:g} degrees: interpolated onto gantry axes."]
    metersets = [frame.facts.meterset_mu for frame in frames]
    known = [meterset for meterset in metersets if meterset is not None]
    said = (*first.geometry.notes, *first.scale.notes, *defects.warnings, *notes)
    return PortalFrame(
        image=image,
        vendor=first.scale.vendor,
        machine=header.machine,
        sop_instance_uid=header.sop_instance_uid,
        plan_uid=header.plan_uid or None,
        beam_number=header.beam_number,
        fraction_number=header.fraction_number,
        acquired=header.acquired,
        meterset_mu=sum(known) if len(known) == len(frames) else None,
        saturated=lattice.turned(defects.saturated),
        dead=lattice.turned(defects.dead),
        out_of_field=lattice.turned(defects.out_of_field),
        warnings=tuple(dict.fromkeys(said)),
        repaired=image.with_values(lattice.turned(defects.repaired)),
    )


def _on_working_grid(
    frame: StoredFrame, sum_of_all: PortalImage, lattice: GantryLattice, dead: NDArray
) -> DeliveryFrame:
    values = repaired(frame.scale.signal(frame.stored).values, dead)
    small = binned(sum_of_all.with_values(lattice.turned(values)))
    angle = frame.facts.gantry_angle_deg
    return replace(frame.facts, image=replace(small, values=small.values.astype(np.float32), gantry_angle_deg=angle))


def _check_same_place(first: StoredFrame, other: StoredFrame) -> None:
    one, two = first.geometry, other.geometry
    same = (
        first.stored.shape == other.stored.shape
        and np.allclose(one.first_pixel_mm, two.first_pixel_mm, atol=0.05)
        and np.allclose([one.per_column_mm, one.per_row_mm], [two.per_column_mm, two.per_row_mm], atol=1e-4)
        and abs(one.source_to_image_mm - two.source_to_image_mm) < 0.5
        and first.scale.unit == other.scale.unit
    )
    if not same:
        raise UnsupportedGeometry(
            f"{other.facts.name} differs from {first.facts.name} in size, place or calibration; the frames of a beam "
            "must agree. Export them again from one acquisition."
        )


def repaired(values: NDArray, dead: NDArray) -> NDArray:
    """Replace defective pixels (rows, columns) by the median of the sound ones within two pixels."""
    made = values.copy()
    for row, column in np.argwhere(dead):
        rows = slice(max(0, row - _REACH), row + _REACH + 1)
        columns = slice(max(0, column - _REACH), column + _REACH + 1)
        sound = values[rows, columns][~dead[rows, columns]]
        if sound.size:
            made[row, column] = np.median(sound)
    return made
