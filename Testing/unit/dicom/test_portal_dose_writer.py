"""Portal dose to RTIMAGE and back: the same Gy in the same place of the imager plane."""

import numpy as np
import pydicom
import pytest

import builders
from builders import BeamSpec, Ids
from intrepid_epid.portal_reader import read_portal_image
from intrepid_rt.dicom_portal_dose import write_portal_dose_image
from intrepid_rt.errors import InvalidSetting, MissingObject
from intrepid_rt.portal_image import PortalImage
from intrepid_rt.scan import scan

DOSE_GY = np.random.default_rng(5).random((21, 34)) * 0.4


def image_of(values=DOSE_GY, *, unit="Gy", gantry_angle_deg=215.0) -> PortalImage:
    return PortalImage(values, (-17.5, 11.25), (1.2, 0.9), 1580.0, 1000.0, gantry_angle_deg, unit)


def written(tmp_path, image, ids):
    plan = builders.rtplan([BeamSpec()], ids)
    path = tmp_path / "portal.dcm"
    uid = write_portal_dose_image(path, image, plan_uid=ids.plan, beam_number=1, template=plan, machine="LINAC1")
    return path, uid


@pytest.mark.parametrize("gantry_angle_deg", [215.0, None])
def test_round_trip(tmp_path, gantry_angle_deg):
    ids, image = Ids(), image_of(gantry_angle_deg=gantry_angle_deg)
    path, uid = written(tmp_path, image, ids)
    frame = read_portal_image(path)
    np.testing.assert_allclose(frame.image.values, DOSE_GY, atol=0.51 * DOSE_GY.max() / 65535)
    assert frame.image.first_pixel_mm == pytest.approx(image.first_pixel_mm)
    assert frame.image.pixel_spacing_mm == pytest.approx(image.pixel_spacing_mm)
    assert (frame.image.source_to_image_mm, frame.image.source_to_axis_mm) == (1580.0, 1000.0)
    assert (frame.image.unit, frame.image.gantry_angle_deg) == ("Gy", gantry_angle_deg)
    assert (frame.plan_uid, frame.beam_number, frame.machine, frame.sop_instance_uid) == (ids.plan, 1, "LINAC1", uid)


def test_a_dose_in_gy_without_its_scale_is_refused(tmp_path):
    """Its numbers from 0 to 65535 would be taken for Gy."""
    path, _ = written(tmp_path, image_of(), Ids())
    stored = pydicom.dcmread(path)
    del stored.RescaleSlope
    stored.save_as(path)
    with pytest.raises(MissingObject, match="RescaleType is GY, but RescaleSlope is missing"):
        read_portal_image(path)


def test_zero_stays_zero(tmp_path):
    path, _ = written(tmp_path, image_of(np.zeros((4, 5))), Ids())
    assert not read_portal_image(path).image.values.any()


def test_a_computed_portal_dose_is_no_measured_image(tmp_path):
    ids = builders.write_treatment(tmp_path, gantry_deg=(215.0,))
    written(tmp_path, image_of(), ids)
    (study,) = scan(tmp_path)
    assert [image.path.name for image in study.portal_images] == ["RTIMAGE_1.dcm"]
    assert [(dose.path.name, dose.beam_number) for dose in study.portal_doses] == [("portal.dcm", 1)]


@pytest.mark.parametrize("bad", [image_of(unit="signal"), image_of(DOSE_GY - 1), image_of(DOSE_GY * np.nan)])
def test_what_is_no_dose_is_refused(tmp_path, bad):
    with pytest.raises(InvalidSetting, match="must be in Gy"):
        written(tmp_path, bad, Ids())
