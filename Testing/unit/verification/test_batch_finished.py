"""Which results of a batch are kept: whole ones of the same settings."""

import json
from pathlib import Path

import pytest

from intrepid_cli.verification.batch import is_finished
from intrepid_cli.verification.settings import VerificationSettings


@pytest.fixture
def settings(tmp_path):
    made = VerificationSettings(Path("study"), tmp_path, machine=Path("profile.json"))
    stated = {"study_dir": "study", "machine": "profile.json", "model": "physics", "criteria": str(made.criteria),
              "dose_to": "water", "ct_curve": "machine profile"}  # fmt: skip
    (tmp_path / "report.html").write_text("report")
    results = {"provenance": {"settings": stated}, "integrity": {"files": {"report.html": "0"}}}
    (tmp_path / "results.json").write_text(json.dumps(results))
    return made


def test_a_whole_result_is_kept(settings):
    assert is_finished(settings)


@pytest.mark.parametrize(
    "change", [{"dose_to": "tissue"}, {"grid_mm": 4.0}, {"machine": None}, {"model": "first-order"}]
)
def test_another_setting_is_another_result(settings, change):
    from dataclasses import replace

    assert not is_finished(replace(settings, **change))


def test_a_result_that_lost_a_file_is_none(settings):
    (settings.out_dir / "report.html").unlink()
    assert not is_finished(settings)


def test_results_cut_short_are_none(settings):
    path = settings.out_dir / "results.json"
    path.write_text(path.read_text()[:-20])
    assert not is_finished(settings)
