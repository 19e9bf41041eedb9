"""RTDOSE to grid: every voxel holds the dose of the place where it says it lies."""

import numpy as np
import pytest

import builders
from builders import ORIENTATIONS, Ids, Lattice, linear_field
from intrepid_rt.dicom_dose import read_dose, read_dose_object
from intrepid_rt.errors import MissingObject, UnreadableFile, UnsupportedGeometry, UnusableInput
from intrepid_rt.grids import DoseGrid


def dataset(lattice: Lattice, **options):
    return builders.rtdose(linear_field(lattice.pixel_positions()), lattice, Ids(), **options)


def assert_dose_where_it_belongs(grid: DoseGrid, tolerance_gy: float) -> None:
    np.testing.assert_allclose(grid.dose_gy, linear_field(grid.positions()), atol=tolerance_gy)


@pytest.mark.parametrize("orientation", ORIENTATIONS.values(), ids=ORIENTATIONS)
@pytest.mark.parametrize("bits", [16, 32])
def test_any_orientation_and_width(orientation, bits):
    lattice = Lattice(orientation=orientation)
    grid = read_dose(dataset(lattice, bits=bits))
    assert grid.shape == lattice.shape
    # 16 bit: half of a scaling step of about 25 Gy / 65535.
    assert_dose_where_it_belongs(grid, 2.1e-4 if bits == 16 else 3e-6)
    assert np.linalg.det(grid.index_to_lps[:3, :3]) > 0


def test_row_spacing_comes_first():
    grid = read_dose(dataset(Lattice(row_spacing_mm=1.5, column_spacing_mm=4.0)))
    assert grid.spacing_mm == (4.0, 1.5, 2.5)


@pytest.mark.parametrize("orientation", ["axial", "prone", "feet first", "decubitus"])
def test_offsets_as_patient_z(orientation):
    lattice = Lattice(orientation=ORIENTATIONS[orientation])
    relative, absolute = (read_dose(dataset(lattice, absolute_z=form)) for form in (False, True))
    assert absolute.same_lattice(relative, tolerance_mm=1e-9)
    assert_dose_where_it_belongs(absolute, 3e-6)


def test_descending_offsets_are_turned_round():
    lattice = Lattice(offsets_mm=(0.0, -2.5, -5.0, -7.5, -10.0))
    read = read_dose_object(dataset(lattice))
    assert read.grid.origin_lps_mm == pytest.approx((-31.0, 12.5, -50.25))
    assert read.grid.spacing_mm[2] == 2.5
    assert_dose_where_it_belongs(read.grid, 3e-6)
    assert read.notes == ()


def test_descending_patient_z():
    grid = read_dose(dataset(Lattice(offsets_mm=(0.0, -2.5, -5.0, -7.5, -10.0)), absolute_z=True))
    assert_dose_where_it_belongs(grid, 3e-6)


def test_frames_in_no_order_are_sorted_with_a_note():
    read = read_dose_object(dataset(Lattice(offsets_mm=(0.0, 5.0, 2.5, 10.0, 7.5))))
    assert_dose_where_it_belongs(read.grid, 3e-6)
    assert "no order of position" in read.notes[0]


def test_commensurable_offsets_are_interpolated_with_a_note():
    lattice = Lattice(offsets_mm=(0.0, 2.0, 4.0, 8.0, 14.0))
    read = read_dose_object(dataset(lattice))
    assert read.grid.shape[0] == 8
    assert read.grid.spacing_mm[2] == pytest.approx(2.0)
    assert_dose_where_it_belongs(read.grid, 4e-6)
    assert "unevenly spaced" in read.notes[0]


def test_incommensurable_offsets_are_refused_by_name():
    with pytest.raises(UnsupportedGeometry, match=r"unevenly spaced \(2 to 3\.3 mm\)"):
        read_dose(dataset(Lattice(offsets_mm=(0.0, 2.0, 4.0, 7.3, 9.3))))


def test_offsets_rounded_to_a_tenth_are_even():
    grid = read_dose(dataset(Lattice(offsets_mm=(0.0, 1.2, 2.5, 3.8, 5.0))))
    assert grid.spacing_mm[2] == pytest.approx(1.25)


def test_two_frames_at_one_position_are_refused():
    with pytest.raises(UnsupportedGeometry, match="two frames"):
        read_dose(dataset(Lattice(offsets_mm=(0.0, 2.5, 2.5, 5.0, 7.5))))


def test_offsets_that_start_elsewhere_are_refused():
    made = dataset(Lattice())
    made.GridFrameOffsetVector = [10.0, 12.5, 15.0, 17.5, 20.0]
    with pytest.raises(UnsupportedGeometry, match="starts at 10"):
        read_dose(made)


def test_patient_z_on_a_sagittal_grid_is_refused():
    made = dataset(Lattice(orientation=ORIENTATIONS["sagittal"]))
    made.GridFrameOffsetVector = [-40.25, -37.75, -35.25, -32.75, -30.25]
    with pytest.raises(UnsupportedGeometry, match="transverse"):
        read_dose(made)


def test_missing_offsets_are_named():
    made = dataset(Lattice())
    made.GridFrameOffsetVector = [0.0, 2.5]
    with pytest.raises(MissingObject, match="2 numbers for 5 frames"):
        read_dose(made)


def test_one_plane_says_its_thickness():
    made = dataset(Lattice((1, 6, 7)))
    made.SliceThickness = "4"
    read = read_dose_object(made)
    assert read.grid.spacing_mm[2] == 4.0
    assert "one plane" in read.notes[0]


def test_references_and_types():
    ids = Ids()
    lattice = Lattice()
    made = builders.rtdose(linear_field(lattice.pixel_positions()), lattice, ids, summation_type="BEAM", beam_number=7)
    read = read_dose_object(made)
    assert (read.plan_uid, read.beam_number, read.fraction_group_number) == (ids.plan, 7, 1)
    assert (read.summation_type, read.dose_type, read.units) == ("BEAM", "PHYSICAL", "GY")
    assert read.grid.frame_of_reference_uid == ids.frame
    assert read.sop_instance_uid == made.SOPInstanceUID


def test_relative_dose_is_refused():
    made = dataset(Lattice())
    made.DoseUnits = "RELATIVE"
    with pytest.raises(UnusableInput, match="dose units RELATIVE; expected GY"):
        read_dose(made)


def test_dose_that_is_not_physical_is_noted():
    made = dataset(Lattice())
    made.DoseType = "EFFECTIVE"
    assert "DoseType is EFFECTIVE" in read_dose_object(made).notes[0]


@pytest.mark.parametrize("scaling", [None, "0", "-1"])
def test_scaling_must_be_positive(scaling):
    made = dataset(Lattice())
    made.DoseGridScaling = scaling
    with pytest.raises(MissingObject, match="DoseGridScaling"):
        read_dose(made)


def test_missing_pixels_are_named():
    made = dataset(Lattice())
    del made.PixelData
    with pytest.raises(MissingObject, match="no PixelData"):
        read_dose(made)


def test_another_modality_is_refused():
    with pytest.raises(UnreadableFile, match=r"is RTPLAN; expected RTDOSE"):
        read_dose(builders.rtplan([builders.BeamSpec()], Ids()))


def test_orientation_must_be_right_angled():
    made = dataset(Lattice())
    made.ImageOrientationPatient = [1.0, 0.0, 0.0, 0.2, 0.98, 0.0]
    with pytest.raises(UnsupportedGeometry, match="right angle"):
        read_dose(made)
