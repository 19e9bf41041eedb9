import json
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from intrepid_cli.main import run
from intrepid_dvh import DVH, check_constraints, read_constraints
from intrepid_dvh.constraint_reading import library_or_table, read_template, template_names
from intrepid_dvh.constraint_roe import library_from_roe, write_roe
from intrepid_dvh.constraint_schema import SCHEMA, Library, Record, Source, library_from_json, write_library
from intrepid_dvh.constraints import Constraint, unmatched
from intrepid_dvh.curve import DoseStatistics
from intrepid_dvh.scorecard import score_plan
from intrepid_rt.errors import InvalidSetting, MissingObject, UnreadableFile

LUNG = Record(
    id="lung-v20",
    organ="Lung*",
    metric="V20Gy",
    comparator="<",
    unit="%",
    mandatory=35.0,
    ideal=30.0,
    fractions_min=30,
    fractions_max=33,
    alpha_beta_gy=3.0,
    score=((20.0, 10.0), (30.0, 5.0), (40.0, 0.0)),
    source=Source("An invented source", doi="10.0000/none", page="p. 1"),
)


def library(*records):
    return Library(schema=SCHEMA, name="test", records=records)


def ramp(structure, top_gy, **known):
    """A structure whose volume falls linearly with dose from 0 to ``top_gy``."""
    return DVH(structure, [0.0, top_gy], [100.0, 0.0], structure_volume_cc=100.0, **known)


def test_a_record_gives_a_constraint_per_level_with_its_source():
    mandatory, ideal = LUNG.constraints()
    assert (mandatory.text, mandatory.level) == ("V20Gy < 35%", "mandatory")
    assert (ideal.text, ideal.citation) == ("V20Gy < 30%", "An invented source, p. 1, doi:10.0000/none")


def test_a_missed_ideal_is_no_failure():
    mandatory, ideal = check_constraints([ramp("Lung_L", 30.0, fractions=30)], LUNG.constraints())
    assert mandatory.observed == pytest.approx(100 / 3)
    assert (mandatory.compliance, ideal.compliance) == (True, False)
    assert not mandatory.failed
    assert not ideal.failed


def test_limits_hold_only_for_their_fractionation():
    assert unmatched([ramp("Lung_L", 30.0, fractions=5)], LUNG.constraints()) == LUNG.constraints()
    [unknown, _] = check_constraints([ramp("Lung_L", 30.0)], LUNG.constraints())
    assert unknown.compliance is None
    assert unknown.failed
    assert "30 to 33 fractions" in unknown.reason


def test_a_library_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "lung.json"
    write_library(path, library(LUNG))
    assert library_or_table(path) == library(LUNG)
    assert read_constraints(path) == LUNG.constraints()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metric": "V20"}, "needs a dose"),
        ({"unit": "Gy"}, "% or cc"),
        ({"ideal": 40.0}, "strict to loose"),
        ({"fractions_max": None}, "both"),
        ({"fractions_min": 40}, "no range"),
        ({"mandatory": None, "ideal": None, "score": ()}, "none of the limits"),
        ({"score": ((30.0, 1.0), (20.0, 2.0))}, "ascend"),
    ],
)
def test_a_record_that_contradicts_itself_is_refused(change, message):
    raw = msgspec.json.encode(library(msgspec.structs.replace(LUNG, **change)))
    with pytest.raises(UnreadableFile, match=message):
        library_from_json(raw, "test")


def test_misspelt_fields_and_double_ids_are_refused():
    with pytest.raises(UnreadableFile, match="organn"):
        library_from_json(msgspec.json.encode(library(LUNG)).replace(b'"organ"', b'"organn"'), "test")
    with pytest.raises(UnreadableFile, match="occurs 2 times"):
        library_from_json(msgspec.json.encode(library(LUNG, LUNG)), "test")
    with pytest.raises(UnreadableFile, match="schema 'x'"):
        library_from_json(b'{"schema": "x", "name": "", "records": []}', "test")


