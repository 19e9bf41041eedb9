"""The hazard log: every hazard has a cause, an effect, a prevention and tests that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TABLE = [
    [cell.strip() for cell in line.strip().strip("|").split("|")]
    for line in (ROOT / "docs" / "hazards.md").read_text(encoding="utf-8").splitlines()
    if re.match(r"\| H\d", line)
]
TESTS = {f"{path.name}::{name}" for path in (ROOT / "Testing").rglob("test_*.py")
         for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)}  # fmt: skip
# What the field has seen go wrong; a word of each must stand in some row.
SEEN_IN_THE_FIELD = ("another patient", "frames missing", "sag", "calibration", "outside what was commissioned",
                     "planning CT no longer", "unit or scale", "axes of a grid", "gamma points dropped", "0 Gy or NaN",
                     "small structure", "wrong side", "summed twice", "fractionation", "private element", "pickle",
                     "silently incomplete")  # fmt: skip


@pytest.mark.parametrize("row", TABLE, ids=[row[0] for row in TABLE])
def test_every_hazard_is_prevented_or_shown_and_proved(row):
    number, *cells, tests = row
    assert len(row) == 6
    assert all(cells), f"{number} has an empty cell"
    named = re.findall(r"`([^`]+)`", tests)
    assert named, f"{number} names no test"
    assert set(named) <= TESTS, f"{number} names {set(named) - TESTS}, which does not exist"


def test_numbers_run_through_and_every_seen_failure_has_its_row():
    assert [row[0] for row in TABLE] == [f"H{number:02d}" for number in range(1, len(TABLE) + 1)]
    text = "\n".join(" ".join(row) for row in TABLE)
    assert [seen for seen in SEEN_IN_THE_FIELD if seen not in text] == []


def test_intended_use_checklist_and_links_are_there():
    text = (ROOT / "docs" / "hazards.md").read_text(encoding="utf-8")
    for heading in ("## Intended use and its limits", "## Commissioning checklist", "## Validation summary"):
        assert heading in text
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert (ROOT / "docs" / target).exists(), target
