"""Open a scene bundle in a fresh process and write what it holds: arrays to ``DUMP.npz``, all else to ``DUMP.json``.

Usage: python dump_scene.py SCENE.mrb DUMP
"""

import json
import sys
from pathlib import Path

import numpy as np


def main(bundle: str, dump: str) -> None:
    from SlicerInTrEPIDLib.headless import headless_scene

    with headless_scene() as scene:
        assert scene.ReadFromMRB(bundle, True)
        arrays, facts = {}, {"items": items(scene.GetSubjectHierarchyNode())}
        facts["volumes"] = {n.GetName(): volume(n, arrays) for n in nodes(scene, "vtkMRMLScalarVolumeNode")}
        facts["segments"] = segments(next(nodes(scene, "vtkMRMLSegmentationNode"), None))
        facts["tables"] = {n.GetName(): table(n) for n in nodes(scene, "vtkMRMLTableNode")}
        facts["models"] = {n.GetName(): n.GetPolyData().GetBounds() for n in nodes(scene, "vtkMRMLModelNode")}
        facts["texts"] = {n.GetName(): n.GetText() for n in nodes(scene, "vtkMRMLTextNode")}
        facts["chart"] = chart(next(nodes(scene, "vtkMRMLPlotChartNode"), None))
        facts["slices"] = {n.GetName(): slice_view(n) for n in nodes(scene, "vtkMRMLSliceNode")}
    np.savez(dump + ".npz", **arrays)
    Path(dump + ".json").write_text(json.dumps(facts), encoding="utf-8")


def nodes(scene, class_name):
    return (n for i in range(scene.GetNumberOfNodes()) if (n := scene.GetNthNode(i)).GetClassName() == class_name)


def volume(node, arrays):
    from SlicerInTrEPIDLib.volumes import read_volume

    arrays[node.GetName()], arrays[node.GetName() + "/index_to_lps"] = read_volume(node)
    display, colours = node.GetDisplayNode(), node.GetDisplayNode().GetColorNode()
    references = {role: node.GetNodeReference(role) for role in ("referenceDoseVolumeRef", "compareDoseVolumeRef")}
    return {
        "attributes": attributes(node),
        "colours": colours.GetName() if colours else "",
        "window": [display.GetWindowLevelMin(), display.GetWindowLevelMax()],
        "references": {role: n.GetName() for role, n in references.items() if n},
    }


def attributes(node):
    return {name: node.GetAttribute(name) for name in node.GetAttributeNames()}


def segments(node):
    import vtk

    found = {}
    for index in range(node.GetSegmentation().GetNumberOfSegments() if node else 0):
        segment, tag = node.GetSegmentation().GetNthSegment(index), vtk.mutable("")
        segment.GetTag("DicomRtImport.RoiNumber", tag)
        mass = vtk.vtkMassProperties()
        mass.SetInputData(segment.GetRepresentation("Closed surface"))
        found[segment.GetName()] = {
            "roi": str(tag),
            "colour": segment.GetColor(),
            "volume_cc": mass.GetVolume() / 1000.0,
            "bounds": segment.GetRepresentation("Closed surface").GetBounds(),
        }
    return found


def table(node):
    data = node.GetTable()
    columns = {
        data.GetColumnName(c): [data.GetValue(r, c).ToString() for r in range(data.GetNumberOfRows())]
        for c in range(data.GetNumberOfColumns())
    }
    roles = ("doseVolumeRef", "segmentationRef", "dvhMetricsTableRef")
    references = {role: node.GetNodeReference(role).GetName() for role in roles if node.GetNodeReference(role)}
    return {"columns": columns, "attributes": attributes(node), "references": references}


def chart(node):
    series = [node.GetNthPlotSeriesNode(i) for i in range(node.GetNumberOfPlotSeriesNodes())] if node else []
    return [[s.GetName(), s.GetTableNode().GetName(), s.GetLineStyleAsString(s.GetLineStyle())] for s in series]


def slice_view(node):
    return [node.GetOrientation(), [node.GetSliceToRAS().GetElement(i, 3) for i in range(3)]]


def items(tree):
    import vtk

    ids, found = vtk.vtkIdList(), {}
    tree.GetItemChildren(tree.GetSceneItemID(), ids, True)
    for item in (ids.GetId(i) for i in range(ids.GetNumberOfIds())):
        found[tree.GetItemName(item)] = {
            "parent": tree.GetItemName(tree.GetItemParent(item)),
            "uid": tree.GetItemUID(item, "DICOM"),
            "instance_uid": tree.GetItemUID(item, "DICOMInstanceUID"),
            **{name: tree.GetItemAttribute(item, name) for name in tree.GetItemAttributeNames(item)},
        }
    return found


if __name__ == "__main__":
    main(*sys.argv[1:])