ROE = {
    "name": "Lung",
    "numFrx": 15,
    "structures": {
        "Lung-GTV": {
            "abRatio": 3,
            "criteria": {
                "V20": {
                    "function": "calc_Vx",
                    "parameters": {"x": {"val": 20}, "volumeType": {"val": 1}},
                    "limit": 0.3,
                },
                "NTCP": {"function": "ntcp", "parameters": {"modelFile": "x.json"}, "limit": 0.2},
            },
            "guidelines": {"Mean": {"function": "calc_meanDose", "limit": 20}},
        }
    },
}


def test_roe_criteria_become_limits_and_models_are_named():
    found = library_from_roe(ROE, "roe.json")
    assert [c.text for c in found.constraints()] == ["V20Gy <= 30%", "DMEAN <= 20Gy", "NTCP (ntcp) <= 0.2"]
    assert [c.level for c in found.constraints()] == ["mandatory", "ideal", "mandatory"]
    assert found.records[0].fractions == (15, 15)
    assert found.records[0].alpha_beta_gy == 3
    assert "NTCP (ntcp) <= 0.2 cannot be evaluated" in found.notes[0]
    *_, lost = check_constraints([ramp("Lung-GTV", 30.0, fractions=15)], found.constraints())
    assert lost.compliance is None
    assert lost.failed


def test_roe_is_written_back(tmp_path):
    path = tmp_path / "roe.json"
    assert write_roe(path, library_from_roe(ROE, "roe.json")) == []
    again = library_or_table(path)
    assert [c.text for c in again.constraints()] == ["V20Gy <= 30%", "DMEAN <= 20Gy"]
    rule = json.loads(path.read_text())["structures"]["Lung-GTV"]["criteria"]
    assert next(iter(rule.values()))["limit"] == pytest.approx(0.3)


def test_roe_leaves_out_what_it_cannot_hold(tmp_path):
    lower = Record(id="ptv", organ="PTV", metric="D95%", comparator=">=", unit="Gy", mandatory=50.0)
    assert write_roe(tmp_path / "roe.json", library(lower)) == ["ptv"]
    other = msgspec.structs.replace(LUNG, id="other", fractions_min=5, fractions_max=5)
    with pytest.raises(InvalidSetting, match="one number of fractions"):
        write_roe(tmp_path / "roe.json", library(LUNG, other))


def test_scores_are_linear_between_points_and_constant_beyond():
    dvhs = [ramp("Lung_L", top, fractions=30, patient_id=str(top)) for top in (20.0, 80 / 3, 100.0)]
    card = score_plan(dvhs, library(LUNG))
    assert [s.observed for s in card.scores] == pytest.approx([0.0, 25.0, 80.0])
    assert [s.score for s in card.scores] == pytest.approx([10.0, 7.5, 0.0])
    assert (card.total, card.best) == (pytest.approx(17.5), 30.0)


def test_a_scorecard_with_a_missing_metric_has_no_total():
    assert score_plan([ramp("Heart", 10.0)], library(LUNG)).total is None
    relative = DVH("Lung", [0.0, 40.0], [np.nan, np.nan], stated_volume_percent=[100.0, 0.0], fractions=30)
    cc = msgspec.structs.replace(LUNG, unit="cc", mandatory=None, ideal=None)
    [score] = score_plan([relative], library(cc)).scores
    assert score.score is None
    assert "no absolute volume" in score.reason


def test_every_template_names_its_source_in_every_record():
    assert template_names()
    for name in template_names():
        for record in read_template(name).records:
            assert record.source.doi, record.id
            assert record.source.page, record.id
            assert record.fractions, record.id


def test_a_template_is_checked_by_name():
    cord = ramp("SpinalCord", 25.0, fractions=4)
    [result] = check_constraints([cord], read_constraints("lung_sabr_safron2"))
    assert result.constraint == "D0.03CC_GY <= 20.8GY"
    assert result.compliance is False
    assert "10.1186/s12885-016-2227-z" in result.citation
    with pytest.raises(MissingObject, match="templates are"):
        read_constraints("nowhere")


def test_patients_in_the_scope_of_a_table_count(tmp_path):
    dvhs = [ramp("Heart", 30.0, patient_id=name) for name in ("A1", "B1")]
    [only] = check_constraints(dvhs, [Constraint("V20Gy < 50%", patient="a*")])
    assert only.patient_id == "A1"


