"""The command line, as others script against it."""

import gzip
import json

import pytest

from intrepid_cli.main import run


@pytest.fixture
def tables(golden, tmp_path):
    for name in ("dataMZ_curves", "dataMZ_header"):
        (tmp_path / f"{name}.csv").write_bytes(gzip.decompress((golden / "dvhmetrics" / f"{name}.csv.gz").read_bytes()))
    return tmp_path / "dataMZ_curves.csv"


def run_json(capsys, *arguments):
    code = run(["dvh-text", *map(str, arguments), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_metrics_of_an_export(capsys, golden):
    path = golden / "tps_dvh" / "eclipse" / "eclipse15_cumulative_cgy_absvol_utf8bom.txt"
    code, result = run_json(capsys, path, "--metric", "DMEAN, V20Gy_cc", "--metric", "D2%", "--structure", "Heart")
    assert code == 0
    [heart] = result["structures"]
    assert (heart["name"], heart["patient_id"], heart["volume_cc"]) == ("Heart", "ZZ0003", 540.1)
    assert heart["mean_gy"] == pytest.approx(1.50693)
    assert heart["metrics"]["DMEAN"] == {"value": pytest.approx(150.693), "unit": "cGy", "canonical": "DMEAN"}
    assert heart["metrics"]["V20Gy_cc"]["value"] == 0
    assert "no dose" in heart["metrics"]["V20Gy_cc"]["reason"]
    assert heart["metrics"]["D2%"]["unit"] == "cGy"


def test_dump_holds_header_and_curve_in_the_files_unit(capsys, golden):
    path = golden / "tps_dvh" / "monaco" / "monaco_differential_cgy_absvol.txt"
    _, result = run_json(capsys, path, "--dump", "--volume-from-dvh")
    [lung] = result["structures"]
    assert lung["header"]["doseUnit"] == "CGY"
    assert lung["header"]["patID"] == "MO-2"
    assert lung["curve"]["dose"][:3] == [0, 50, 100]
    assert lung["curve"]["dose_relative"][:2] == [0, None]
    assert lung["differential"]["dose"][:2] == pytest.approx([25, 75])
    assert lung["curve"]["volume_relative"][0] == pytest.approx(100)


def test_constraints_decide_the_exit_code(capsys, golden, tables):
    code, result = run_json(
        capsys, tables, "--constraints", golden / "dvhmetrics" / "constraints_tab.txt", "--structure", "HEART"
    )
    assert code == 1
    verdicts = {(c["patient_id"], c["constraint"]): c["compliance"] for c in result["constraints"]}
    assert verdicts["P123", "D10CC_% < 20%"] is False
    assert verdicts["P234", "V0.05GY_CC > 100CC"] is True
    assert any("AOVALVE" in warning for warning in result["warnings"])
    code, _ = run_json(
        *(capsys, tables, "--constraints", golden / "dvhmetrics" / "constraints_tab.txt"),
        *("--structure", "HEART", "--patient", "P345"),
    )
    assert code == 0


def test_information_about_a_file_comes_from_json(capsys, golden, tmp_path):
    info = tmp_path / "info.json"
    info.write_text(json.dumps({"hiart": [{"patID": "T-1", "doseRx": "60Gy", "structVol": {"PTV": 401}}]}))
    path = golden / "tps_dvh" / "hiart" / "hiart_cumulative_gy_relvol.csv"
    _, result = run_json(capsys, path, "--info", info, "--metric", "D50%_%", "--metric", "V30Gy_cc", "--regex")
    ptv, lung = result["structures"]
    assert ptv["patient_id"] == "T-1"
    assert ptv["metrics"]["V30Gy_cc"]["value"] == pytest.approx(401)
    assert lung["metrics"]["V30Gy_cc"]["value"] is None
    assert "volume" in lung["metrics"]["V30Gy_cc"]["reason"]


def test_models_take_their_parameters(capsys, tables):
    arguments = json.dumps({"EUDa": 2})
    _, result = run_json(
        *(capsys, tables, "--metric", "DEUD", "--model-args", arguments, "--structure", "HEART", "--patient", "P123")
    )
    assert result["structures"][0]["metrics"]["DEUD"]["value"] == pytest.approx(18.767993693409, rel=1e-9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.txt"], "nowhere.txt does not exist"),
        (["{tables}", "--structure", "HEARD"], "No DVH is left"),
        (["{tables}", "--model-args", '{"EUDA": 2}'], "'EUDA' is unknown"),
        (["{tables}", "--format", "Xio"], "Format 'Xio' is unknown"),
        (["{tables}", "--structure", "(", "--regex"], "no regular expression"),
    ],
)
def test_unusable_input_is_one_line(capsys, tables, arguments, message):
    assert run(["dvh-text", *(a.format(tables=tables) if a == "{tables}" else a for a in arguments)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_text_for_people_names_violations(capsys, golden, tables):
    constraints = golden / "dvhmetrics" / "constraints_tab.txt"
    assert run(["dvh-text", str(tables), "--constraints", str(constraints), "--metric", "D95%"]) == 1
    text = capsys.readouterr().out
    assert "VIOLATED       P123  HEART  D10CC_% < 20%, observed 49.9694 %" in text
    assert "Research software" in text


def test_diagrams_are_written_per_patient(capsys, tables, golden, tmp_path):
    constraints = golden / "dvhmetrics" / "constraints_tab.txt"
    arguments = ["--structure", "HEART", "--constraints", constraints, "--plot", tmp_path / "dvh.svg"]
    _, result = run_json(capsys, tables, *arguments)
    assert result["plots"] == [str(tmp_path / f"dvh_{patient}.svg") for patient in ("P123", "P234", "P345")]
    assert all("</svg>" in (tmp_path / f"dvh_{patient}.svg").read_text() for patient in ("P123", "P234", "P345"))
    assert run(["dvh-text", str(tables), "--plot", str(tmp_path / "dvh.xyz")]) == 2


def test_diagrams_by_structure_and_what_they_do_not_show(capsys, tables, tmp_path):
    constraints = tmp_path / "goals.txt"
    constraints.write_text("DMEAN < 40Gy\nV20Gy < 90%\n", encoding="utf-8")
    arguments = ["--structure", "HEART", "--structure", "AVNODE", "--constraints", constraints]
    arguments += ["--plot", tmp_path / "dvh.png", "--plot-by", "structure", "--plot-mean"]
    _, result = run_json(capsys, tables, *arguments)
    assert [path.rpartition("/")[2] for path in result["plots"]] == ["dvh_HEART.png", "dvh_AVNODE.png"]
    assert result["warnings"][0] == "DMEAN < 40Gy, P123: it is no point of the diagram"
    _, result = run_json(capsys, tables, *arguments, "--plot-differential", "--plot-cc")
    assert result["warnings"] == ["Constraints are not drawn beside differential curves."]


def test_a_constraint_without_verdict_is_no_crash_and_no_pass(capsys, tables):
    code = run(["constraints", "check", str(tables), "--constraint", "D10 < 20Gy", "--json"])
    rows = json.loads(capsys.readouterr().out)["constraints"]
    assert code == 1
    assert {row["constraint"] for row in rows} == {"DNACC_GY < 20GY"}
    assert all(row["compliance"] is None and "needs a volume in % or cc" in row["reason"] for row in rows)


def test_constraints_on_models_take_their_parameters(capsys, tables):
    arguments = ["constraints", "check", str(tables), "--constraint", "DEUD < 30Gy", "--json", "--model-args"]
    assert run([*arguments, '{"EUDa": 4}']) == 1
    rows = json.loads(capsys.readouterr().out)["constraints"]
    assert {row["compliance"] for row in rows} == {True, False}
    assert run([*arguments, '{"EUDb": 4}']) == 2


def test_percent_of_zero_is_valid_json(capsys, tables):
    arguments = ["constraints", "check", str(tables), "--constraint", "V0Gy > 50%", "--json"]
    assert run(arguments) == 0
    row = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)["constraints"][0]
    assert (row["deltaVpc"], row["deltaDpc"], row["dstMinRel"]) == (pytest.approx(100.0), "Inf", "Inf")
