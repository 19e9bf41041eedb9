"""Joins what a loaded result brings with what the scene already has of the same study."""

from typing import Any

from SlicerInTrEPIDLib.hierarchy import RT, UID


def adopt(scene: Any) -> int:
    """Move nodes of studies and patients that are in the subject hierarchy twice under the first one of each UID.

    A loaded result has its own patient and study; where SlicerRT loaded the same ones, doses belong under these, or its
    modules would not see them together. Units that are there stay; a unit is added where none is.

    Returns
    -------
    int : number of items that were moved.
    """
    tree = scene.GetSubjectHierarchyNode()
    if tree is None:
        return 0
    return _joined(tree, "Study") + _joined(tree, "Patient")


def _joined(tree: Any, level: str) -> int:
    moved, first = 0, {}
    for item in _items(tree, level):
        uid = tree.GetItemUID(item, UID)
        kept = first.setdefault(uid, item) if uid else item
        if kept == item or _units_differ(tree, kept, item):
            continue
        for child in _children(tree, item):
            tree.SetItemParent(child, kept)
            moved += 1
        for name in (RT + "DoseUnitName", RT + "DoseUnitValue"):
            if tree.GetItemAttribute(item, name) and not tree.GetItemAttribute(kept, name):
                tree.SetItemAttribute(kept, name, tree.GetItemAttribute(item, name))
        tree.RemoveItem(item, False, False)
    return moved


def _units_differ(tree: Any, one: int, other: int) -> bool:
    """Doses in Gy and relative ones must not share a study, whose unit is that of all its doses."""
    units = {(tree.GetItemAttribute(item, RT + "DoseUnitName") or "").upper() for item in (one, other)} - {""}
    return len(units) > 1


def _items(tree: Any, level: str) -> list[int]:
    import vtk

    found = vtk.vtkIdList()
    tree.GetItemChildren(tree.GetSceneItemID(), found, True)
    ids = [found.GetId(number) for number in range(found.GetNumberOfIds())]
    return [item for item in ids if tree.GetItemLevel(item) == level]


def _children(tree: Any, item: int) -> list[int]:
    import vtk

    found = vtk.vtkIdList()
    tree.GetItemChildren(item, found, False)
    return [found.GetId(number) for number in range(found.GetNumberOfIds())]
