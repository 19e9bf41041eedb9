"""What curation must conclude of a synthetic patient: status, factors, sums, on paper."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from intrepid_cohort.simulation.objects import ImageSet, PlanSpec, SetSpec

# The rules under which the truth holds; `intrepid simulate cohort` writes them beside it.
RULES: dict[str, Any] = {
    "name": "breast",
    "description": "Whole-breast irradiation of synthetic patients",
    "include": {"prescription_gy": [38.0, 70.0]},
    "laterality": {"method": "geometry"},
    "augmented": [{"source": "auto", "label": "AutoSeg*"}],
}


@dataclass
class Expected:
    """What a scenario means: plans that count with their factors, or why there is no treatment."""

    parts: list[tuple[ImageSet, PlanSpec, float]] = field(default_factory=list)
    outside_gy: float = 0.0
    augmented: SetSpec | None = None
    excluded: str = ""
    review: str = ""

    def add(self, image_set: ImageSet, spec: PlanSpec, factor: float) -> None:
        """Let a plan count with a factor; the first is the main one."""
        self.parts.append((image_set, spec, factor))


def treatment_truth(expected: Expected, laterality: str) -> dict[str, Any]:
    """Return the treatment as ``truth.json`` holds it."""
    if expected.excluded or expected.review:
        status, step = ("excluded", expected.excluded) if expected.excluded else ("review", expected.review)
        return {"status": status, "step": step}
    images, main, _ = expected.parts[0]
    inside_gy = sum(spec.dose_gy * factor for _, spec, factor in expected.parts)
    outside = (main.dose_gy + expected.outside_gy) / main.dose_gy
    sets = [(images.uid("structures"), SetSpec())]
    if expected.augmented is not None:
        sets.append((images.uid("structures", expected.augmented.key), expected.augmented))
    return {
        "status": "included",
        "main_plan_uid": images.uid("plan", main.key),
        "factors": {images.uid("plan", spec.key): factor for images, spec, factor in expected.parts},
        "outside_factor": outside,
        "prescription_gy": inside_gy + expected.outside_gy,
        "laterality": laterality,
        "structure_sets": [
            {"sop_instance_uid": uid, "structures": _doses(expected, images, spec, outside)} for uid, spec in sets
        ],
    }


def _doses(expected: Expected, images: ImageSet, drawn: SetSpec, outside: float) -> list[dict[str, Any]]:
    """Mean dose of each structure: a sum of linear doses is linear, so its mean is the dose at the centroid."""
    found = []
    for number, organ in enumerate(drawn.organs(images.person), 1):
        centroid_mm = organ.centroid_mm(images.origin)
        corners_mm = organ.corners_mm(images.origin)
        sums = [outside * factor * spec.dose_at(images, centroid_mm) for _, spec, factor in expected.parts]
        corners = np.sum([outside * f * spec.dose_at(images, corners_mm) for _, spec, f in expected.parts], axis=0)
        found.append({"roi_number": number, "mean_gy": float(sum(sums)), "min_gy": float(corners.min()),
                      "max_gy": float(corners.max())})  # fmt: skip
    return found
