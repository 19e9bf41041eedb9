"""From evidence to causes: a small decision table with named thresholds, which says "unknown" when nothing fits.

``docs/error_causes.md`` shows the table with an example of every cause and what it cannot tell.
"""

from dataclasses import dataclass

from intrepid_epid.forward_evidence import Evidence

# Constancy of the output is checked monthly to 2 % (AAPM TG-142, Med. Phys. 36 (2009) 4197): less is no alarm.
LEVEL_PERCENT = 2.0
# Daily checks stop a machine at 3 %; a uniform change above 5 % has more likely passed through tissue.
OUTPUT_LIMIT_PERCENT = 5.0
# Ratio inside the field of clean images: below 0.5 %, so twice that is seen with certainty.
PATTERN_PERCENT = 1.0
# Where anatomy has faint edges only, a shift makes a faint pattern; below this there is none in any clean image.
FAINT_PATTERN_PERCENT = 0.4
# Two walls of 2 cm crossed at 37 degrees: more does not happen to one patient between planning and treatment.
LARGEST_CHANGE_CM = 5.0
# Up to here tissue that only adds or only takes away is a change even where the anatomy looks somewhat different.
PLAIN_CHANGE_CM = 3.0
SMALLEST_CHANGE_CM = 1.0  # 4 % of dose
NO_CHANGE_CM = 0.7  # what shift and prediction may leave where the thickness has not changed
SMALLEST_SHIFT_MM = 2.0  # edges are predicted to about one millimetre
LARGEST_SETUP_SHIFT_MM = 15.0  # beyond, any two anatomies can be brought to agree somewhere
LARGEST_IMAGE_SHIFT_MM = 20.0  # an imager arm is off by millimetres; a field further off is another field
SHIFT_EXPLAINS = 0.6  # share of the pattern that a shift must take away to be its cause, leaving no more than clean
MOST_EXPLAINED = 0.9  # images show, or so much of it; clean images come to 0.25 by chance, so a faint pattern
FAINT_EXPLAINED = 0.4  # needs less
SEVERAL_DIRECTIONS = 4  # one shift that fits them all is no chance: clean arcs come to 0.1,
SEVERAL_EXPLAINED = 0.25  # so less is enough
IMAGE_SHIFT_EXPLAINS = 0.9  # edges are steep, so what a true shift leaves is little
OVERLAP = 0.9  # Dice coefficient; 5 mm off in a field of 10 cm still overlap by 0.95
LEAF_PERCENT = 35.0  # in a strip; a cylinder of 2 cm titanium takes away 27 %, a leaf of 5 mm 60 %
LEAF_OVERLAP = 0.6  # one of two open leaf pairs closed still leaves 0.65; less is another field
LEAF_SHARE = 0.65  # of all differences in one leaf pair; a shift across the leaves puts half on either edge
ANATOMY_FOUND = 0.75  # correlation of predicted and seen anatomy; 5 mm off, the same patient still has 0.75 to 1
ANATOMY_LOST = 0.5  # new tissue in part of a field leaves more of a faint anatomy
OTHER_BEAM_RATIO = 0.5  # another beam of the plan must fit at least twice as well,
OTHER_BEAM_PERCENT = 5.0  # and this one worse than that


@dataclass(frozen=True)
class Cause:
    """A named cause with the evidence for it in a sentence a physicist can check.

    ``name`` is one of "output", "setup shift", "imager shift", "thickness change", "MLC leaf", "wrong beam",
    "wrong patient", "unknown".
    """

    name: str
    evidence: str


def causes(found: Evidence, other_beams: dict[str, float] | None = None) -> tuple[Cause, ...]:
    """Name what makes a measured portal dose differ from the predicted one; empty if it does not.

    Parameters
    ----------
    found : Evidence
        Against the prediction of the beam that the image should show.
    other_beams : dict of name to percent
        Mismatch of the image with the predictions of the plan's other beams.

    Returns
    -------
    tuple of Cause : one cause, or "unknown" when the evidence fits none.
    """
    if _agrees(found):
        return ()
    # The order is that of certainty: what edges show, then levels, then patterns of the anatomy.
    rows = (_image_shift, _leaf, _other_field, _uniform, _setup_shift, _partly_thicker, _other_anatomy)
    named = _wrong_beam_of_plan(found, other_beams or {})
    for row in rows:
        named = named or row(found)
    return (named or Cause("unknown", _described(found)),)


def _agrees(found: Evidence) -> bool:
    return (
        found.level_percent is not None
        and found.pattern_percent is not None
        and abs(found.level_percent) < LEVEL_PERCENT
        and found.pattern_percent < PATTERN_PERCENT
        and found.overlap > OVERLAP
        and not _is_image_shift(found)
        and not _is_leaf(found)
        and not (_is_setup_shift(found) and found.pattern_percent > FAINT_PATTERN_PERCENT)
    )


def _wrong_beam_of_plan(found: Evidence, others: dict[str, float]) -> Cause | None:
    fitting = {name: left for name, left in others.items() if left < OTHER_BEAM_RATIO * found.mismatch_percent}
    if not fitting or found.mismatch_percent < OTHER_BEAM_PERCENT:
        return None
    name = min(fitting, key=lambda beam: fitting[beam])
    return Cause(
        "wrong beam",
        f"The image fits beam {name} (differences of {fitting[name]:.1f} %) better than this beam "
        f"({found.mismatch_percent:.1f} %).",
    )


def _is_leaf(found: Evidence) -> bool:
    return found.leaf_percent > LEAF_PERCENT and found.leaf_share > LEAF_SHARE and found.overlap > LEAF_OVERLAP


