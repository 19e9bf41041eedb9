"""Compares planned and reconstructed dose in the scene by the Gamma and the DVH module of this extension."""

import importlib.util
from dataclasses import dataclass
from typing import Any

from intrepid_rt.errors import MissingObject
from SlicerInTrEPIDLib.layout import _volume

PLANNED, RECONSTRUCTED = "Dose planned", "Dose reconstructed"


@dataclass(frozen=True, eq=False)
class SceneComparison:
    """What the two modules made; None where a module or its input is missing, which ``notes`` tell."""

    gamma: Any
    dvh: Any
    notes: tuple[str, ...]


def compare_doses(scene: Any, criteria: tuple[float, float] = (3.0, 2.0)) -> SceneComparison:
    """Compare the doses of a loaded result.

    Raises
    ------
    MissingObject
        The scene holds no reconstructed dose.
    """
    planned, reconstructed = _volume(scene, PLANNED), _volume(scene, RECONSTRUCTED)
    if reconstructed is None:
        raise MissingObject("The scene holds no reconstructed dose. Load a result first.")
    if planned is None:
        return SceneComparison(None, None, ("The result has no planned dose to compare with.",))
    notes = []
    gamma = dvh = None
    if importlib.util.find_spec("GammaModuleLib") is None:
        notes.append("The Gamma module is not installed: no gamma.")
    else:
        gamma = _gamma(scene, planned, reconstructed, criteria)
    segmentation = scene.GetFirstNodeByClass("vtkMRMLSegmentationNode")
    if importlib.util.find_spec("DVHMetricsModuleLib") is None or segmentation is None:
        notes.append("The DVH module or the structures are missing: no histograms.")
    else:
        dvh = _dvh(scene, planned, reconstructed, segmentation)
        notes += dvh.left_out
    return SceneComparison(gamma, dvh, tuple(notes))


def _gamma(scene: Any, planned: Any, reconstructed: Any, criteria: tuple[float, float]) -> Any:
    from GammaModuleLib.comparison import compare
    from intrepid_gamma import GammaSettings

    return compare(scene, planned, reconstructed, GammaSettings(*criteria))


def _dvh(scene: Any, planned: Any, reconstructed: Any, segmentation: Any) -> Any:
    from DVHMetricsModuleLib.computation import Settings, compute

    return compute(scene, reconstructed, segmentation, Settings(), compared=planned)


def told(comparison: SceneComparison) -> str:
    """Say what was compared, in lines."""
    lines = []
    if comparison.gamma is not None:
        result = comparison.gamma.result
        rate = result.pass_rate_percent
        lines.append(f"Gamma {result.dose_percent:g} % / {result.distance_mm:g} mm: {rate:.1f} % of {result.n_points}.")
    if comparison.dvh is not None:
        lines.append(f"{len(comparison.dvh.rows)} dose-volume histograms.")
    return "\n".join([*lines, *comparison.notes])
