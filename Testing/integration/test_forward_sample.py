"""The forward check in the main job, on Monte Carlo images that our own physics had no part in."""

from pathlib import Path

import pydicom
import pytest

from intrepid_cli.report.document import render
from intrepid_cli.verification import VerificationSettings, verify_study
from intrepid_cli.verification.forward import NO_PROFILE, PREDICTED
from intrepid_cli.verification.results import as_results
from intrepid_rt.resources import resource_folder
from SlicerInTrEPIDLib.sample import unpack_sample

SAMPLE = resource_folder("SampleData")
PROFILE = SAMPLE / "MC6MV.profile.json"


@pytest.fixture
def study(tmp_path) -> Path:
    return unpack_sample(SAMPLE, tmp_path) / "study"


def verified(study: Path, machine: Path | None = PROFILE):
    # The quick dose model: the dose in the patient is not looked at here.
    return verify_study(VerificationSettings(study, study / "out", machine=machine, model="first-order")).result


def of_modality(study: Path, modality: str) -> list[tuple[Path, pydicom.Dataset]]:
    files = [(path, pydicom.dcmread(path)) for path in sorted(study.rglob("*.dcm"))]
    return [(path, dataset) for path, dataset in files if dataset.Modality == modality]


def test_a_beam_with_three_percent_more_than_planned_is_named_and_the_other_left_alone(study):
    ((path, plan),) = of_modality(study, "RTPLAN")
    plan.FractionGroupSequence[0].ReferencedBeamSequence[0].BeamMeterset = "97.087"  # 100 were delivered
    plan.save_as(path)
    result = verified(study)
    more, as_planned = result.beams
    assert [cause.name for cause in more.forward_check.causes] == ["output"]
    assert 2.0 < more.forward_check.evidence["level_percent"] < 4.5
    assert as_planned.forward_check.causes == ()
    assert as_planned.forward_check.gamma[1].pass_rate_percent > 99.0
    assert as_planned.planned_portal_dose is as_planned.forward_check.predicted
    assert as_planned.planned_portal_source == PREDICTED
    assert [w for w in result.warnings if more.name in w and "(output)" in w]
    written = as_results(result)["beams"][0]["forward_check"]
    assert written["causes"][0]["name"] == "output"
    assert {"gamma", "evidence", "notes", "reason"} < set(written)
    assert "Forward check" in render(result)


def test_images_of_two_beams_exchanged_are_named_as_each_other(study):
    (one_path, one), (two_path, two) = of_modality(study, "RTIMAGE")
    for keyword in ("ReferencedBeamNumber", "GantryAngle", "RTImageLabel"):
        one[keyword].value, two[keyword].value = two[keyword].value, one[keyword].value
    one.save_as(one_path)
    two.save_as(two_path)
    beams = verified(study).beams
    for beam, other in (beams, beams[::-1]):
        (cause,) = beam.forward_check.causes
        assert cause.name == "wrong beam"
        assert other.name in cause.evidence


def test_without_a_machine_profile_nothing_is_predicted(study):
    for beam in verified(study, machine=None).beams:
        assert beam.forward_check.reason == NO_PROFILE
        assert beam.planned_portal_dose is None