def _leaf(found: Evidence) -> Cause | None:
    if not _is_leaf(found):
        return None
    return Cause(
        "MLC leaf",
        f"{100 * found.leaf_share:.0f} % of all differences lie in one leaf pair at {found.leaf_centre_mm:+.1f} mm "
        f"across the leaves; up to {found.leaf_percent:.0f} % of the dose.",
    )


def _is_image_shift(found: Evidence) -> bool:
    if found.image_shift_mm is None or found.image_shift_mismatch_percent is None:
        return False
    length = max(abs(part) for part in found.image_shift_mm)
    explained = 1 - (found.image_shift_mismatch_percent / max(found.mismatch_percent, 1e-9)) ** 2
    return SMALLEST_SHIFT_MM <= length <= LARGEST_IMAGE_SHIFT_MM and explained > IMAGE_SHIFT_EXPLAINS


def _image_shift(found: Evidence) -> Cause | None:
    if not _is_image_shift(found) or found.image_shift_mm is None:
        return None
    x, y = found.image_shift_mm
    return Cause(
        "imager shift",
        f"The whole image, field edges included, is displaced by ({x:+.1f}, {y:+.1f}) mm at the isocentre: imager, "
        "collimator or isocentre, not the patient alone.",
    )


def _other_field(found: Evidence) -> Cause | None:
    if found.overlap > OVERLAP:
        return None
    return Cause("wrong beam", f"The aperture overlaps with the planned one by only {found.overlap:.2f} (Dice).")


def _uniform(found: Evidence) -> Cause | None:
    if found.level_percent is None or found.water_cm is None or found.pattern_percent is None:
        return None
    if found.pattern_percent >= PATTERN_PERCENT or abs(found.level_percent) < LEVEL_PERCENT:
        return None
    level = f"The dose differs by {found.level_percent:+.1f} % all over the field ({found.pattern_percent:.1f} % SD)"
    if abs(found.level_percent) <= OUTPUT_LIMIT_PERCENT:
        return Cause("output", f"{level}: output, monitor units or calibration; see whether other beams agree.")
    thickness = f"as {found.water_cm:+.1f} cm of water would"
    if abs(found.water_cm) > LARGEST_CHANGE_CM:
        return Cause("wrong patient", f"{level}, {thickness}, more than one patient changes.")
    return Cause("thickness change", f"{level}, {thickness}; more than an output may drift.")


def _is_setup_shift(found: Evidence) -> bool:
    if found.anatomy_shift_mm is None or found.anatomy_shift_explains is None or found.pattern_percent is None:
        return False
    length = max(abs(part) for part in found.anatomy_shift_mm)
    left_percent = found.pattern_percent * max(0.0, 1 - found.anatomy_shift_explains) ** 0.5
    demanded = SHIFT_EXPLAINS if found.pattern_percent > PATTERN_PERCENT else FAINT_EXPLAINED
    if found.directions >= SEVERAL_DIRECTIONS:
        demanded = SEVERAL_EXPLAINED
    explained = found.anatomy_shift_explains > demanded and left_percent < PATTERN_PERCENT
    return SMALLEST_SHIFT_MM <= length <= LARGEST_SETUP_SHIFT_MM and (
        explained or found.anatomy_shift_explains > MOST_EXPLAINED
    )


def _setup_shift(found: Evidence) -> Cause | None:
    if not _is_setup_shift(found) or found.anatomy_shift_mm is None or found.anatomy_shift_explains is None:
        return None
    shift = ", ".join(f"{part:+.1f}" for part in found.anatomy_shift_mm)
    frame = "" if len(found.anatomy_shift_mm) == 2 else " (patient, LPS)"
    return Cause(
        "setup shift",
        f"The anatomy is displaced by ({shift}) mm{frame} behind an unmoved aperture; that explains "
        f"{100 * found.anatomy_shift_explains:.0f} % of the pattern.",
    )


def _other_anatomy(found: Evidence) -> Cause | None:
    if found.water_low_cm is None or found.water_high_cm is None:
        return None
    low, high = found.water_low_cm, found.water_high_cm
    span = f"radiological thickness differs by {low:+.1f} to {high:+.1f} cm"
    similarity = found.anatomy_correlation
    if similarity is not None and similarity < ANATOMY_FOUND and high - low > SMALLEST_CHANGE_CM:
        return Cause(
            "wrong patient", f"The anatomy of the CT is not in the image (correlation {similarity:.2f}); {span}."
        )
    if max(-low, high) > LARGEST_CHANGE_CM or (low < -SMALLEST_CHANGE_CM and high > SMALLEST_CHANGE_CM):
        return Cause("wrong patient", f"The {span}, more or otherwise than one patient changes.")
    return None


def _partly_thicker(found: Evidence) -> Cause | None:
    if found.water_low_cm is None or found.water_high_cm is None:
        return None
    low, high = found.water_low_cm, found.water_high_cm
    one_sided = low > -NO_CHANGE_CM or high < NO_CHANGE_CM
    if not one_sided or max(-low, high) < SMALLEST_CHANGE_CM:
        return None
    similarity = 1.0 if found.anatomy_correlation is None else found.anatomy_correlation
    largest_cm = LARGEST_CHANGE_CM if similarity > ANATOMY_FOUND else PLAIN_CHANGE_CM
    if max(-low, high) > largest_cm or similarity < ANATOMY_LOST:
        return None
    word = "more" if high > -low else "less"
    return Cause("thickness change", f"There is {word} tissue: {low:+.1f} to {high:+.1f} cm of water over the field.")


def _described(found: Evidence) -> str:
    level = "unknown" if found.level_percent is None else f"{found.level_percent:+.1f} %"
    pattern = "unknown" if found.pattern_percent is None else f"{found.pattern_percent:.1f} %"
    return f"Level {level}, pattern {pattern}, overlap {found.overlap:.2f}: no single cause explains this."
