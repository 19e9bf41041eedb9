"""Errors put in on purpose into simulated images: detected, and the cause named, for plans and patients at random.

The images come from ``simulated_portal_images``, which differs from the prediction in aperture sampling, source size,
flatness, output, scatter, CT grid and noise. Ten seeds stand for ten repeats of every kind of error; eight must name
the cause, ten clean images must stay without alarm.
"""

from collections import Counter
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest

from intrepid_epid.error_causes import causes
from intrepid_epid.forward_evidence import Evidence, evidence, mismatch_percent
from intrepid_epid.forward_portal_dose import ForwardPortalDose, forward_portal_dose
from intrepid_epid.transit import PrimaryBeam
from intrepid_rt.plan import Beam
from intrepid_rt.portal_image import PortalImage
from simulated_portal_images import IMAGER, PROFILE, Opening, Patient, measured, random_opening, random_patient, way

SEEDS = range(300, 310)  # no threshold was chosen with these
GANTRY_DEG = (0.0, 30.0, 90.0, 180.0, 270.0, 315.0)


@dataclass(frozen=True, eq=False)
class Setting:
    """One plan on one patient, and what is predicted for it."""

    patient: Patient
    opening: Opening
    gantry_deg: float
    beam: Beam
    planned: PrimaryBeam
    predicted: ForwardPortalDose

    def through(self, patient: Patient | None = None, shift_mm: np.ndarray | None = None) -> PrimaryBeam:
        """The beam as delivered; the patient is known better than by the CT of the plan."""
        shift = (0.0, 0.0, 0.0) if shift_mm is None else tuple(shift_mm)
        return way((patient or self.patient).density(3.2), self.gantry_deg, shift)


@cache
def setting(seed: int) -> Setting:
    rng = np.random.default_rng(seed)
    patient, opening, gantry_deg = random_patient(rng), random_opening(rng), float(rng.choice(GANTRY_DEG))
    planned, beam = way(patient.density(4.0), gantry_deg), opening.beam(gantry_deg)
    return Setting(patient, opening, gantry_deg, beam, planned, forward_portal_dose(beam, IMAGER, PROFILE, planned))


def clean(at: Setting, rng: np.random.Generator) -> PortalImage:
    return measured(at.opening, at.through(), rng)


def output(at: Setting, rng: np.random.Generator) -> PortalImage:
    return measured(at.opening, at.through(), rng, output=1.03)


def setup_shift(at: Setting, rng: np.random.Generator) -> PortalImage:
    axis = at.planned.frame.x_axis if rng.random() < 0.5 else at.planned.frame.y_axis
    return measured(at.opening, at.through(shift_mm=5 * rng.choice([-1.0, 1.0]) * axis), rng)


def thickness_change(at: Setting, rng: np.random.Generator) -> PortalImage:
    return measured(at.opening, at.through(replace(at.patient, fat_mm=10.0)), rng)  # 2 cm along any line


def stuck_leaf(at: Setting, rng: np.random.Generator) -> PortalImage:
    pair = int(rng.integers(len(at.opening.low_mm)))
    low, high = at.opening.low_mm[pair], at.opening.high_mm[pair]
    stuck = [(-0.5, 0.5), (high - 20.0, high), (low, low + 25.0)][rng.integers(3)]
    return measured(at.opening.with_leaf(pair, *stuck), at.through(), rng)


def wrong_beam(at: Setting, rng: np.random.Generator) -> PortalImage:
    other = random_opening(rng)
    narrow = replace(other, low_mm=tuple(low * rng.uniform(-0.3, 0.6) for low in other.low_mm))
    return measured(narrow, at.through(), rng)


def wrong_patient(at: Setting, rng: np.random.Generator) -> PortalImage:
    return measured(at.opening, at.through(random_patient(rng)), rng)


KINDS = {
    "output": output,
    "setup shift": setup_shift,
    "thickness change": thickness_change,
    "MLC leaf": stuck_leaf,
    "wrong beam": wrong_beam,
    "wrong patient": wrong_patient,
}


