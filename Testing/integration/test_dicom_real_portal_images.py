"""Portal images of real machines (Testing/data/portal_images, provenance in Testing/data/README.md)."""

from pathlib import Path

import numpy as np
import pydicom
import pytest

from intrepid_epid.portal_reader import PortalFrame, read_portal_image

FOLDER = Path(__file__).parents[1] / "data" / "portal_images"


def stored(name: str) -> np.ndarray:
    dataset = pydicom.dcmread(FOLDER / name, force=True)
    return np.frombuffer(dataset.PixelData, "<u2").reshape(dataset.Rows, dataset.Columns).astype(float)


def field_edges_at_isocentre_mm(frame: PortalFrame) -> tuple[float, float, float, float]:
    """x1, x2, y1, y2 where the profiles through the field's middle pass half of its median."""
    image = frame.repaired
    values = image.values
    half = 0.5 * np.median(values[~frame.out_of_field])
    inside = values > half
    columns, rows = np.flatnonzero(inside.mean(axis=0) > 0.3), np.flatnonzero(inside.mean(axis=1) > 0.2)
    x, y = image.x_mm[columns] / image.magnification, image.y_mm[rows] / image.magnification
    return x.min(), x.max(), y.min(), y.max()


def test_elekta_iview():
    frame = read_portal_image(FOLDER / "iview_field.dcm")
    image = frame.image
    assert (frame.vendor, image.unit, image.values.shape) == ("Elekta", "relative", (1024, 1024))
    assert (image.source_to_image_mm, image.source_to_axis_mm, image.gantry_angle_deg) == (1600.0, 1000.0, 0.0)
    assert image.pixel_spacing_mm == (0.402, 0.402)
    assert image.x_mm.mean() == pytest.approx(0.0, abs=1e-9)
    np.testing.assert_array_equal(image.values, 65535 - stored("iview_field.dcm"))
    # A small field with a ball in its middle, within a millimetre or two of the axis at the isocentre.
    bright = frame.repaired.values > 20000
    rows, columns = np.nonzero(bright)
    assert abs(image.x_mm[columns].mean() / 1.6) < 2.0
    assert abs(image.y_mm[rows].mean() / 1.6) < 2.0
    middle = image.sample(image.x_mm[columns].mean(), image.y_mm[rows].mean())
    assert middle < 0.8 * frame.repaired.values.max()
    # The panel's first column is dead in a stretch; nothing else is.
    assert set(np.nonzero(frame.dead)[1]) == {0}
    assert frame.acquired.isoformat() == "2015-08-03T11:44:26.484000"
    assert any("pixel factor" in warning for warning in frame.warnings)


def test_varian_as500():
    frame = read_portal_image(FOLDER / "varian_as500_open.dcm")
    image = frame.image
    assert (frame.vendor, image.unit, image.values.shape) == ("Varian", "signal", (384, 512))
    assert (image.source_to_image_mm, image.pixel_spacing_mm) == (1500.0, (0.784, 0.784))
    assert frame.meterset_mu == pytest.approx(250.221442)
    np.testing.assert_allclose(image.values, 299 * (16384 - stored("varian_as500_open.dcm")), rtol=1e-6)
    assert image.gantry_angle_deg is None
    assert any("reaches the edge" in warning for warning in frame.warnings)


def test_varian_through_mosaiq():
    frame = read_portal_image(FOLDER / "varian_open_field.dcm")
    image = frame.image
    assert (frame.vendor, image.unit, image.values.shape) == ("generic", "relative", (768, 1024))
    assert (image.source_to_image_mm, image.pixel_spacing_mm) == (999.0, (0.392, 0.392))
    np.testing.assert_array_equal(image.values, stored("varian_open_field.dcm"))
    assert any("high pixel values mean much signal" in warning for warning in frame.warnings)


def test_two_machines_show_the_same_open_field():
    """Both Varian files show one test field; panel, distance and pixel size differ, the isocentre plane does not."""
    edges = {
        name: field_edges_at_isocentre_mm(read_portal_image(FOLDER / name))
        for name in ("varian_as500_open.dcm", "varian_open_field.dcm")
    }
    for x1, x2, y1, y2 in edges.values():
        # Panels stand up to 2 mm off: the files state no position.
        assert x1 == pytest.approx(-60.0, abs=1.5)
        assert x2 == pytest.approx(80.0, abs=3.0)
        assert (y1, y2) == (pytest.approx(-100.0, abs=1.5), pytest.approx(100.0, abs=1.5))
