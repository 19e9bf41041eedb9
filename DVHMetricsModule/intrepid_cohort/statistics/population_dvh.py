"""The DVHs of many patients as one: mean, median and percentiles of volume at each dose."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from intrepid_cohort.conditions import clause_of
from intrepid_cohort.database import translating_errors
from intrepid_cohort.joins import ORDER, PRESCRIPTION_GY, joined
from intrepid_cohort.packing import stored_dvh
from intrepid_cohort.query import leaf
from intrepid_cohort.schema import DoseVolumeHistogram, Patient, Structure
from intrepid_cohort.statistics.charts import Chart, Series
from intrepid_dvh.curve import DVH
from intrepid_rt.errors import MissingObject

PERCENTILES = (0, 5, 25, 50, 75, 95, 100)
_POINTS = 501


@dataclass(frozen=True, eq=False)
class PopulationDVH:
    """Volume at each dose over ``count`` DVHs.

    Parameters
    ----------
    dose : (m,) in Gy, or percent of each prescription.
    mean : (m,) volume in percent, or cm3.
    percentiles : {percent: (m,)}; 0 is the smallest, 100 the largest volume at that dose.
    """

    dose: NDArray
    mean: NDArray
    percentiles: dict[int, NDArray]
    count: int
    relative_dose: bool
    relative_volume: bool
    notes: tuple[str, ...] = ()


def population_dvh(
    engine: Engine, conditions: Sequence[str], *, relative_dose: bool = False, relative_volume: bool = True
) -> PopulationDVH:
    """Return the population DVH of all structures that meet the conditions; one without a DVH is left out and told.

    Every DVH counts alike: patients with several doses or structures count more than once, and ``notes`` say so.
    Each curve is read at common doses, linear between its bins; a curve that has ended has no volume.

    Raises
    ------
    MissingObject
        None of them has a DVH, or relative dose is asked for and no prescription is known.
    """
    curves, lacking, patients = [], 0, set()
    for patient, curve in _curves(engine, conditions):
        if curve is None or (relative_dose and not curve.prescription_gy):
            lacking += 1
        else:
            curves.append(curve)
            patients.add(patient)
    if not curves:
        raise MissingObject("No structure that meets the conditions has such a DVH. Loosen the conditions.")
    doses = [curve.dose_percent if relative_dose else curve.dose_gy for curve in curves]
    volumes = [curve.volume_percent if relative_volume else curve.volume_cc for curve in curves]
    grid = np.linspace(0.0, max(float(dose[-1]) for dose in doses), _POINTS)
    table = np.stack([np.interp(grid, d, v, right=0.0) for d, v in zip(doses, volumes, strict=True)])
    percentiles = dict(zip(PERCENTILES, np.percentile(table, PERCENTILES, axis=0), strict=True))
    notes = tuple(_notes(len(curves), len(patients), lacking))
    return PopulationDVH(grid, table.mean(axis=0), percentiles, len(curves), relative_dose, relative_volume, notes)


def _notes(count: int, patients: int, lacking: int) -> Iterator[str]:
    if lacking:
        yield f"{lacking} structures without such a DVH are left out."
    if patients < count:
        yield (
            f"{count} DVHs come from {patients} patients: who has several doses or structures among them counts more "
            "than once. Choose one structure of one dose per patient."
        )


def _curves(engine: Engine, conditions: Sequence[str]) -> Iterator[tuple[str, DVH | None]]:
    """Yield pseudonym and DVH, None where there is none."""
    clauses = [clause_of(text, partial(leaf, model_arguments={})) for text in conditions]
    columns = (Patient.pseudonym, DoseVolumeHistogram, Structure.roi_name, PRESCRIPTION_GY)
    query = joined(*columns).where(*clauses).order_by(*ORDER)
    with translating_errors(engine), Session(engine) as session:
        for patient, row, name, prescription_gy in session.execute(query.execution_options(yield_per=200)):
            known = row.cumulative_volume_cc is not None
            yield patient, stored_dvh(row, structure=name, prescription_gy=prescription_gy) if known else None


def chart_of(groups: dict[str, PopulationDVH], title: str = "Population DVH") -> Chart:
    """Draw medians with bands of the middle half and of nine in ten."""
    series: list[Series] = []
    for number, (name, found) in enumerate(groups.items()):
        dose, p = found.dose.tolist(), {k: v.tolist() for k, v in found.percentiles.items()}
        label = f"{name} " if name else ""
        series += [
            Series("band", dose, p[5], f"{label}5 to 95 %", p[95], number),
            Series("band", dose, p[25], f"{label}25 to 75 %", p[75], number, strong=True),
            Series("line", dose, p[50], f"{label}median of {found.count}", colour=number),
            Series("line", dose, found.mean.tolist(), f"{label}mean", colour=number, dashed=True),
        ]
    first = next(iter(groups.values()))
    notes = tuple(dict.fromkeys(note for found in groups.values() for note in found.notes))
    return Chart(
        title,
        "Dose (% of prescription)" if first.relative_dose else "Dose (Gy)",
        "Volume (%)" if first.relative_volume else "Volume (cm3)",
        tuple(series),
        notes=notes,
    )
