"""Reference numbers of the R package DVHmetrics (see Testing/golden/dvh/README.md) and the curves they belong to."""

import csv
import gzip
import json
import math
from pathlib import Path

import pytest

from intrepid_dvh.text.decoding import Options
from intrepid_dvh.text.table import read_tables

GOLDEN = Path(__file__).parents[2] / "golden" / "dvh"


@pytest.fixture(scope="session")
def golden():
    return GOLDEN


@pytest.fixture(scope="session")
def oracle():
    """Rows of a reference file as dictionaries."""

    def rows(name):
        with gzip.open(GOLDEN / "dvhmetrics" / f"{name}.csv.gz", "rt", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    return rows


@pytest.fixture(scope="session")
def curves(tmp_path_factory):
    """All DVHs of the reference data, by (patient, structure)."""
    folder = tmp_path_factory.mktemp("tables")
    for name in ("dataMZ_curves", "dataMZ_header", "synthetic_curves", "synthetic_header"):
        with gzip.open(GOLDEN / "dvhmetrics" / f"{name}.csv.gz", "rb") as packed:
            (folder / f"{name}.csv").write_bytes(packed.read())
    dvhs = read_tables([folder / "dataMZ_curves.csv", folder / "synthetic_curves.csv"], Options())
    return {(dvh.patient_id, dvh.structure): dvh for dvh in dvhs}


@pytest.fixture(scope="session")
def number():
    """A reference number: None for NA."""

    def parse(text):
        return None if text in ("NA", "NaN", "") else float(text)

    return parse


@pytest.fixture(scope="session")
def agrees():
    """Whether a value agrees with the reference to a relative tolerance; both may be missing."""

    def compare(found, expected, rel=1e-6):
        if found is None or expected is None:
            return found is None and expected is None
        if math.isinf(expected):
            return found == expected
        return math.isclose(found, expected, rel_tol=rel, abs_tol=1e-9)

    return compare


@pytest.fixture(scope="session")
def arguments():
    """The JSON of an ``args`` column, without NULLs."""
    return json.loads
