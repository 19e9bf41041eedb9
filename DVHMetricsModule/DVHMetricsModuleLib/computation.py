"""From dose volume and segmentation nodes to DVHs, metrics, constraints and their nodes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from DVHMetricsModuleLib.outputs import (
    CHART,
    CONSTRAINTS,
    RESULTS,
    add_mark,
    add_to_chart,
    fill_constraints,
    fill_results,
)
from DVHMetricsModuleLib.segments import samples_of_segment
from intrepid_dvh.compute import dvh_of_samples
from intrepid_dvh.constraint_grammar import parse_constraint
from intrepid_dvh.constraints import Constraint, ConstraintResult, check_constraints, unmatched
from intrepid_dvh.curve import DVH
from intrepid_dvh.metric_grammar import DIMENSIONLESS
from intrepid_dvh.metrics import evaluate
from intrepid_dvh.slabs import EndCaps
from intrepid_dvh.structure_samples import BetweenPlanes, StructureSamples
from intrepid_dvh.units import GY_PER_UNIT
from intrepid_rt.errors import InvalidSetting, MissingObject, UnsupportedGeometry, UnusableInput
from intrepid_rt.grids import DoseGrid
from SlicerInTrEPIDLib.dose_nodes import dose_unit, grid_of
from SlicerInTrEPIDLib.hierarchy import place_beside
from SlicerInTrEPIDLib.tables import DvhTables
from SlicerInTrEPIDLib.volumes import LPS_TO_RAS


@dataclass(frozen=True)
class Settings:
    """What is computed, and how contours are understood."""

    metrics: tuple[str, ...] = ("D98%", "D50%", "D2%", "DMEAN")
    constraints: tuple[Constraint, ...] = ()
    prescription_gy: float | None = None
    fractions: int | None = None
    end_caps: EndCaps | None = None
    between_planes: BetweenPlanes = "slab"
    model_arguments: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Row:
    """One structure in one dose; ``centre_ras_mm`` is where its volume lies."""

    segment_id: str
    dose: Any
    dvh: DVH
    centre_ras_mm: tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Outcome:
    """Nodes and numbers of one computation; ``left_out`` says which segments have no DVH, and why."""

    rows: tuple[Row, ...]
    constraints: tuple[tuple[Row, ConstraintResult], ...]
    metrics: Any
    results: Any
    constraint_table: Any
    chart: Any
    left_out: tuple[str, ...]


def reasons_against(scene: Any, dose: Any, segmentation: Any, compared: Any = None) -> list[str]:
    """Return every reason, as a sentence with the way out, why no DVH can be computed; none if one can."""
    reasons = []
    if dose is None:
        reasons.append("Choose the dose.")
    if segmentation is None:
        reasons.append("Choose the segmentation.")
    elif not segmentation.GetSegmentation().GetNumberOfSegments():
        reasons.append("The segmentation has no segment. Choose another one.")
    if compared is not None and compared is dose:
        reasons.append("Both doses are the same volume. Choose two different ones, or only one.")
    for node in (dose, compared):
        if node is not None:
            reasons += _reasons_against_dose(scene, node)
    return reasons


def _reasons_against_dose(scene: Any, node: Any) -> list[str]:
    unit = dose_unit(scene, node)
    if unit not in ("", "GY"):
        return [f"{node.GetName()} is in {unit}, not in Gy. Choose a dose in Gy."]
    try:
        grid_of(node)
    except UnusableInput as reason:
        return [str(reason)]
    return []


def compute(
    scene: Any,
    dose: Any,
    segmentation: Any,
    settings: Settings,
    *,
    segment_ids: Sequence[str] = (),
    compared: Any = None,
    progress: Callable[[float, str], None] | None = None,
) -> Outcome:
    """Compute the DVHs of segments in one dose, or in two side by side, and put them into the scene.

    Parameters
    ----------
    scene : vtkMRMLScene
    dose : vtkMRMLScalarVolumeNode, in Gy.
    segmentation : vtkMRMLSegmentationNode
    segment_ids : which segments; empty means all.
    compared : a second dose (the plan's), drawn dashed.
    progress : called with the fraction done and what is under way; an exception that it raises ends the computation
        and leaves the scene as it was.

    Raises
    ------
    InvalidSetting
        The nodes cannot be used, for the reasons of `reasons_against`, or no segment has a DVH.
    """
    reasons = reasons_against(scene, dose, segmentation, compared)
    if reasons:
        raise InvalidSetting(" ".join(reasons))
    doses = [node for node in (dose, compared) if node is not None]
    grids = [_dose_grid(node) for node in doses]
    ids = list(segment_ids) or list(segmentation.GetSegmentation().GetSegmentIDs())
    rows: list[Row] = []
    left_out: list[str] = []
    for n, segment_id in enumerate(ids):
        if progress:
            progress(n / len(ids), segmentation.GetSegmentation().GetSegment(segment_id).GetName())
        try:
            samples = samples_of_segment(
                segmentation, segment_id, end_caps=settings.end_caps, between_planes=settings.between_planes
            )
            rows += [_row(segment_id, node, grid, samples, settings) for node, grid in zip(doses, grids, strict=True)]
        except (MissingObject, UnsupportedGeometry) as reason:
            left_out.append(str(reason))
    if not rows:
        raise InvalidSetting("No segment has a DVH. " + " ".join(left_out))
    return _published(scene, segmentation, rows, settings, left_out, compared)


def _dose_grid(node: Any) -> DoseGrid:
    grid = grid_of(node)
    return DoseGrid(grid.values, grid.index_to_lps)


def _row(segment_id: str, node: Any, grid: DoseGrid, samples: StructureSamples, settings: Settings) -> Row:
    dvh = dvh_of_samples(
        grid, samples, prescription_gy=settings.prescription_gy, fractions=settings.fractions, plan=node.GetName()
    )
    centre = np.average(samples.positions_lps_mm, axis=0, weights=samples.volume_cc) * np.diag(LPS_TO_RAS)[:3]
    return Row(segment_id, node, dvh, (float(centre[0]), float(centre[1]), float(centre[2])))


def _published(
    scene: Any, segmentation: Any, rows: list[Row], settings: Settings, left_out: list[str], compared: Any
) -> Outcome:
    tables = DvhTables(scene, segmentation, dose_unit="GY")
    for row in rows:
        colour = segmentation.GetSegmentation().GetSegment(row.segment_id).GetColor()
        add_to_chart(tables, row.dvh, row.segment_id, colour, row.dose, dashed=row.dose is compared)
    tables.finish()
    metrics, chart = tables.metrics, tables.chart
    metrics.SetNodeReferenceID(CHART, chart.GetID())
    add_mark(scene, chart)
    results = _companion(scene, metrics, RESULTS, "DVH results")
    fill_results(results, [(row.dose.GetName(), row.dvh, _evaluated(row.dvh, settings)) for row in rows])
    checked, lost = _checked(rows, settings)
    table = _companion(scene, metrics, CONSTRAINTS, "DVH constraints")
    fill_constraints(table, [(row.dose.GetName(), result) for row, result in checked])
    for node in (metrics, chart, results, table, *tables.tables):
        place_beside(scene, node, rows[0].dose)
    return Outcome(tuple(rows), tuple(checked), metrics, results, table, chart, tuple(left_out + lost))


def _companion(scene: Any, metrics: Any, role: str, name: str) -> Any:
    node = scene.AddNewNodeByClass("vtkMRMLTableNode", name)
    metrics.SetNodeReferenceID(role, node.GetID())
    return node


def _evaluated(dvh: DVH, settings: Settings) -> dict[str, Any]:
    return {text: evaluate(dvh, text, **settings.model_arguments) for text in settings.metrics}


def _checked(rows: list[Row], settings: Settings) -> tuple[list[tuple[Row, ConstraintResult]], list[str]]:
    """Check each row by itself, so that a result knows its dose; say which constraints matched no structure.

    The results of one constraint on a structure in both doses follow each other.
    """
    by_dose = [(row, check_constraints([row.dvh], settings.constraints, **settings.model_arguments)) for row in rows]
    place = {segment_id: n for n, segment_id in enumerate(dict.fromkeys(row.segment_id for row in rows))}
    numbered = [(place[row.segment_id], n, row, result) for row, found in by_dose for n, result in enumerate(found)]
    checked = [(row, result) for _, _, row, result in sorted(numbered, key=lambda entry: entry[:2])]
    lost = unmatched([row.dvh for row in rows], settings.constraints)
    return checked, [f"{c.text} is for {c.structure}, which no segment is called." for c in lost]


def constraint_dose_gy(row: Row, result: ConstraintResult) -> float | None:
    """Return the dose in Gy of which a constraint speaks; None if it speaks of none."""
    parsed = parse_constraint(result.constraint)
    dose, unit = parsed.dose
    if parsed.problem or parsed.missing or parsed.metric.quantity in DIMENSIONLESS:
        return None
    if unit == "%":
        return dose * row.dvh.prescription_gy / 100 if row.dvh.prescription_gy else None
    return dose * GY_PER_UNIT[unit] if unit else None


def constraint_point(row: Row, result: ConstraintResult) -> tuple[float, float] | None:
    """Return the dose in Gy and the volume in percent at which a constraint stands in the chart; None if nowhere."""
    parsed = parse_constraint(result.constraint)
    dose = constraint_dose_gy(row, result)
    if dose is None or not parsed.inverse:
        return None  # a mean or an index stands at no point of the curve
    volume, volume_unit = parsed.volume
    if volume_unit != "%":
        volume *= 100 / (row.dvh.structure_volume_cc or 1.0)
    return dose, 100 - volume if parsed.metric.letter in ("DC", "CV") else volume
