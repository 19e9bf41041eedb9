"""What is stored of a curve, and what comes back."""

import numpy as np
import pytest

from intrepid_cohort.dose_facts import fill_dvh
from intrepid_cohort.packing import binned_volume_cc, pack_contours, stored_dvh, unpack_contours
from intrepid_cohort.schema import DoseVolumeHistogram
from intrepid_dvh.curve import DVH
from intrepid_rt.errors import MissingObject


def stored(dvh):
    row = DoseVolumeHistogram(warnings=[])
    fill_dvh(row, dvh)
    return stored_dvh(row, structure=dvh.structure, prescription_gy=50.0)


def test_flat_dose_counts_in_its_own_bin_and_not_in_the_next():
    volume = binned_volume_cc(DVH.from_samples(np.full(5, 2.0), 1.0, structure="X"))
    assert len(volume) == 202
    np.testing.assert_allclose(volume[:201], 5.0)
    assert volume[201] == 0.0


@pytest.mark.parametrize("metric", ["D95%", "D2%", "D1CC", "V20Gy", "V45%", "V60Gy_cc"])
def test_metrics_of_the_stored_curve_are_those_of_the_exact_one(metric):
    dose = np.random.default_rng(7).uniform(3, 61.237, 20_000)
    exact = DVH.from_samples(dose, 0.005, structure="X", prescription_gy=50.0)
    found, expected = stored(exact).metric(metric), exact.metric(metric)
    # Within a bin of 0.01 Gy; the density is 0.017 of the volume per Gy.
    assert found.value == pytest.approx(expected.value, abs=0.01 if metric.startswith("D") else 0.02)
    assert found.unit == expected.unit


def test_moments_come_back_exactly():
    exact = DVH.from_samples([1.003, 2.0, 7.777], [1.0, 2.0, 3.0], structure="X")
    for name in ("DMEAN", "DMIN", "DMAX", "DSD"):
        assert stored(exact).metric(name).value == exact.metric(name).value


def test_integral_dose_leaves_out_what_has_no_dose():
    row = DoseVolumeHistogram(warnings=[])
    fill_dvh(row, DVH.from_samples([2.0, 4.0], 5.0, structure="X", volume_outside_dose_cc=90.0))
    assert row.integral_dose_gy_cc == pytest.approx(3.0 * 10.0)
    assert row.median_gy is None  # half of the structure has no dose: nobody knows


def test_row_without_curve_says_why():
    with pytest.raises(MissingObject, match="lies outside"):
        stored_dvh(DoseVolumeHistogram(reason="It lies outside."), structure="X")


def test_contours_come_back_to_a_ten_thousandth_of_a_millimetre():
    contours = [np.random.default_rng(n).uniform(-500, 500, (n, 3)) for n in (3, 40, 7)]
    for found, expected in zip(unpack_contours(pack_contours(contours)), contours, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-4)
