"""What the panel remembers."""

from typing import Annotated

from slicer.parameterNodeWrapper import Choice, WithinRange, parameterNodeWrapper

from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode


@parameterNodeWrapper
class GammaModuleParameterNode:
    """Saved with the scene; starts with the criteria of AAPM TG-218."""

    referenceVolume: vtkMRMLScalarVolumeNode
    evaluatedVolume: vtkMRMLScalarVolumeNode
    segmentation: vtkMRMLSegmentationNode
    segmentID: str = ""
    gammaVolume: vtkMRMLScalarVolumeNode
    dosePercent: Annotated[float, WithinRange(0.1, 100)] = 3.0
    distanceMm: Annotated[float, WithinRange(0.1, 50)] = 2.0
    cutoffPercent: Annotated[float, WithinRange(0, 100)] = 10.0
    norm: Annotated[str, Choice(["maximum of the reference", "given dose"])] = "maximum of the reference"
    normGy: Annotated[float, WithinRange(0.01, 1000)] = 2.0
    cutoffOn: Annotated[str, Choice(["reference", "evaluated", "either"])] = "reference"
    local: bool = False
    voxelCentresOnly: bool = False
    useCap: bool = False
    maxGamma: Annotated[float, WithinRange(0.1, 1000)] = 2.0
    tolerancePercent: Annotated[float, WithinRange(0, 100)] = 95.0
    actionPercent: Annotated[float, WithinRange(0, 100)] = 90.0
