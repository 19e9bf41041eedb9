import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from intrepid_dvh.conversions import merged, resampled
from intrepid_dvh.curve import DVH, DoseStatistics
from intrepid_dvh.metric_grammar import parse_metric
from intrepid_rt.errors import InvalidSetting

DOSES = arrays(np.float64, st.integers(1, 60), elements=st.floats(0, 80, allow_subnormal=False))


def test_a_flat_dose_has_all_its_volume_up_to_that_dose():
    dvh = DVH.from_samples(np.full(1000, 20.0), 0.01, structure="PTV", prescription_gy=20.0)
    values = {text: dvh.metric(text).value for text in ("D100%", "D98%", "D2%", "D0.03cc", "DMEAN", "DMIN", "DMAX")}
    assert values == pytest.approx(dict.fromkeys(values, 20.0), rel=1e-9)
    assert dvh.metric("V20Gy").value == pytest.approx(100)
    assert dvh.metric("V100%_cc").value == pytest.approx(10)
    assert dvh.metric("V20.1Gy").value == 0
    assert dvh.metric("DSD").value == pytest.approx(0, abs=1e-9)
    assert dvh.metric("DHI").value == pytest.approx(0, abs=1e-9)


def test_two_levels_make_a_step_and_not_a_ramp():
    dvh = DVH.from_samples([10.0] * 50 + [20.0] * 50, 0.1, structure="PTV")
    for text, value in {"V5Gy": 100, "V10Gy": 100, "V15Gy": 50, "V20Gy": 50, "D75%": 10, "D25%": 20}.items():
        assert dvh.metric(text).value == pytest.approx(value, rel=1e-6), text


def test_a_linear_ramp_has_the_dvh_on_paper():
    # Cells of a slab from 0 to 60 Gy: V(d) = 1 - d / 60, whatever the number of cells.
    for cells in (10, 200):
        dvh = DVH.from_samples((np.arange(cells) + 0.5) * 60 / cells, 100 / cells, structure="slab")
        assert dvh.metric("V30Gy").value == pytest.approx(50, rel=1e-9)
        assert dvh.metric("D25%").value == pytest.approx(45, rel=1e-9)
        assert dvh.metric("DMEAN").value == pytest.approx(30, rel=1e-12)


def test_surface_samples_without_volume_count_for_the_extremes():
    dvh = DVH.from_samples([10.0, 20.0, 30.0, 5.0, 40.0], [1.0, 1.0, 1.0, 0.0, 0.0], structure="PTV")
    assert (dvh.metric("DMIN").value, dvh.metric("DMAX").value, dvh.metric("DMEAN").value) == (5, 40, 20)
    assert dvh.metric("D100%").value == 5
    assert dvh.structure_volume_cc == 3


def test_volume_outside_the_dose_leaves_metrics_that_need_it_missing():
    dvh = DVH.from_samples([10.0, 20.0], [4.0, 4.0], structure="Lung", volume_outside_dose_cc=2.0)
    assert dvh.structure_volume_cc == 10
    assert dvh.metric("V5Gy").value == pytest.approx(80)
    for text in ("D95%", "CV15Gy", "DC10%"):
        assert dvh.metric(text).value is None
    assert "only" in dvh.metric("CV15Gy").reason


@given(DOSES, st.floats(0.1, 10))
@settings(max_examples=150, deadline=None)
def test_exact_curves_are_monotone_and_keep_volume_and_mean(doses, volume):
    dvh = DVH.from_samples(doses, volume, structure="S")
    assert np.all(np.diff(dvh.dose_gy) > 0)
    assert np.all(np.diff(dvh.volume_cc) <= 0)
    assert dvh.volume_cc[0] == pytest.approx(volume * doses.size)
    assert dvh.volume_cc[-1] == 0
    assert dvh.metric("DMEAN").value == pytest.approx(doses.mean(), rel=1e-9, abs=1e-9)
    assert dvh.metric("DMIN").value == doses.min()
    assert dvh.metric("DMAX").value == doses.max()
    assert doses.min() - 1e-6 <= dvh.metric("D50%").value <= doses.max() + 1e-6


