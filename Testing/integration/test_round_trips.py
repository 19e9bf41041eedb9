"""Every cell of docs/round_trips.md."""

import re
import shutil
from pathlib import Path

import pytest

import round_trips as trips
import round_trips_contours as contours
import round_trips_dvh as dvh
from builders import ORIENTATIONS

pytestmark = pytest.mark.external
PAGE = Path(__file__).parents[2] / "docs" / "round_trips.md"


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ours")
    for case in ORIENTATIONS:
        trips.write_ours(folder / f"{case}.dcm", case)
    return folder


@pytest.mark.parametrize("reader", list(trips.READERS))
def test_our_doses_are_read_by_others_in_any_orientation(ours, reader):
    needed = trips.PROGRAMS.get(reader)
    if needed and not shutil.which(needed):
        pytest.skip(f"{needed} is not installed")
    found = {case: trips.verdict(trips.READERS[reader], ours / f"{case}.dcm") for case in ORIENTATIONS}
    assert found == {case: trips.KNOWN.get((reader, case), "same") for case in ORIENTATIONS}


@pytest.mark.parametrize("case", list(trips.FOREIGN))
def test_doses_of_others_are_read_in_their_place(tmp_path, case):
    trips.write_theirs(tmp_path / "dose.dcm", case)
    tolerance_gy = 1e-3 if case == "16 bit" else trips.TOLERANCE_GY
    assert trips.verdict(trips.by_us, tmp_path / "dose.dcm", tolerance_gy) == "same"
    assert trips.verdict(trips.by_mrml, tmp_path / "dose.dcm", tolerance_gy) == "same"


@pytest.mark.parametrize("reader", list(trips.IMAGES))
@pytest.mark.parametrize("pixels", list(trips.PIXELS_MM))
def test_our_portal_doses_are_read_by_others(tmp_path, reader, pixels):
    needed = trips.PROGRAMS.get(reader)
    if needed and not shutil.which(needed):
        pytest.skip(f"{needed} is not installed")
    image = trips.write_image_case(tmp_path / "image.dcm", trips.PIXELS_MM[pixels])
    found = trips.image_verdict(trips.IMAGES[reader], tmp_path / "image.dcm", image)
    assert found == trips.KNOWN_IMAGES.get(reader, "same")


@pytest.fixture(scope="module")
def our_contours(tmp_path_factory):
    folder = tmp_path_factory.mktemp("contours")
    return {case: contours.write_ours(folder, case) for case in contours.CASES}


@pytest.mark.parametrize("reader", contours.COLUMNS)
def test_our_contours_are_read_by_others(our_contours, reader):
    if reason := contours.why_not(reader):
        pytest.skip(reason)
    expected = {case: contours.KNOWN.get((reader, case), "same") for case in contours.CASES}
    assert contours.found_by(reader, our_contours) == expected


@pytest.mark.parametrize("case", list(contours.FOREIGN))
def test_contours_of_others_are_read_in_their_place(tmp_path, case):
    if reason := contours.why_not(case.split(",")[0]):
        pytest.skip(reason)
    assert contours.foreign_verdict(contours.write_theirs(tmp_path / "rs.dcm", case), case) == "same"


def test_a_moved_point_a_lost_hole_and_moved_voxels_are_seen(our_contours):
    drawn = contours.drawn_contours("hole")
    moved = {**drawn, 1: [drawn[1][0] + [0.001, 0, 0], *drawn[1][1:]]}
    assert contours.verdict(moved, drawn) == "elsewhere"
    assert contours.verdict({**drawn, 1: drawn[1][:-1]}, drawn) == "elsewhere"
    assert contours.area_verdict(lambda points: contours.inside(points, drawn[1]), "hole") == "same"
    assert contours.area_verdict(lambda points: contours.inside(points, drawn[1][::2]), "hole") == "elsewhere"
    assert contours.area_verdict(lambda points: contours.inside(points - [2, 0, 0], drawn[1]), "hole") == "elsewhere"


def test_dicompyler_computes_the_same_from_our_dose_and_structures(tmp_path):
    if reason := contours.why_not("dicompyler-core"):
        pytest.skip(reason)
    paths, paper = dvh.write_study(tmp_path), dvh.on_paper()
    ours, theirs = dvh.by_us(*paths), dvh.by_dicompyler(*paths)
    assert ours.keys() == theirs.keys() == paper.keys()
    for name, (volume_cc, mean_gy) in paper.items():
        assert ours[name] == pytest.approx((volume_cc, mean_gy), rel=1e-4)
        # It counts whole voxels of the dose grid and doses in steps of 0.01 Gy.
        assert theirs[name][0] == pytest.approx(volume_cc, rel=0.015)
        assert theirs[name][1] == pytest.approx(mean_gy, abs=0.02)


def test_the_page_has_every_cell_filled_and_none_that_no_test_knows():
    rows = [
        line.strip("|").split("|") for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")
    ]
    cells = [cell.strip() for row in rows if not re.search("---|RTDOSE|RTIMAGE|RTSTRUCT", row[0]) for cell in row[1:]]
    count = len(ORIENTATIONS) * len(trips.READERS) + len(trips.PIXELS_MM) * len(trips.IMAGES) + 2 * len(trips.FOREIGN)
    count += len(contours.CASES) * len(contours.COLUMNS) + len(contours.FOREIGN)
    assert len(cells) == count
    assert set(cells) <= {"same", "elsewhere", "picture"}
    assert cells.count("elsewhere") == len(trips.KNOWN) + len(contours.KNOWN)
    assert cells.count("picture") == len(trips.KNOWN_IMAGES) * len(trips.PIXELS_MM)