def named(make, seed: int) -> str:
    at = setting(seed)
    image = make(at, np.random.default_rng(1000 + seed))
    found = causes(evidence(at.predicted, image, at.beam, at.planned))
    return found[0].name if found else "none"


@pytest.mark.parametrize("kind", KINDS)
def test_the_cause_is_named_in_eight_of_ten_and_the_error_seen_in_all(kind):
    names = Counter(named(KINDS[kind], seed) for seed in SEEDS)
    assert names["none"] == 0, names
    assert names[kind] >= 8, names


def test_clean_images_raise_no_alarm():
    assert Counter(named(clean, seed) for seed in SEEDS) == {"none": 10}


def test_an_image_that_moved_as_a_whole_is_the_imager_and_not_the_patient():
    at = setting(SEEDS[0])
    image = clean(at, np.random.default_rng(0))
    moved = image.with_values(np.roll(image.values, (-5, 3), axis=(0, 1)))
    found = evidence(at.predicted, moved, at.beam, at.planned)
    assert found.image_shift_mm == pytest.approx((3 * 1.62 / 1.6, 5 * 1.62 / 1.6), abs=0.3)
    assert [cause.name for cause in causes(found)] == ["imager shift"]


def test_a_shift_is_measured_with_its_sign():
    at = setting(SEEDS[0])
    frame = at.planned.frame
    image = measured(at.opening, at.through(shift_mm=4 * frame.x_axis - 6 * frame.y_axis), np.random.default_rng(0))
    found = evidence(at.predicted, image, at.beam, at.planned)
    assert found.anatomy_shift_mm == pytest.approx((4.0, -6.0), abs=1.0)


def test_another_beam_of_the_plan_is_named():
    at = setting(SEEDS[0])
    image = clean(at, np.random.default_rng(0))
    own, others = setting(SEEDS[1]), {"LAT": mismatch_percent(at.predicted.total_gy, image)}
    (cause,) = causes(evidence(own.predicted, image, own.beam, own.planned), others)
    assert cause.name == "wrong beam"
    assert "LAT" in cause.evidence


def flat(**changes) -> Evidence:
    """Evidence of an image that agrees, with changes."""
    agreeing = Evidence(
        level_percent=0.3, pattern_percent=0.3, water_cm=-0.1, water_low_cm=-0.2, water_high_cm=0.1, overlap=0.99,
        mismatch_percent=1.0, image_shift_mm=(0.0, 0.1), image_shift_mismatch_percent=0.9,
        anatomy_shift_mm=(0.2, 0.0), anatomy_shift_explains=0.05, anatomy_correlation=0.98, leaf_share=0.4,
        leaf_percent=2.5, leaf_centre_mm=5.0,
    )  # fmt: skip
    return replace(agreeing, **changes)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"level_percent": 1.9}, None),
        ({"level_percent": 2.1}, "output"),
        ({"level_percent": -4.9}, "output"),
        ({"level_percent": -9.0, "water_cm": 2.1, "water_low_cm": 2.0, "water_high_cm": 2.2}, "thickness change"),
        ({"level_percent": 60.0, "water_cm": -10.0}, "wrong patient"),
        ({"overlap": 0.7}, "wrong beam"),
        ({"leaf_share": 0.9, "leaf_percent": 80.0}, "MLC leaf"),
        ({"pattern_percent": 3.0, "anatomy_shift_mm": (5.0, 0.0), "anatomy_shift_explains": 0.97}, "setup shift"),
        ({"pattern_percent": 3.0}, "unknown"),
        ({"level_percent": None, "pattern_percent": None, "water_cm": None, "water_low_cm": None,
          "water_high_cm": None, "anatomy_shift_mm": None, "anatomy_shift_explains": None}, "unknown"),
    ],
)  # fmt: skip
def test_the_table_row_by_row(changes, name):
    assert [cause.name for cause in causes(flat(**changes))] == ([] if name is None else [name])