@given(DOSES, st.floats(1, 99), st.floats(1, 79))
@settings(max_examples=150, deadline=None)
def test_complements_add_up(doses, percent, dose):
    dvh = DVH.from_samples(doses, 1.0, structure="S")
    hot, cold = dvh.metric(f"V{dose:.6f}Gy").value, dvh.metric(f"CV{dose:.6f}Gy").value
    assert hot + cold == pytest.approx(100)
    assert dvh.metric(f"DC{percent:.6f}%").value == pytest.approx(dvh.metric(f"D{100 - percent:.6f}%").value, abs=1e-4)


@given(DOSES, st.floats(0.2, 5))
@settings(max_examples=100, deadline=None)
def test_scaling_the_dose_scales_what_is_a_dose(doses, factor):
    doses = doses + 1.0
    one, other = (DVH.from_samples(doses * f, 1.0, structure="S") for f in (1.0, factor))
    for text in ("D2%", "D50%", "D98%", "D1cc", "DMEAN", "DSD"):
        assert other.metric(text).value == pytest.approx(factor * one.metric(text).value, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(
    ("text", "canonical", "value", "unit"),
    [
        ("D95%[Gy]", "D95%_GY", 5.0, "Gy"),
        ("D50%[%]", "D50%_%", 83.3333333333, "%"),
        ("V25Gy[cc]", "V25GY_CC", 75.0, "cc"),
        ("CV25Gy[%]", "CV25GY_%", 25.0, "%"),
        ("CV25Gy_cc", "CV25GY_CC", 25.0, "cc"),
        ("DC10cc[cGy]", "DC10CC_CGY", 1000.0, "cGy"),
        ("Mean[Gy]", "DMEAN_GY", 50.0, "Gy"),
        ("Max[%]", "MAX[%]", 166.6666666667, "%"),
    ],
)
def test_tg263_forms(text, canonical, value, unit):
    dvh = DVH(
        *("PTV", [0.0, 100.0], [100.0, 0.0]),
        structure_volume_cc=100.0,
        prescription_gy=60.0,
        stated=DoseStatistics(mean_gy=50.0, max_gy=100.0),
    )
    metric = dvh.metric(text)
    assert (metric.canonical, metric.unit) == (canonical, unit)
    assert metric.value == pytest.approx(value)


def test_dmean_percent_is_missing_as_in_r_and_points_to_tg263():
    dvh = DVH.from_samples([10.0], 1.0, structure="PTV", prescription_gy=10.0)
    assert dvh.metric("DMEAN_%").value is None
    assert "Mean[%]" in dvh.metric("DMEAN_%").reason


def sphere_in(radius, dose):
    """Samples of a 60 Gy target of 10 cc in a body that gets ``dose`` in rings around it."""
    volumes = [10.0, *radius]
    return DVH.from_samples(
        np.repeat([60.0, *dose], 2), np.repeat(volumes, 2) / 2, structure="BODY", prescription_gy=60.0
    )


def test_conformity_and_gradient_of_a_known_distribution():
    target = DVH.from_samples([60.0] * 2, 5.0, structure="PTV", prescription_gy=60.0)
    body = sphere_in([2.0, 20.0, 100.0], [60.0, 35.0, 5.0])
    found = {text: target.metric(text, body=body) for text in ("CI100%", "PCI100%", "GI100%", "R50%")}
    assert {text: metric.value for text, metric in found.items()} == pytest.approx(
        {"CI100%": 1.2, "PCI100%": 100 / (10 * 12), "GI100%": 32 / 12, "R50%": 3.2}, rel=1e-6
    )
    assert target.metric("CI95%").value is None
    assert "body" in target.metric("CI95%").reason


def test_homogeneity_variants():
    dvh = DVH("PTV", [50.0, 70.0], [100.0, 0.0], structure_volume_cc=100.0, prescription_gy=60.0)
    assert dvh.metric("DHI").value == pytest.approx((69.6 - 50.4) / 60)
    assert dvh.metric("HI_ICRU").value == dvh.metric("DHI").value
    assert dvh.metric("HI_D5D95").value == pytest.approx(69 / 51)
    assert dvh.metric("HI_RTOG").value == pytest.approx(70 / 60, rel=1e-3)


def test_a_bad_interpolation_is_refused():
    with pytest.raises(InvalidSetting, match="'cubic' is unknown"):
        DVH.from_samples([1.0, 2.0], 1.0, structure="PTV").metric("D50%", interp="cubic")


@pytest.mark.parametrize(
    ("doses", "volumes", "message"),
    [
        ([], 1.0, "0 dose samples"),
        ([np.nan, 1.0], 1.0, "of which 1 are finite"),
        ([1.0, 2.0], [-1.0, 1.0], "positive volumes"),
        ([1.0, 2.0], 0.0, "0 cm3"),
    ],
)
def test_samples_that_make_no_curve_are_refused(doses, volumes, message):
    with pytest.raises(InvalidSetting, match=message):
        DVH.from_samples(doses, volumes, structure="PTV")


def test_columns_that_make_no_curve_are_refused():
    with pytest.raises(InvalidSetting, match="2 doses and 1 volumes"):
        DVH("PTV", [0.0, 1.0], [1.0])
    with pytest.raises(InvalidSetting, match="falls from 3 to 2 at row 3"):
        DVH("PTV", [0.0, 3.0, 2.0], [1.0, 1.0, 1.0])
    with pytest.raises(InvalidSetting, match="dimensions"):
        DVH("PTV", [[0.0]], [1.0])


def test_a_dvh_cannot_be_changed():
    dvh = DVH("PTV", [0.0, 1.0], [1.0, 0.0])
    with pytest.raises(ValueError, match="read-only"):
        dvh.dose_gy[0] = 5.0


def test_lenient_spellings_say_what_they_ignored():
    assert parse_metric("D10%foo").note == "'FOO' after D10% was ignored"
    assert parse_metric("D0.1.2%").number != parse_metric("D0.1.2%").number


TABLES = st.integers(1, 40).flatmap(
    lambda n: st.tuples(
        arrays(np.float64, n, elements=st.integers(0, 70).map(float)),
        arrays(np.float64, n, elements=st.integers(0, 50).map(float)),
        st.booleans(),
    )
)
EVERY_KIND = (
    "D2%",
    "D1cc",
    "V20Gy",
    "V20Gy_cc",
    "V50%",
    "DC5%",
    "CV20Gy",
    "DMEAN",
    "DMIN",
    "DSD",
    "DMEDIAN",
    "DHI",
    "DEUD",
)


@given(TABLES, st.sampled_from(["linear", "spline", "ksmooth"]))
@settings(max_examples=80, deadline=None)
def test_whatever_the_table_a_metric_is_a_number_or_has_a_reason(table, interp):
    doses, volumes, whole = np.sort(table[0]), np.sort(table[1])[::-1], table[2]
    dvh = DVH("S", doses, volumes, structure_volume_cc=volumes[0] if whole else None, prescription_gy=60.0)
    for text in EVERY_KIND:
        metric = dvh.metric(text, interp=interp, EUDa=2)
        assert metric.reason or np.isfinite(metric.value), (text, metric)
        assert metric.value is None or np.isfinite(metric.value)


def test_statistics_of_a_curve_without_volume_are_missing_and_not_zero():
    for dvh in (DVH("S", [5.0], [3.0], structure_volume_cc=3.0), DVH("S", [0.0, 9.0], [0.0, 0.0])):
        for text in ("DMEAN", "DMIN", "DMAX", "DSD"):
            assert dvh.metric(text).value is None


def test_a_curve_without_gray_is_not_resampled():
    dvh = DVH("PTV", [np.nan, np.nan], [8.0, 0.0], stated_dose_percent=[0.0, 100.0])
    with pytest.raises(InvalidSetting, match="PTV has no doses in Gy"):
        resampled(dvh, nodes=10)


def test_sets_without_patient_ids_repeat_no_patient():
    dvh = DVH("PTV", [0.0, 1.0], [8.0, 0.0])
    assert merged([dvh], [dvh])[1] == []
