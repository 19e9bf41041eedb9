"""RTSTRUCT to structures: every contour and point as drawn, nothing lost without a word."""

import numpy as np
import pytest

import builders
from builders import Ids, Roi, ring
from intrepid_rt.dicom_structures import read_structure_set
from intrepid_rt.errors import AmbiguousInput, FrameOfReferenceMismatch, UnreadableFile, UnsupportedGeometry

OUTER, HOLE = ring((5.0, -3.0), 20.0, -10.0), ring((7.0, -2.0), 8.0, -10.0)


def area_mm2(contour) -> float:
    x, y = contour[:, 0], contour[:, 1]
    return 0.5 * float(x @ np.roll(y, -1) - y @ np.roll(x, -1))


def test_contours_points_and_descriptions():
    ids = Ids()
    rois = [
        Roi("BODY", [OUTER, ring((5.0, -3.0), 18.0, -7.5)], interpreted_type="EXTERNAL", colour=(1, 2, 3)),
        Roi("Marker", points=[(1.5, 2.5, 3.5)], interpreted_type="MARKER"),
        Roi("Empty"),
    ]
    read = read_structure_set(builders.rtstruct(rois, ids))
    body, marker, empty = read.structures
    assert (read.sop_instance_uid, read.frame_of_reference_uid) == (ids.structure_set, ids.frame)
    assert read.referenced_ct_series_uid == ids.ct_series
    assert (body.name, body.number, body.interpreted_type, body.colour_rgb) == ("BODY", 1, "EXTERNAL", (1, 2, 3))
    np.testing.assert_array_equal(body.contours[0], OUTER)
    assert list(body.contours_by_plane()) == [-10.0, -7.5]
    assert marker.is_empty
    np.testing.assert_array_equal(marker.points, [(1.5, 2.5, 3.5)])
    assert empty.is_empty
    assert read.external is body
    assert read.notes == ()


def test_hole_and_second_part_share_a_plane():
    part = ring((60.0, 0.0), 5.0, -10.0)
    planes = (
        read_structure_set(builders.rtstruct([Roi("A", [OUTER, HOLE, part])], Ids())).structures[0].contours_by_plane()
    )
    assert [len(contours) for contours in planes.values()] == [3]


def test_keyhole_is_left_as_drawn():
    """Outer circle, bridge in, inner circle backwards, bridge out: the area is that of the ring."""
    keyhole = np.concatenate([OUTER, OUTER[:1], HOLE[:1], HOLE[::-1]])
    contour = read_structure_set(builders.rtstruct([Roi("A", [keyhole])], Ids())).structures[0].contours[0]
    # Polygons of 64 corners: n/2 r^2 sin(2 pi / n), with r = 20 and 8 mm.
    expected = 32 * np.sin(2 * np.pi / 64) * (20.0**2 - 8.0**2)
    assert abs(area_mm2(contour)) == pytest.approx(expected, rel=1e-4)


def test_repeated_first_point_is_dropped():
    closed = np.concatenate([OUTER, OUTER[:1]])
    contour = read_structure_set(builders.rtstruct([Roi("A", [closed])], Ids())).structures[0].contours[0]
    np.testing.assert_array_equal(contour, OUTER)


def test_planes_that_match_no_slice_are_kept():
    contours = [ring((0, 0), 10, z) for z in (-10.004, -10.0, -8.37, 2.2)]
    planes = read_structure_set(builders.rtstruct([Roi("A", contours)], Ids())).structures[0].contours_by_plane()
    assert [len(group) for group in planes.values()] == [2, 1, 1]


@pytest.mark.parametrize("kind", ["OPEN_PLANAR", "OPEN_NONPLANAR"])
def test_open_lines_are_left_out_with_a_note(kind):
    made = builders.rtstruct([Roi("Cord", [OUTER])], Ids())
    made.ROIContourSequence[0].ContourSequence.append(builders.contour_item(HOLE, kind))
    read = read_structure_set(made)
    assert len(read.structures[0].contours) == 1
    assert read.notes == (f"Cord: 1 contour(s) of type {kind} enclose no area and were left out.",)


def test_two_point_contour_is_left_out_with_a_note():
    read = read_structure_set(builders.rtstruct([Roi("A", [OUTER, OUTER[:2]])], Ids()))
    assert len(read.structures[0].contours) == 1
    assert "enclose no area" in read.notes[0]


def test_numbers_that_form_no_points_are_refused():
    made = builders.rtstruct([Roi("A", [OUTER])], Ids())
    made.ROIContourSequence[0].ContourSequence[0].ContourData = ["1", "2", "3", "4"]
    with pytest.raises(UnreadableFile, match="a contour of A holds 4 numbers for 64 points"):
        read_structure_set(made)


def test_two_frames_of_reference_are_refused():
    made = builders.rtstruct([Roi("A", [OUTER]), Roi("B", [HOLE])], Ids())
    made.StructureSetROISequence[1].ReferencedFrameOfReferenceUID = "1.2.3"
    with pytest.raises(FrameOfReferenceMismatch, match="2 frames of reference"):
        read_structure_set(made)


def test_one_name_for_two_structures_is_noted_and_not_guessed():
    read = read_structure_set(builders.rtstruct([Roi("Lung", [OUTER]), Roi("LUNG ", [HOLE])], Ids()))
    assert read.notes == ("2 structures are named 'lung'.",)
    with pytest.raises(AmbiguousInput, match="ROI numbers 1, 2"):
        read.named("lung")


def test_the_drawn_one_of_two_names_is_meant():
    read = read_structure_set(builders.rtstruct([Roi("Lung"), Roi("lung", [HOLE])], Ids()))
    assert read.named("Lung").number == 2
    assert read.named("Heart") is None


def test_contour_across_planes_is_refused_when_planes_are_asked_for():
    sagittal = ring((0, 0), 10, 0)[:, [2, 0, 1]]
    structure = read_structure_set(builders.rtstruct([Roi("A", [sagittal])], Ids())).structures[0]
    with pytest.raises(UnsupportedGeometry, match="not axial"):
        structure.contours_by_plane()


def test_roi_without_name_or_contour_item():
    made = builders.rtstruct([Roi("", [OUTER]), Roi("B", [HOLE])], Ids())
    del made.ROIContourSequence[1]
    read = read_structure_set(made)
    assert [structure.name for structure in read.structures] == ["ROI 1", "B"]
    assert read.structures[1].is_empty


@pytest.mark.parametrize("sequence", ["ROIContourSequence", "StructureSetROISequence"])
def test_one_number_for_two_structures_is_refused(sequence):
    made = builders.rtstruct([Roi("A", [OUTER]), Roi("B", [HOLE])], Ids())
    second = made[sequence].value[1]
    setattr(second, "ROINumber" if sequence.startswith("Structure") else "ReferencedROINumber", 1)
    with pytest.raises(AmbiguousInput, match="ROI number 1 twice"):
        read_structure_set(made)
