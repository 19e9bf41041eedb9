"""Picture of docs/cohort.md: the population DVHs of two centres, of made-up patients.

    PYTHONPATH=Testing python docs/pictures/make_cohort.py

Patients are those of the tests (``Testing/cohort_tables.py``), whose dose grows with the volume of the organ.
"""

import tempfile
from pathlib import Path

from cohort_tables import fill
from intrepid_cohort.database import initialise
from intrepid_cohort.statistics.charts import save
from intrepid_cohort.statistics.population_dvh import chart_of, population_dvh

OUT = Path(__file__).parent / "cohort_population_dvh.png"
PATIENTS = 60


def main() -> None:
    """Fill a database, ask two questions, draw the answers."""
    with tempfile.TemporaryDirectory() as folder:
        engine = initialise(Path(folder) / "cohort.db")
        fill(engine, PATIENTS, 2)
        groups = {name: population_dvh(engine, ["name = organ 1", f"centre = {name}"]) for name in "AC"}
        save(chart_of(groups), OUT)
        engine.dispose()


if __name__ == "__main__":
    main()
