"""What people hand to a cohort database: rules, decisions on names, delivered fractions, results of verifications."""

import json
import shutil
from pathlib import Path

from intrepid_cohort.database import initialise
from intrepid_cohort.importing import import_folders
from intrepid_cohort.names.mapping import map_names
from intrepid_cohort.names.review import write_review
from intrepid_cohort.simulation.cohort import RULES

PLAN = "1.2.826.0.1.3680043.8.498.5"
KEY = "a key for tests that is long enough"
TOML = 'name = "toml"\n[include]\nprescription_gy = [40.0, 60.0]\n[boost]\nsame_images = "leave out"\n'


def make_cohort_files(corpus: Path) -> None:
    """Write the folder ``cohort``: a database with the patient of ``study``, and the files that go into it."""
    folder = corpus / "cohort"
    folder.mkdir()
    engine = initialise(folder / "cohort.db", pseudonym_key=KEY)
    import_folders(engine, [corpus / "study"], processes=1)
    map_names(engine)
    write_review(engine, folder / "review.csv")
    engine.dispose()
    _decide(folder / "review.csv")
    (folder / "rules.json").write_text(json.dumps(RULES, indent=1))
    (folder / "rules.toml").write_text(TOML)
    (folder / "names.txt").write_text("PTV 50Gy\nParotis li\nRückenmark\nLung_R\nzz helper\n", encoding="utf-8")
    (folder / "delivered.csv").write_text(
        f"patient,plan,fractions,first_day,last_day\nTEST-1,{PLAN},1,2026-01-05,2026-01-05\n".replace(
            "TEST-1", "1.2.826.0.1.3680043.8.498.0"
        )
    )
    (folder / "results.json").write_text(json.dumps(_results()))
    shutil.copy(corpus / "study" / "RTPLAN.dcm", folder / "RTPLAN.dcm")


def _results() -> dict[str, object]:
    gamma = {"dose_percent": 3.0, "distance_mm": 2.0, "pass_rate_percent": 97.0, "mean_gamma": 0.4, "max_gamma": 1.7,
             "n_points": 900, "norm_gy": 2.0, "cutoff_percent": 10.0, "region": "BODY", "reason": ""}  # fmt: skip
    return {
        "plan": {"sop_instance_uid": PLAN},
        "gamma_3d": [gamma],
        "beams": [{"number": 1, "name": "B1", "gamma_2d": [gamma]}],
        "points": [{"name": "Isocentre", "ratio": 1.01}],
        "verdict": {"status": "pass"},
        "machine_profile": {"name": "LINAC1 6 MV"},
        "dose_unit": "Gy",
        "warnings": [],
        "provenance": {"created": "2026-01-05T10:00:00+00:00", "versions": {"slicer-intrepid": "0"}},
    }


def _decide(review: Path) -> None:
    """Confirm the first line of a review, as a person does."""
    lines = review.read_text(encoding="utf-8").splitlines()
    review.write_text("\n".join([lines[0], lines[1] + "ok", *lines[2:]]) + "\n", encoding="utf-8")