def run_json(capsys, *arguments):
    code = run(["constraints", *map(str, arguments), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_the_command_line_lists_checks_and_converts(capsys, golden, tmp_path):
    code, templates = run_json(capsys, "list")
    assert code == 0
    assert templates["templates"][0]["name"] == "lung_sabr_safron2"
    export = golden / "tps_dvh" / "eclipse" / "eclipse15_cumulative_cgy_absvol_utf8bom.txt"
    code, found = run_json(capsys, "check", export, "--constraint", "V20Gy < 20%")
    assert code == 1
    assert [row["compliance"] for row in found["constraints"]] == [False, True, True]
    code, found = run_json(capsys, "check", export, "--constraints", "lung_sabr_safron2", "--fractions", "4")
    point, volume = found["constraints"]
    assert (code, volume["compliance"]) == (1, True)
    # Between the last volume and the end of the table, as R reads it: far above the stated maximum, and said so.
    assert point["observed"] > 897
    assert "exceeds the maximum dose 897" in point["reason"]
    table = golden / "dvhmetrics" / "constraints_comma.csv"
    code, listed = run_json(capsys, "list", table)
    assert [row["canonical"] for row in listed["constraints"]] == ["V20GY_% < 30%", "D2%_GY < 40GY"]
    code, written = run_json(capsys, "convert", "lung_sabr_safron2", tmp_path / "t.txt", "--to", "table")
    assert "no place in a table" in written["warnings"][0]
    assert len(read_constraints(tmp_path / "t.txt")) == 16


def test_the_command_line_refuses_what_a_library_cannot_hold(capsys, golden, tmp_path):
    source = golden / "dvhmetrics" / "constraints_tab.txt"
    assert run(["constraints", "convert", str(source), str(tmp_path / "x.json"), "--to", "library"]) == 2
    assert "is for patient P123 only" in capsys.readouterr().err
    assert not (tmp_path / "x.json").exists()


def test_results_can_be_replaced_by_name():
    [result] = check_constraints([ramp("Heart", 30.0)], ["V20Gy < 50%"])
    assert replace(result, compliance=None).failed


@pytest.mark.parametrize(
    ("text", "canonical", "observed", "compliance", "delta_dose", "delta_volume"),
    [
        ("CV15Gy < 60%", "CV15GY_% < 60%", 50.0, True, 3.0, -10.0),
        ("DC10cc >= 5Gy", "DC10CC_GY >= 5GY", 3.0, False, -2.0, 20.0 / 3),
        ("V15Gy[cc] > 40cc", "V15GY_CC > 40CC", 50.0, True, 3.0, 10.0),
        ("Max[%] < 107%", "MAX[%] < 107%", 60.0, True, -47.0, None),
        ("DHI < 2", "DHI < 2", 1.92, True, -0.08, None),
        ("DNTCP < 0.6", "DNTCP < 0.6", 0.5, True, -0.1, None),
    ],
)
def test_constraints_beyond_rs_grammar(text, canonical, observed, compliance, delta_dose, delta_volume):
    dvh = ramp("Lung", 30.0, prescription_gy=50.0, stated=DoseStatistics(max_gy=30.0))
    [result] = check_constraints([dvh], [text], NTCPtd50=15.0, NTCPm=0.3, NTCPn=1.0)
    assert (result.constraint, result.compliance) == (canonical, compliance)
    assert (result.observed, result.delta_dose) == pytest.approx((observed, delta_dose), rel=1e-3)
    if delta_volume is None:
        assert (result.delta_volume, result.distance) == (None, None)
    else:
        assert result.delta_volume == pytest.approx(delta_volume)
        assert result.distance > 0


def test_the_distance_of_a_complement_is_that_of_its_own_curve():
    # Coldest volume below d of this ramp is 100 d / 30 cc; the point (15 Gy, 60 cc) lies 10 cc above that line.
    [result] = check_constraints([ramp("Lung", 30.0)], ["CV15Gy_cc < 60cc"])
    slope = 100 / 30
    assert result.distance == pytest.approx(10 / np.hypot(1, slope))
    assert result.nearest_volume == pytest.approx(slope * result.nearest_dose)
