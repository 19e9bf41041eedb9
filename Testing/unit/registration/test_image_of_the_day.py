"""Field of view, patient outline and HU of an image that is not the planning CT."""

import numpy as np
import pytest

from intrepid_rt.grids import Grid, affine_from_axes
from intrepid_rt.registration.body import patient_in
from intrepid_rt.registration.field_of_view import field_of_view, truncation
from intrepid_rt.registration.hounsfield import brought_to_planning, deviations_hu
from intrepid_rt.registration.quality import dice

SPACING = (2.0, 2.5, 3.0)
GRID = Grid(np.zeros((12, 64, 80), np.float32), affine_from_axes((-79.0, -78.75, -20.0), SPACING))
X, Y, Z = np.moveaxis(GRID.positions(), -1, 0)


def patient(half_x=60.0, half_y=50.0):
    return GRID.with_values(np.where(np.hypot(X / half_x, Y / half_y) < 1, 10.0, -1000.0).astype(np.float32))


def outline(half_x=60.0, half_y=50.0):
    return GRID.with_values((np.hypot(X / half_x, Y / half_y) < 1).astype(np.float32))


def round_view(image, radius_mm, padding=-1024.0):
    return image.with_values(np.where(np.hypot(X, Y) <= radius_mm, image.values, padding).astype(np.float32))


def test_a_round_field_of_view_is_recognised():
    seen = field_of_view(round_view(patient(), 70.0))
    assert dice(seen, np.hypot(X, Y)[0] <= 70.0) == 1.0


def test_air_around_a_patient_is_no_field_of_view():
    assert field_of_view(patient()).all()


def test_a_patient_within_the_view_is_not_truncated():
    image = round_view(patient(), 70.0)
    found = truncation(image, field_of_view(image), outline())
    assert (found.outside_cc, found.cut_cm2) == (0.0, 0.0)
    assert not found.is_truncated


def test_a_patient_beyond_a_round_view_is_found_with_its_volume():
    image = round_view(patient(), 52.0)
    found = truncation(image, field_of_view(image), outline())
    beyond = (outline().values > 0.5) & (np.hypot(X, Y) > 52.0)
    assert found.outside_cc == pytest.approx(beyond.sum() * np.prod(SPACING) / 1000)
    assert found.cut_cm2 > 10
    assert found.is_truncated


def test_slices_that_are_missing_count():
    short = Grid(patient().values[3:9], affine_from_axes((-79.0, -78.75, -11.0), SPACING))
    found = truncation(short, field_of_view(short), outline())
    assert found.outside_percent == pytest.approx(50.0)


def test_tissue_grown_beyond_the_view_is_found_though_the_planned_outline_is_inside():
    image = round_view(patient(75.0, 60.0), 65.0)
    found = truncation(image, field_of_view(image), outline(40.0, 40.0))
    assert found.outside_cc == 0.0
    assert found.is_truncated


def test_the_patient_is_found_without_the_couch_and_with_its_lungs():
    values = np.array(patient().values)
    values[np.hypot(X + 20, Y) < 15] = -800  # lung, open at both ends of the stack
    values[(np.abs(Y - 62) < 1.5) & (np.abs(X) < 70)] = 200  # couch shell, a single row of pixels
    found = patient_in(GRID.with_values(values), outline())
    assert dice(found, patient().values > -500) > 0.99


def test_deviations_are_those_put_in():
    planning = np.full(GRID.shape, 20.0)
    planning[:, 10:30, 10:30] = -750.0
    planning[:, 40:50, 40:55] = 600.0
    day = planning * 0.9 + 50.0
    found = deviations_hu(planning, day, np.ones(GRID.shape, bool))
    assert found["soft tissue"] == (20.0, pytest.approx(68.0))
    assert found["lung"] == (-750.0, pytest.approx(-625.0))
    assert found["bone"] == (600.0, pytest.approx(590.0))
    assert deviations_hu(planning, day * np.nan, np.ones(GRID.shape, bool)) == {}
    brought = brought_to_planning(day, found, air_hu=-850.0)
    np.testing.assert_allclose(brought, planning, atol=0.01)
    assert brought_to_planning(np.array([-850.0, 1090.0]), found, -850.0).tolist() == [-1000.0, 1100.0]
