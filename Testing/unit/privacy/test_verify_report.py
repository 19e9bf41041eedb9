"""A report that was changed, mixed up or separated from its inputs is told from one that was not."""

import hashlib
import json
import shutil
from dataclasses import replace

import pytest

import builders
from intrepid_cli.console import plain
from intrepid_cli.main import run
from intrepid_cli.report import write_report
from intrepid_cli.verification.results import as_results
from intrepid_cli.verification.seal import check_seal, results_sha256, sealed
from intrepid_rt.errors import UnreadableFile
from intrepid_rt.verification import InputObject
from synthetic_verification import synthetic_result


def sha256(*paths):
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()


@pytest.fixture(scope="module")
def result():
    return synthetic_result()


@pytest.fixture(scope="module")
def original(tmp_path_factory, result):
    """A report folder of which the inputs lie in a study folder beside it."""
    folder = tmp_path_factory.mktemp("original")
    ids = builders.write_treatment(folder / "study")
    plan, slices = folder / "study" / "RTPLAN.dcm", sorted((folder / "study").glob("CT_*"))
    inputs = (
        InputObject("RTPLAN", plan.name, ids.plan, sha256(plan)),
        InputObject("CT", f"{len(slices)} slices", ids.ct_series, sha256(*slices)),
    )
    made = replace(result, provenance=replace(result.provenance, settings={}, inputs=inputs))
    report = folder / "report"
    report.mkdir()
    write_report(made, report / "report.html")
    (report / "RTDOSE_total.dcm").write_bytes(b"a dose")
    content = plain(sealed(as_results(made), report))
    (report / "results.json").write_text(json.dumps(content, indent=1, allow_nan=False), encoding="utf-8")
    return folder


@pytest.fixture
def written(original, tmp_path):
    """A copy to be damaged: (report, study)."""
    shutil.copytree(original, tmp_path / "copy")
    return tmp_path / "copy" / "report", tmp_path / "copy" / "study"


def states(folder, study=None):
    return {finding.what: finding.state for finding in check_seal(folder, study)}


def test_an_untouched_report_is_the_same_by_every_door(written, capsys):
    folder, study = written
    expected = {
        "results",
        "report.html",
        "RTDOSE_total.dcm",
        "hash shown in the report",
        "RTPLAN RTPLAN.dcm",
        "CT 8 slices",
    }
    assert states(folder, study) == dict.fromkeys(expected, "same")
    for door in (folder, folder / "report.html", folder / "results.json"):
        assert run(["verify", str(door), "--study", str(study), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["unchanged"] is True


def test_a_number_changed_by_hand_is_found(written):
    folder, _ = written
    path = folder / "results.json"
    results = json.loads(path.read_text())
    results["gamma_3d"][0]["pass_rate_percent"] = 99.9
    path.write_text(json.dumps(results))
    found = states(folder)
    assert (found["results"], found["hash shown in the report"]) == ("changed", "changed")
    assert run(["verify", str(path)]) == 1


@pytest.mark.parametrize("name", ["report.html", "RTDOSE_total.dcm"])
def test_a_changed_and_a_lost_file_are_found(written, name):
    folder, _ = written
    (folder / name).write_bytes((folder / name).read_bytes() + b" ")
    assert states(folder)[name] == "changed"
    (folder / name).unlink()
    assert states(folder)[name] == "missing"


def test_another_patients_report_beside_these_results_is_found(written, result):
    folder, _ = written
    report = (folder / "report.html").read_text(encoding="utf-8")
    mine, others = (results_sha256(as_results(one)) for one in (result, replace(result, warnings=("another",))))
    assert mine != others
    shown = json.loads((folder / "results.json").read_text())["integrity"]["results_sha256"]
    assert report.count(shown) == 2
    (folder / "report.html").write_text(report.replace(shown, others), encoding="utf-8")
    assert states(folder)["hash shown in the report"] == "changed"


def test_inputs_that_changed_or_went_are_told(written, tmp_path, capsys):
    folder, study = written
    path = study / "CT_003.dcm"
    path.write_bytes(path.read_bytes() + b"\0\0")
    assert states(folder, study)["CT 8 slices"] == "changed"
    (study / "RTPLAN.dcm").unlink()
    assert states(folder, study)["RTPLAN RTPLAN.dcm"] == "missing"
    moved = study.rename(tmp_path / "elsewhere")
    assert states(folder)["CT 8 slices"] == "not checked"
    assert run(["verify", str(folder)]) == 0
    assert "give it with --study" in capsys.readouterr().out
    assert states(folder, moved)["CT 8 slices"] == "changed"


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"integrity": {}}', '{"integrity": {"results_sha256": 1, "files": 2}}']
)
def test_what_carries_no_hash_is_refused(tmp_path, content):
    (tmp_path / "results.json").write_text(content)
    with pytest.raises(UnreadableFile, match=r"carries no hash|is no JSON"):
        check_seal(tmp_path)
    assert run(["verify", str(tmp_path / "nowhere" / "report.html")]) == 2


def test_a_file_name_in_the_record_leads_nowhere_else(written):
    folder, study = written
    path = folder / "results.json"
    results = json.loads(path.read_text())
    results["integrity"]["files"] = {"../study/RTPLAN.dcm": sha256(study / "RTPLAN.dcm")}
    path.write_text(json.dumps(results))
    assert states(folder)["../study/RTPLAN.dcm"] == "missing"
