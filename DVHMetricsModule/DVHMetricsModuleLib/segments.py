"""Segments as positions with volumes: contours where there are any, else the surface, else voxels."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import vtk
from numpy.typing import NDArray
from vtk.util.numpy_support import vtk_to_numpy

import slicer
from intrepid_dvh.mask_samples import samples_of_mask
from intrepid_dvh.slabs import EndCaps
from intrepid_dvh.structure_samples import BetweenPlanes, StructureSamples
from intrepid_rt.errors import InvalidSetting, MissingObject
from intrepid_rt.grids import Grid
from intrepid_rt.structures import Structure
from SlicerInTrEPIDLib.volumes import LPS_TO_RAS

PLANAR_CONTOUR, CLOSED_SURFACE, FRACTIONAL = "Planar contour", "Closed surface", "Fractional labelmap"
# SlicerRT stores fractions as signed bytes in this range.
_FRACTIONAL_RANGE = (-108.0, 108.0)
# A closed surface is cut this finely, and into at least as many slices as a small structure needs.
_CUT_MM, _FEWEST_CUTS, _MOST_CUTS = 1.0, 16, 400


def samples_of_segment(
    segmentation: Any, segment_id: str, *, end_caps: EndCaps | None = None, between_planes: BetweenPlanes = "slab"
) -> StructureSamples:
    """Fill one segment with samples.

    The segment is taken as it was drawn: planar contours (SlicerRT's import) as such, with the given end caps; a closed
    surface by fine slices that fill it from end to end; a label map voxel by voxel.

    Raises
    ------
    InvalidSetting
        The segment is not there, or the segmentation stands under a transform.
    MissingObject
        The segment is empty.
    """
    if segmentation.GetParentTransformNode() is not None:
        raise InvalidSetting(f"{segmentation.GetName()} stands under a transform. Harden it (Data module) first.")
    segment = segmentation.GetSegmentation().GetSegment(segment_id)
    if segment is None:
        raise InvalidSetting(f"{segmentation.GetName()} has no segment {segment_id}. Choose the segments again.")
    name, source = segment.GetName(), segmentation.GetSegmentation().GetSourceRepresentationName()
    contours = segment.GetRepresentation(PLANAR_CONTOUR)
    if contours is not None:
        structure = Structure(name, 0, tuple(_polylines(contours)))
        return StructureSamples.of(structure, end_caps=end_caps, between_planes=between_planes)
    if source == CLOSED_SURFACE and segment.GetRepresentation(CLOSED_SURFACE) is not None:
        return _samples_of_surface(name, segment.GetRepresentation(CLOSED_SURFACE))
    if segment.GetRepresentation(FRACTIONAL) is not None:
        return samples_of_mask(name, _fractions(segment.GetRepresentation(FRACTIONAL)))
    return samples_of_mask(name, _binary(segmentation, segment_id, name))


def _samples_of_surface(name: str, surface: Any) -> StructureSamples:
    bounds = surface.GetBounds()
    low, high = bounds[4], bounds[5]
    if not surface.GetNumberOfPoints() or high <= low:
        raise MissingObject(f"{name} is empty, so it has no volume and no DVH.")
    n = int(np.clip(math.ceil((high - low) / _CUT_MM), _FEWEST_CUTS, _MOST_CUTS))
    step = (high - low) / n
    contours = _slices(surface, low + step * (np.arange(n) + 0.5))
    structure = Structure(name, 0, tuple(contours))
    # Slices in the middle of equal layers: half a slice beyond the outermost ones ends at the surface's own ends.
    return StructureSamples.of(structure, end_caps="half_slice", slice_spacing_mm=step)


def _slices(surface: Any, heights_mm: NDArray) -> list[NDArray]:
    plane = vtk.vtkPlane()
    plane.SetNormal(0, 0, 1)
    cutter = vtk.vtkCutter()
    cutter.SetInputData(surface)
    cutter.SetCutFunction(plane)
    for n, height in enumerate(heights_mm):
        cutter.SetValue(n, float(height))
    merged = vtk.vtkCleanPolyData()  # a cut repeats the points that neighbouring faces share
    merged.SetInputConnection(cutter.GetOutputPort())
    joined = vtk.vtkStripper()
    joined.JoinContiguousSegmentsOn()
    joined.SetMaximumLength(1_000_000)
    joined.SetInputConnection(merged.GetOutputPort())
    joined.Update()
    return _polylines(joined.GetOutput())


def _polylines(poly_data: Any) -> list[NDArray]:
    """Return the closed lines (n, 3) of RAS poly data as LPS, the first point not repeated."""
    if poly_data.GetPoints() is None:
        return []
    points = vtk_to_numpy(poly_data.GetPoints().GetData()).astype(float) * np.diag(LPS_TO_RAS)[:3]
    lines = poly_data.GetLines()
    offsets = vtk_to_numpy(lines.GetOffsetsArray())
    connectivity = vtk_to_numpy(lines.GetConnectivityArray())
    found = [points[connectivity[a:b]] for a, b in pairwise(offsets)]
    closed = (line[:-1] if len(line) > 1 and np.allclose(line[0], line[-1], atol=1e-4) else line for line in found)
    return [line for line in closed if len(line) >= 3]


def _binary(segmentation: Any, segment_id: str, name: str) -> Grid:
    image = slicer.vtkOrientedImageData()
    if not segmentation.GetBinaryLabelmapRepresentation(segment_id, image) or not image.GetNumberOfPoints():
        raise MissingObject(f"{name} is empty, so it has no volume and no DVH.")
    values, index_to_lps = _oriented(image)
    return Grid((values != 0).astype(np.float32), index_to_lps)


def _fractions(image: Any) -> Grid:
    values, index_to_lps = _oriented(image)
    stated = image.GetFieldData().GetArray("ScalarRange")
    low, high = (stated.GetTuple1(0), stated.GetTuple1(1)) if stated else _FRACTIONAL_RANGE
    return Grid(np.clip((values.astype(float) - low) / (high - low), 0.0, 1.0), index_to_lps)


def _oriented(image: Any) -> tuple[NDArray, NDArray]:
    """Values (nz, ny, nx) and index_to_lps (4, 4) of an image whose extent may begin anywhere."""
    values = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1])
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    to_ras = np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])
    first = np.eye(4)
    first[:3, 3] = image.GetExtent()[::2]
    return values, LPS_TO_RAS @ to_ras @ first
