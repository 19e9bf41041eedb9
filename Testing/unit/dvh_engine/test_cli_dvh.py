"""``intrepid dvh`` as others call it: files in, JSON and exit code out."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import builders
from builders import BeamSpec, Ids, Lattice, Roi
from intrepid_cli.main import run

SQUARE = np.array([[-10, -10], [10, -10], [10, 10], [-10, 10]], float)
INSIDE = [np.column_stack([SQUARE, np.full(4, z)]) for z in (-6.0, -3.0, 0.0, 3.0, 6.0)]


@pytest.fixture(scope="module", params=["axial", "feet first", "sagittal"])
def files(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A box of 20 x 20 x 15 mm at 30 to 50 Gy (1 Gy/mm along x), one beyond the dose, one without contours."""
    folder, ids = tmp_path_factory.mktemp("dvh"), Ids()
    lattice = Lattice(shape=(41, 42, 43), position=(0, 0, 0), orientation=builders.ORIENTATIONS[request.param])
    middle = lattice.pixel_positions().reshape(-1, 3).mean(axis=0)
    lattice = Lattice(shape=(41, 42, 43), position=tuple(-middle), orientation=lattice.orientation)
    dose = 70.0 + lattice.pixel_positions()[..., 0]
    builders.save(builders.rtdose(dose - 30.0, lattice, ids), folder / "dose.dcm")
    beyond = [contour + np.array([500.0, 0.0, 0.0]) for contour in INSIDE]
    rois = [Roi("PTV", INSIDE), Roi("Far", beyond), Roi("Empty")]
    builders.save(builders.rtstruct(rois, ids), folder / "structures.dcm")
    builders.save(builders.rtplan([BeamSpec()], ids, fractions=5), folder / "plan.dcm")
    return folder / "dose.dcm", folder / "structures.dcm"


def answer(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict]:
    code = run(["dvh", *map(str, arguments), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_metrics(files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    code, found = answer(capsys, *files, "--metric", "D95%", "--metric", "V40Gy_cc,D50%_%", "--prescription-gy", 40)
    assert code == 0
    ptv, far, empty = found["structures"]
    assert ptv["volume_cc"] == pytest.approx(6.0)
    assert (ptv["min_gy"], ptv["mean_gy"], ptv["max_gy"]) == pytest.approx((30.0, 40.0, 50.0), abs=0.01)
    values = {text: (metric["value"], metric["unit"]) for text, metric in ptv["metrics"].items()}
    assert values["D95%"] == (pytest.approx(31.0, abs=0.02), "Gy")
    assert values["V40Gy_cc"] == (pytest.approx(3.0, abs=0.01), "cc")
    assert values["D50%_%"] == (pytest.approx(100.0, abs=0.1), "%")
    assert far["volume_cc"] is None
    assert "outside the dose grid" in far["reason"]
    assert "no closed contour" in empty["reason"]


def test_end_caps(files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    _, found = answer(capsys, *files, "--roi", "ptv", "--end-caps", "none", "--between-planes", "linear")
    assert [s["name"] for s in found["structures"]] == ["PTV"]
    assert found["structures"][0]["volume_cc"] == pytest.approx(4.8)


@pytest.mark.parametrize(("limit", "code"), [(30, 0), (32, 1)])
def test_constraints(
    files: tuple[Path, Path], limit: int, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "constraints.txt"
    table.write_text(f'"constraint"\t"structure"\n"D95% > {limit}Gy"\t"PTV"\n"D1cc < 5Gy"\t"Cord"\n', encoding="utf-8")
    ended, found = answer(capsys, *files, "--constraints", table)
    assert ended == code
    row = found["constraints"][0]
    assert row["compliance"] is (code == 0)
    assert row["observed"] == pytest.approx(31.0, abs=0.02)
    assert row["delta"] == pytest.approx(31.0 - limit, abs=0.02)
    assert any("Cord" in warning for warning in found["warnings"])


def test_curves(files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer(capsys, *files, "--curves", tmp_path / "curves.csv")
    with (tmp_path / "curves.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    dose, volume = (np.array([float(row[name]) for row in rows]) for name in ("dose_gy", "volume_cc"))
    assert {row["structure"] for row in rows} == {"PTV"}
    # From 30 to 50 Gy the volume falls evenly from 6 to 0 cm3.
    assert volume == pytest.approx(np.clip((50 - dose) / 20, 0, 1) * 6, abs=0.01)
    answer(capsys, *files, "--curves", tmp_path / "curves.json")
    curves = json.loads((tmp_path / "curves.json").read_text(encoding="utf-8"))
    assert curves[0]["volume_cc"] == pytest.approx(volume, abs=1e-5)


def test_text_for_people(files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["dvh", *map(str, files), "--metric", "D2%"]) == 0
    shown = capsys.readouterr().out
    assert "6.000 cc" in shown
    assert "Far                      no DVH: Far lies outside the dose grid" in shown
    assert shown.endswith("Research software, not cleared for clinical decisions.\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--roi", "Nobody"], "has no structure Nobody. It has: PTV, Far, Empty."),
        (["--prescription-gy", "-1"], "expected a dose in Gy above 0"),
        (["--fractions", "0"], "expected at least 1"),
        (["--curves", "curves.xls"], "written as .csv or .json"),
        (["--end-caps", "rounded"], "use between_planes='shape'"),
        (["--stored"], "holds no DVH"),
    ],
)
def test_unusable_input_is_one_line(
    files: tuple[Path, Path], arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["dvh", *map(str, files), *arguments]) == 2
    shown = capsys.readouterr()
    assert shown.err.count("\n") == 1
    assert message in shown.err


def test_another_frame_of_reference_is_refused(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = builders.save(builders.rtstruct([Roi("PTV", INSIDE)], Ids()), tmp_path / "other.dcm")
    assert run(["dvh", str(files[0]), str(other)]) == 2
    assert "Register them first" in capsys.readouterr().err
