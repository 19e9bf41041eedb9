"""One portal dose in every format a clinic may have is read as the same dose in the same place."""

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from builders import Ids, item
from intrepid_epid.dataset.dose_planes import PlaneDescription, read_dose_plane
from intrepid_epid.portal_dose_file import write_portal_dose
from intrepid_rt.dicom_portal_dose import write_portal_dose_image
from intrepid_rt.errors import MissingObject, UnreadableFile, UnusableInput
from intrepid_rt.portal_image import PortalImage

PIXEL_MM = 2.5
ABOUT = PlaneDescription(source_to_axis_mm=1000.0, source_to_plane_mm=1600.0)


def plane(pixel=(PIXEL_MM, PIXEL_MM)):
    """A dose without symmetry, 20 x 30, centred on the axis."""
    y, x = np.mgrid[0:20, 0:30]
    dose = 0.4 + 0.01 * x - 0.005 * y + 0.3 * (x > 20) * (y < 5)
    first = (-29 / 2 * pixel[1], 19 / 2 * pixel[0])
    return PortalImage(dose, first, pixel, 1600.0, 1000.0, unit="Gy")


def same(found, expected, atol=1e-5):
    np.testing.assert_allclose(found.values, expected.values, atol=atol)
    np.testing.assert_allclose(found.first_pixel_mm, expected.first_pixel_mm)
    np.testing.assert_allclose(found.pixel_spacing_mm, expected.pixel_spacing_mm)
    assert found.unit == "Gy"
    assert found.source_to_image_mm == 1600.0


def test_nrrd_with_pixels_that_are_no_squares(tmp_path):
    dose = plane((2.0, 3.0))
    write_portal_dose(dose, tmp_path / "d.nrrd")
    same(read_dose_plane(tmp_path / "d.nrrd", ABOUT), dose)


def test_rtimage_in_gy(tmp_path):
    dose = plane((2.0, 3.0))
    write_portal_dose_image(tmp_path / "d.dcm", dose, plan_uid=Ids().plan, beam_number=1, template=item(PatientID="P"))
    same(read_dose_plane(tmp_path / "d.dcm", ABOUT), dose)


@pytest.mark.parametrize("separator", [",", ";", "\t", "  "])
def test_text_in_centigray(tmp_path, separator):
    dose = plane()
    rows = [separator.join(f"{100 * v:.5f}" for v in row) for row in dose.values]
    (tmp_path / "d.txt").write_text("# exported in cGy\n" + "\n".join(rows) + "\n", encoding="utf-8")
    about = PlaneDescription(1000.0, 1600.0, pixel_mm=PIXEL_MM, gy_per_unit=0.01)
    same(read_dose_plane(tmp_path / "d.txt", about), dose)


def test_film_by_its_calibration(tmp_path):
    """The scanner reads less where more dose was; red is the first channel."""
    dose = plane()
    red = np.rint(50000 - 40000 * dose.values).astype(np.uint16)
    scanned = sitk.GetImageFromArray(np.stack([red, red // 2, red // 3], axis=-1), isVector=True)
    sitk.WriteImage(scanned, str(tmp_path / "film.tif"))
    (tmp_path / "curve.csv").write_text("value,dose_gy\n50000,0\n10000,1\n", encoding="utf-8")
    about = PlaneDescription(1000.0, 1600.0, pixel_mm=PIXEL_MM, film_curve=tmp_path / "curve.csv")
    same(read_dose_plane(tmp_path / "film.tif", about), dose, atol=2e-5)


def _texts(tmp_path):
    (tmp_path / "ragged.csv").write_text("1,2\n1,2,3\n", encoding="utf-8")
    (tmp_path / "words.csv").write_text("a,b\nc,d\n", encoding="utf-8")
    (tmp_path / "cold.csv").write_text("1,2\n-3,4\n", encoding="utf-8")
    (tmp_path / "good.csv").write_text("1,2\n3,4\n", encoding="utf-8")
    (tmp_path / "d.pdf").write_text("no dose", encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "pixel_mm", "error", "message"),
    [
        ("ragged.csv", 1.0, UnreadableFile, "rows differ in length"),
        ("words.csv", 1.0, UnreadableFile, "rows of numbers are expected"),
        ("cold.csv", 1.0, UnreadableFile, "a dose is not negative"),
        ("good.csv", None, MissingObject, "give pixel_mm"),
        ("d.pdf", 1.0, UnreadableFile, "no portal dose of a known format"),
        ("gone.nrrd", 1.0, MissingObject, "is no file"),
    ],
)
def test_what_is_no_dose_is_refused(tmp_path, name, pixel_mm, error, message):
    _texts(tmp_path)
    with pytest.raises(error, match=message):
        read_dose_plane(tmp_path / name, PlaneDescription(1000.0, 1600.0, pixel_mm=pixel_mm))


def test_a_film_without_calibration_is_refused(tmp_path):
    sitk.WriteImage(sitk.GetImageFromArray(np.ones((4, 5), np.uint16)), str(tmp_path / "film.tif"))
    with pytest.raises(MissingObject, match="give its calibration"):
        read_dose_plane(tmp_path / "film.tif", ABOUT)


def test_a_signal_is_no_dose(tmp_path):
    from builders import elekta_pixels, field_signal, rtimage, save

    save(rtimage(elekta_pixels(field_signal(), 30000.0), Ids(), elekta_factor=30000.0), tmp_path / "i.dcm")
    with pytest.raises(UnusableInput, match="holds the signal of an image"):
        read_dose_plane(tmp_path / "i.dcm", ABOUT)


def test_a_dose_that_no_machine_gives_is_refused(tmp_path):
    values = plane().values.copy()
    values[3, 4] = 3e38
    write_portal_dose(plane().with_values(values), tmp_path / "d.nrrd")
    with pytest.raises(UnreadableFile, match="damaged, or in another unit"):
        read_dose_plane(tmp_path / "d.nrrd", ABOUT)
