"""What the panel remembers."""

import pathlib
from typing import Annotated

from slicer.parameterNodeWrapper import Choice, WithinRange, parameterNodeWrapper

from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode, vtkMRMLTableNode

END_CAPS = {"as usual": None, "none": "none", "half slice": "half_slice", "rounded": "rounded"}


@parameterNodeWrapper
class DVHMetricsModuleParameterNode:
    """Saved with the scene."""

    doseVolume: vtkMRMLScalarVolumeNode
    comparedVolume: vtkMRMLScalarVolumeNode
    segmentation: vtkMRMLSegmentationNode
    skippedSegmentIDs: list[str]
    planFile: pathlib.Path
    prescriptionGy: Annotated[float, WithinRange(0, 1000)] = 0.0
    fractions: Annotated[int, WithinRange(0, 100)] = 0
    metrics: str = "D98%, D50%, D2%, DMEAN, V20Gy"
    constraintsFile: pathlib.Path
    betweenPlanes: Annotated[str, Choice(["slab", "linear", "shape"])] = "slab"
    endCaps: Annotated[str, Choice(list(END_CAPS))] = "as usual"
    modelParameters: str = ""
    csvFile: pathlib.Path
    metricsTable: vtkMRMLTableNode
