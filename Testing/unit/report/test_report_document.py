"""The report says what the verification found, in one self-contained file, and nothing that was not found."""

import logging
import re
from dataclasses import replace

import pytest

from intrepid_cli.report import write_report
from intrepid_cli.report.curves import profile_figure
from intrepid_cli.report.document import gamma_of_verdict, render
from intrepid_cli.report.style import as_svg
from intrepid_rt.errors import OutputNotWritable
from intrepid_rt.grids import DoseGrid
from intrepid_rt.verification import PatientIdentity, Provenance
from synthetic_verification import synthetic_result, without_plan


@pytest.fixture(scope="module")
def result():
    return synthetic_result()


@pytest.fixture(scope="module")
def html(result):
    return render(result)


def text_of(html: str) -> str:
    """What a reader sees: no style, no tags, no pictures."""
    html = re.sub(r"<style>.*?</style>", " ", html, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_it_is_one_file_that_fetches_nothing(html):
    sources = re.findall(r'(?:src|href)="([^"]{0,40})', html)
    assert sources
    assert all(source.startswith("data:image/") for source in sources)
    assert "url(" not in html
    assert "<script" not in html
    assert len(html) < 5_000_000


def test_identity_verdict_and_research_note_stand_on_it(html):
    text = text_of(html)
    for expected in (
        "Synthetic, Thorax", "SYN-0001", "1950-01-01", "LUNG_SBRT_2F", "50.00 Gy in 25 fractions", "LINAC_1_6MV",
        "3D gamma 3 % / 3 mm in BODY: 94.9 % of 41495 points pass; 95 % demanded.", "Heart DMAX &lt; 0.7Gy",
        "Performed by", "Reviewed by (medical physicist)",
    ):  # fmt: skip
        assert expected in text
    assert re.search(r'class="verdict fail".*?Fail', html, re.DOTALL)
    assert text.count("Research software, not cleared for clinical decisions.") == 2


def test_numbers_are_those_of_the_result(html, result):
    text = text_of(html)
    outcome = result.gamma_3d[0]
    assert f"3 % / 3 mm BODY {outcome.norm_gy:.3f} 10 {outcome.n_points:,} 0 " in text
    for beam in result.beams:
        for o in beam.gamma_2d:
            assert f"{o.max_gamma:.2f} – {o.pass_rate_percent:.1f}" in text
    point = result.points[0]
    assert f"(−60.0, −172.0, 221.0) {point.planned_gy:.3f} {point.reconstructed_gy:.3f} {point.ratio:.3f}" in text
    ptv = next(s for s in result.structures if s.name == "PTV")
    assert f"PTV {ptv.volume_cc:.1f} 0.0 planned {ptv.planned.min_gy:.3f} {ptv.planned.mean_gy:.3f}" in text


def test_constraints_say_kept_broken_or_why_not_judged(html):
    text = text_of(html)
    assert re.search(r"SpinalCord DMAX &lt; 1\.5Gy 0\.02 0\.02 Gy −1\.48 1\.48 kept", text)
    assert re.search(r"Heart DMAX &lt; 0\.7Gy .* broken \(the plan does not keep it either\)", text)
    assert "Oesophagus DMEAN &lt; 1.2Gy – – – – not judged No structure of this name in the structure set." in text


def test_provenance_names_every_input_with_its_hash(html, result):
    for item in result.provenance.inputs:
        assert item.uid in html
        assert item.sha256 in html
    assert result.profile.sha256 in html


def test_text_from_files_is_escaped(result):
    patient = PatientIdentity('x"; } </style><script>alert(1)</script>', "<img src=x>^A")
    html = render(replace(without_plan(result), patient=patient))
    assert "<script" not in html
    assert "<img src=x>" not in html
    assert html.count("</style>") == 1
    assert "2: Lat &lt;270&gt;" in html


def test_without_a_plan_absent_numbers_are_dashes_with_the_reason(result):
    html = render(without_plan(result))
    text = text_of(html)
    assert 'class="verdict not-judged"' in html
    assert "No planned dose: The study holds no RTDOSE of this plan" in text
    assert "3 % / 3 mm The study holds no RTDOSE of this plan" in text
    assert "Gamma in three planes" not in html
    assert "No planned portal dose for this beam: no 2D comparison." in text
    assert not re.search(r"\b(nan|None|inf)\b", text)


def test_the_barest_result_still_makes_a_report(result):
    bare = replace(
        without_plan(result), structure_set=None, structures=(), constraints=(), points=(), beams=(), gamma_3d=(),
        warnings=(), provenance=Provenance(), is_relative=True, seconds={},
    )  # fmt: skip
    text = text_of(render(bare))
    for expected in (
        "Doses are relative", "The study has no structure set, hence no DVH.", "No constraints were given.",
        "No beam was reconstructed.", "No inputs recorded.", "No 3D comparison", "date not recorded",
    ):  # fmt: skip
        assert expected in text
    assert not re.search(r"\b(nan|None|inf)\b", text)


def test_a_relative_result_shows_no_gy_and_applies_no_limit(result):
    html = render(replace(result, is_relative=True))
    text = text_of(html)
    assert "Machine profile none: doses are relative" in text
    assert "no limit applied" in text
    assert "Dose ratio R – 1 by normalisation" in text
    assert "D98%, rel." in text
    assert 'class="n fail"' not in html
    assert "Norm, Gy" not in text
    assert "Min, Gy" not in text


def test_an_isocentre_outside_the_dose_grid_and_odd_names_are_survived(result):
    far = result.reconstructed.index_to_lps.copy()
    far[2, 3] += 900.0
    elsewhere = replace(
        result,
        reconstructed=DoseGrid(result.reconstructed.values, far),
        planned=None,
        gamma_3d=(),
        structures=tuple(replace(s, name="$x_{$ " + s.name) for s in result.structures),
    )
    assert "$x_{$ PTV" in text_of(render(elsewhere))


def test_the_gamma_shown_is_the_one_the_verdict_rests_on(result):
    last_judged = tuple(replace(o, limit_percent=90.0 if o.distance_mm == 2 else None) for o in result.gamma_3d)
    assert gamma_of_verdict(replace(result, gamma_3d=last_judged)) is last_judged[1]


def test_the_same_result_gives_the_same_pictures(result):
    assert as_svg(profile_figure(result)) == as_svg(profile_figure(result))


def test_nothing_about_the_patient_is_logged(result, tmp_path, caplog, capsys):
    with caplog.at_level(logging.DEBUG):
        write_report(without_plan(result), tmp_path / "report.html")
    logged = caplog.text + "".join(capsys.readouterr())
    assert "Synthetic" not in logged
    assert "SYN-0001" not in logged
    assert "Synthetic" not in repr(result.patient)
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_an_impossible_place_is_named(result, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputNotWritable, match=r"report\.html could not be written"):
        write_report(without_plan(result), tmp_path / "file" / "report.html")
