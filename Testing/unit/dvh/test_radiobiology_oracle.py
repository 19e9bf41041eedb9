from dataclasses import replace

import numpy as np
import pytest

from intrepid_dvh.curve import DVH, DoseStatistics
from intrepid_dvh.fractionation import bed, converted, eqd2
from intrepid_dvh.isoeffect_calculator import bed_of, eqd2_of, isoeffective_of
from intrepid_dvh.statistics import curve_statistics
from intrepid_rt.errors import InvalidSetting

ISO = {"D1": "dose_gy", "fd1": "fraction_dose_gy", "fd2": "new_fraction_dose_gy", "D2": "new_dose_gy"}
LQ = {"D": "dose_gy", "fd": "fraction_dose_gy", "fn": "fractions", "ab": "alpha_beta_gy"}
STATISTICS = {"doseMin": "min", "doseMax": "max", "doseAvg": "mean", "doseMed": "median", "doseSD": "sd"}


def test_eud_agrees_with_r(oracle, curves, number, agrees, arguments):
    rows = oracle("eud")
    for row in rows:
        metric = curves[row["patID"], row["structure"]].metric("DEUD", **arguments(row["args"]))
        assert agrees(metric.value, number(row["expected"])), (row, metric)
    assert len(rows) == 218


def test_ntcp_and_tcp_agree_with_r(oracle, curves, number, agrees, arguments):
    rows = oracle("ntcp_tcp")
    for row in rows:
        metric = curves[row["patID"], row["structure"]].metric(row["fun"].replace("get", "D"), **arguments(row["args"]))
        assert agrees(metric.value, number(row["expected"])), (row, metric)
        assert metric.value is not None or metric.reason
    assert len(rows) == 282


def test_calculator_agrees_with_r(oracle, number, agrees, arguments):
    for row in oracle("lq_scalar"):
        args = arguments(row["args"])
        if row["fun"] == "getIsoEffD":
            if {"D2", "fd2"} <= args.keys():
                with pytest.raises(InvalidSetting):
                    isoeffective_of(**{ISO.get(k, "alpha_beta_gy"): v for k, v in args.items()})
                continue
            found = isoeffective_of(**{ISO.get(k, "alpha_beta_gy"): v for k, v in args.items()})
        else:
            function = bed_of if row["fun"] == "getBED" else eqd2_of
            found = function(**{LQ[k]: v for k, v in args.items()})
        result = found[int(row["element"]) - 1]
        assert agrees(result.value_gy, number(row["expected"])), (row, result)
        assert (result.value_gy is None) == bool(result.reason)


def convert(dvh, row, args):
    if row["fun"] == "getIsoEffD":
        return converted(dvh, fraction_dose_gy=args["fd1"], new_fraction_dose_gy=args["fd2"], alpha_beta_gy=args["ab"])
    new_fraction = None if row["fun"] == "getBED" else 2.0
    return converted(dvh, fraction_dose_gy=args["fd"], alpha_beta_gy=args["ab"], new_fraction_dose_gy=new_fraction)


def test_converted_curves_agree_with_r(oracle, curves, number, arguments):
    rows = oracle("lq_dvh_rows")
    for row in rows:
        dvh = convert(curves[row["patID"], row["structure"]], row, arguments(row["args"]))
        index = int(row["row"]) - 1
        wanted = number(row["dose"]) or 0.0  # R loses the row at 0 Gy
        found = (dvh.dose_native[index], dvh.dose_percent[index], dvh.volume_cc[index], dvh.volume_percent[index])
        others = [
            np.nan if number(row[name]) is None else number(row[name]) for name in ("doseRel", "volume", "volumeRel")
        ]
        assert np.allclose(found, (wanted, *others), rtol=1e-9, equal_nan=True), row
    assert len(rows) == 600


