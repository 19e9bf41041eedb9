"""What differs between a predicted and a measured portal dose: level, pattern, position, aperture, single leaves.

Every measure states its own unit and is taken where it means something: levels and patterns inside the field away from
its edges, positions on edges and anatomy, leaves along the leaf bands of the plan. Lengths are at the isocentre plane.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from intrepid_epid.forward_leaves import leaf_band
from intrepid_epid.forward_portal_dose import ForwardPortalDose
from intrepid_epid.forward_shifts import (
    AnatomyShift,
    anatomy_correlation,
    anatomy_shift,
    common_level,
    image_shift,
    relative,
)
from intrepid_epid.forward_views import View, level_gy, mismatch, smooth, view_of
from intrepid_epid.transit import PrimaryBeam
from intrepid_rt.plan import Beam
from intrepid_rt.portal_image import PortalImage


@dataclass(frozen=True)
class Evidence:
    """Numbers from one pair of images; None where the images cannot tell, e.g. a shift in front of a flat anatomy.

    Parameters
    ----------
    level_percent : measured over predicted dose, median inside the field, less 100 %.
    pattern_percent : standard deviation of their ratio inside the field (and over the sectors of an arc), without pixel
        noise.
    water_cm : the level as a change of water thickness; ``water_low_cm`` and ``water_high_cm`` its 5th and 95th
        percentiles over the field.
    overlap : Dice coefficient of the two apertures.
    mismatch_percent : root mean square difference over the field, edges included, in percent of the field's dose.
    image_shift_mm : (x, y) by which the whole image is displaced; ``image_shift_mismatch_percent`` is what remains.
    anatomy_shift_mm : (x, y) of the gantry by which the anatomy is displaced behind the aperture, for an arc (x, y, z)
        LPS of the patient; ``anatomy_shift_explains`` the share of the pattern's variance that this takes away.
    anatomy_correlation : of the predicted with the seen anatomy, trends taken off; None without anatomy to see.
    leaf_share : largest share of all differences that lies in the band of one leaf pair; ``leaf_percent`` the largest
        difference there in percent of the field's dose and ``leaf_centre_mm`` its middle across the leaves.
    directions : from how many the anatomy was seen: 1 for a standing beam, the sectors of an arc.
    """

    level_percent: float | None
    pattern_percent: float | None
    water_cm: float | None
    water_low_cm: float | None
    water_high_cm: float | None
    overlap: float
    mismatch_percent: float
    image_shift_mm: tuple[float, float] | None
    image_shift_mismatch_percent: float | None
    anatomy_shift_mm: tuple[float, ...] | None
    anatomy_shift_explains: float | None
    anatomy_correlation: float | None
    leaf_share: float
    leaf_percent: float
    leaf_centre_mm: float
    directions: int = 1

    def numbers(self) -> dict[str, object]:
        """Return every measure by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True, eq=False)
class Sector:
    """Part of an arc within few degrees: what was predicted, what was measured, and the way of the photons there."""

    predicted: ForwardPortalDose
    measured: PortalImage
    primary_beam: PrimaryBeam


def evidence(predicted: ForwardPortalDose, measured: PortalImage, beam: Beam, primary_beam: PrimaryBeam) -> Evidence:
    """Compare a measured portal dose with the prediction of the beam it should show, on the same pixels."""
    view = view_of(predicted, measured, primary_beam)
    shift = anatomy_shift([view]) if view.is_seen else None
    found = _evidence(view, [view], beam, measured, shift)
    return found if shift is None else replace(found, anatomy_shift_mm=_tuple(view.axes_lps @ shift.shift_lps_mm))


def arc_evidence(whole: Sector, sectors: Sequence[Sector], beam: Beam) -> Evidence:
    """Compare the portal doses of an arc sector by sector; every measure is taken over all sectors together.

    An output is the same from all sides, a shift of the patient one vector in space, a leaf one strip in all sectors.
    What concerns the image as a whole, its displacement and mismatch, is told of ``whole``, the sum of all sectors.
    """
    views = [view_of(one.predicted, one.measured, one.primary_beam) for one in sectors]
    seen = [view for view in views if view.is_seen]
    shift = anatomy_shift(seen) if seen else None
    image = whole.measured
    found = _evidence(view_of(whole.predicted, image, whole.primary_beam), views, beam, image, shift)
    return found if shift is None else replace(found, anatomy_shift_mm=_tuple(shift.shift_lps_mm))


def _evidence(
    whole: View, views: Sequence[View], beam: Beam, image: PortalImage, shift: AnatomyShift | None
) -> Evidence:
    seen = [view for view in views if view.is_seen]
    level = common_level(seen) if seen else None
    displaced, displaced_left = image_shift(whole)
    share, depth, centre = leaf_band(views, beam, image)
    made = Evidence(
        level_percent=None,
        pattern_percent=None,
        water_cm=None,
        water_low_cm=None,
        water_high_cm=None,
        overlap=float(np.average([view.overlap for view in views], weights=[view.level_gy for view in views])),
        mismatch_percent=whole.mismatch_percent(whole.predicted),
        image_shift_mm=displaced,
        image_shift_mismatch_percent=displaced_left,
        anatomy_shift_mm=None,
        anatomy_shift_explains=None if shift is None else shift.explains,
        anatomy_correlation=anatomy_correlation(seen) if seen else None,
        leaf_share=share,
        leaf_percent=depth,
        leaf_centre_mm=centre,
        directions=len(views),
    )
    if level is None:
        return made
    found = relative(seen, [view.log_ratio[view.inside] for view in seen])
    per_cm = np.concatenate([np.full(int(view.inside.sum()), view.per_cm) for view in seen])
    low, high = np.percentile(-(found + np.log(level)) / per_cm, [5, 95])
    return replace(
        made,
        level_percent=100 * (level - 1),
        pattern_percent=100 * float(found.std()),
        water_cm=-np.log(level) / float(per_cm.mean()),
        water_low_cm=float(low),
        water_high_cm=float(high),
    )


def _tuple(values: NDArray) -> tuple[float, ...]:
    return tuple(values.tolist())


def mismatch_percent(predicted_gy: PortalImage, measured_gy: PortalImage) -> float:
    """Root mean square difference over the field, edges included, in percent of the field's predicted dose.

    Both images lie on the same pixels.
    """
    predicted, measured = (smooth(image.values, measured_gy) for image in (predicted_gy, measured_gy))
    return mismatch(predicted, measured, level_gy(predicted_gy.values))
