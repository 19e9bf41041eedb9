"""A layout that shows CT with dose, the imager and gamma together."""

import re
from typing import Any

from SlicerInTrEPIDLib.volumes import read_volume

LAYOUT_ID = 7417  # any number that no layout of Slicer has
IMAGER, GAMMA = "InTrEPIDImager", "InTrEPIDGamma"
UNCERTAINTY = "Dose uncertainty (95 percent)"

_SLICE = """<item><view class="vtkMRMLSliceNode" singletontag="{tag}">
<property name="orientation" action="default">{orientation}</property>
<property name="viewlabel" action="default">{label}</property>
<property name="viewcolor" action="default">{colour}</property></view></item>"""

LAYOUT_XML = f"""<layout type="vertical" split="true">
<item><layout type="horizontal">
{_SLICE.format(tag="Red", orientation="Axial", label="R", colour="#F34A33")}
{_SLICE.format(tag="Green", orientation="Coronal", label="G", colour="#6EB04B")}
{_SLICE.format(tag=IMAGER, orientation="Axial", label="E", colour="#4A7BC8")}
</layout></item>
<item><layout type="horizontal">
{_SLICE.format(tag=GAMMA, orientation="Axial", label="γ", colour="#8A5AB8")}
<item><view class="vtkMRMLViewNode" singletontag="1">
<property name="viewlabel" action="default">1</property></view></item>
<item><view class="vtkMRMLPlotViewNode" singletontag="PlotViewInTrEPID">
<property name="viewlabel" action="default">P</property></view></item>
</layout></item>
</layout>"""


def show_layout(layout_node: Any) -> None:
    """Switch a ``vtkMRMLLayoutNode`` to this layout."""
    if not layout_node.IsLayoutDescription(LAYOUT_ID):
        layout_node.AddLayoutDescription(LAYOUT_ID, LAYOUT_XML)
    layout_node.SetViewArrangement(LAYOUT_ID)


def overlay_names(scene: Any) -> list[str]:
    """Return what the view beside the dose can show over the CT: 3D gamma by criteria, and the dose's 95 % band."""
    names = [node.GetName() for node in _volumes(scene)]
    gammas = [name for name in names if re.match(r"Gamma [\d.]+ percent ", name)]
    return [*gammas, *(name for name in names if name == UNCERTAINTY)]


def fill_views(scene: Any, beam: str, overlay: str = "") -> None:
    """Show CT with dose, an overlay, and image and radiograph of a beam in their views; what is absent stays out.

    Parameters
    ----------
    beam : str
        Name of the beam whose image is shown.
    overlay : str
        One of `overlay_names`; the first of them if empty.
    """
    ct, dose = _volume(scene, "CT"), _volume(scene, "Dose reconstructed")
    for name in ("Red", "Green"):
        _show(scene, name, ct, dose, 0.4)
    overlay = overlay or next(iter(overlay_names(scene)), "")
    _show(scene, GAMMA, ct, _volume(scene, overlay), 0.7)
    imager = _show(scene, IMAGER, _volume(scene, f"EPID {beam}"), _volume(scene, f"DRR {beam}"), 0.4)
    planar = _volume(scene, f"EPID {beam}")
    if imager is not None and planar is not None:
        face(imager, planar)
    gamma_view = slice_node(scene, GAMMA)
    red = slice_node(scene, "Red")
    if gamma_view is not None and red is not None:
        gamma_view.GetSliceToRAS().DeepCopy(red.GetSliceToRAS())
        gamma_view.UpdateMatrices()


def face(view: Any, planar: Any) -> None:
    """Turn a slice view into the plane of a one-slice volume, its rows from left to right, seen from the source."""
    values, index_to_lps = read_volume(planar)
    middle = [(n - 1) / 2 for n in values.shape[::-1]]
    x, y, z = (index_to_lps @ [*middle, 1.0])[:3]
    across, down, _ = (index_to_lps[:3, :3] / [[*_lengths(index_to_lps)]]).T
    # NTP: normal, transverse (to the right), position; all RAS. Rows run down, the view's vertical axis up.
    right, up = (-across[0], -across[1], across[2]), (down[0], down[1], -down[2])
    normal = (
        right[1] * up[2] - right[2] * up[1],
        right[2] * up[0] - right[0] * up[2],
        right[0] * up[1] - right[1] * up[0],
    )
    view.SetSliceToRASByNTP(*normal, *right, -x, -y, z, 0)


def _lengths(matrix: Any) -> list[float]:
    return [float((matrix[:3, axis] ** 2).sum() ** 0.5) for axis in range(3)]


def _show(scene: Any, view: str, background: Any, foreground: Any, opacity: float) -> Any:
    composite = _by_layout_name(scene, "vtkMRMLSliceCompositeNode", view)
    if composite is not None:
        composite.SetBackgroundVolumeID(background.GetID() if background else None)
        composite.SetForegroundVolumeID(foreground.GetID() if foreground else None)
        composite.SetForegroundOpacity(opacity)
    return slice_node(scene, view)


def slice_node(scene: Any, view: str) -> Any:
    """Return the slice node of a view, None if it has never been shown."""
    return _by_layout_name(scene, "vtkMRMLSliceNode", view)


def _by_layout_name(scene: Any, class_name: str, name: str) -> Any:
    nodes = scene.GetNodesByClass(class_name)
    nodes.UnRegister(None)
    found = [nodes.GetItemAsObject(number) for number in range(nodes.GetNumberOfItems())]
    return next((node for node in found if node.GetLayoutName() == name), None)


def _volumes(scene: Any) -> list[Any]:
    nodes = scene.GetNodesByClass("vtkMRMLScalarVolumeNode")
    nodes.UnRegister(None)
    return [nodes.GetItemAsObject(number) for number in range(nodes.GetNumberOfItems())]


def _volume(scene: Any, name: str) -> Any:
    return next((node for node in _volumes(scene) if node.GetName() == name), None)
