"""Every cell of docs/round_trips.md."""

import re
import shutil
from pathlib import Path

import pytest

import round_trips as trips
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
    if reader == "DCMTK" and not shutil.which("dcm2json"):
        pytest.skip("dcmtk is not installed")
    image = trips.write_image_case(tmp_path / "image.dcm", trips.PIXELS_MM[pixels])
    assert trips.image_verdict(trips.IMAGES[reader], tmp_path / "image.dcm", image) == "same"


def test_the_page_has_every_cell_filled_and_none_that_no_test_knows():
    rows = [
        line.strip("|").split("|") for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")
    ]
    cells = [cell.strip() for row in rows if not re.search("---|RTDOSE|RTIMAGE", row[0]) for cell in row[1:]]
    count = len(ORIENTATIONS) * len(trips.READERS) + len(trips.PIXELS_MM) * len(trips.IMAGES) + 2 * len(trips.FOREIGN)
    assert len(cells) == count
    assert set(cells) <= {"same", "elsewhere"}
    assert cells.count("elsewhere") == len(trips.KNOWN)