def test_metrics_of_converted_curves_agree_with_a_consistent_conversion(oracle, curves, number, agrees, arguments):
    rows = oracle("lq_dvh_metrics")
    for row in rows:
        dvh = replace(curves[row["patID"], row["structure"]], stated=DoseStatistics())
        metric = convert(dvh, row, arguments(row["lqargs"])).metric(row["metric"])
        assert agrees(metric.value, number(row["expected_recomputed"])), (row, metric)
    assert len(rows) == 192


def test_conversion_leaves_nothing_stale(curves):
    dvh = curves["P123", "HEART"]
    biological = converted(dvh, fraction_dose_gy=2.5, alpha_beta_gy=3.0)
    factor = eqd2(1.0, fraction_dose_gy=2.5, alpha_beta_gy=3.0)
    for text in ("DMEAN", "DMAX", "DMIN", "DSD", "DRX", "D2%"):
        assert biological.metric(text).value == pytest.approx(factor * dvh.metric(text).value)
    assert biological.metric("D2%_%").value == pytest.approx(dvh.metric("D2%_%").value)
    assert biological.metric(f"V{20 * factor}Gy").value == pytest.approx(dvh.metric("V20Gy").value)


def test_statistics_of_the_curve_agree_with_r(oracle, curves, number, agrees):
    rows = oracle("dmean")
    for row in rows:
        dvh = curves[row["patID"], row["structure"]]
        found = curve_statistics(dvh, interp=row["interp"], nodes=int(row["nodes"]))
        for column, name in STATISTICS.items():
            assert agrees(getattr(found, name), number(row[column])), (row, column, found)
        assert row["interp"] == "linear" or agrees(found.mode, number(row["doseMode"])), (row, found)
    assert len(rows) == 65


def test_mode_lies_in_the_steepest_segment(oracle, curves):
    # The largest of many equal bins is a matter of rounding; the segment is not.
    for row in oracle("dmean"):
        if row["interp"] != "linear":
            continue
        dvh = curves[row["patID"], row["structure"]]
        volume = dvh.volume_cc if np.isfinite(dvh.volume_cc).all() else dvh.volume_percent
        steepness = -np.diff(volume) / np.diff(dvh.dose_native)
        mode = curve_statistics(dvh, nodes=int(row["nodes"])).mode
        bin_width = np.ptp(dvh.dose_native) / (max(int(row["nodes"]), dvh.dose_gy.size) - 1)
        segment = np.searchsorted(dvh.dose_native, [mode - bin_width, mode + bin_width]) - 1
        assert steepness[max(segment[0], 0) : segment[1] + 1].max() >= steepness.max() * (1 - 1e-9), row


@pytest.mark.parametrize("a", [0.5, 2.0, 10.0, -5.0, 1.0, float("inf"), float("-inf")])
def test_eud_of_a_flat_dose_is_that_dose(a):
    dvh = DVH.from_samples(np.full(50, 20.0), 0.1, structure="PTV")
    assert dvh.metric("DEUD", EUDa=a).value == pytest.approx(20.0, rel=1e-9)


def test_ntcp_is_one_half_at_td50():
    dvh = DVH.from_samples(np.full(50, 30.0), 0.1, structure="Lung")
    for model in ("probit", "logit", "poisson", "relative_seriality"):
        arguments = {"NTCPtd50": 30.0, "NTCPm": 0.2, "NTCPn": 0.5, "NTCPs": 0.3, "NTCPtype": model}
        assert dvh.metric("DNTCP", **arguments).value == pytest.approx(0.5, rel=1e-9)


def test_a_misspelt_parameter_is_refused():
    dvh = DVH.from_samples([1.0, 2.0], 1.0, structure="PTV")
    with pytest.raises(InvalidSetting, match="EUDA"):
        dvh.metric("DEUD", EUDA=3)


def test_bed_needs_positive_parameters():
    with pytest.raises(InvalidSetting, match="positive"):
        bed(50.0, fraction_dose_gy=2.0, alpha_beta_gy=0.0)
