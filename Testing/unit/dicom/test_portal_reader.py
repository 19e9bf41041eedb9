"""RTIMAGE to signal on IEC gantry axes: every pixel where the standard puts it, whatever the system."""

import numpy as np
import pytest

import builders
from builders import Ids, elekta_pixels, field_signal
from intrepid_epid.portal_reader import read_portal_image
from intrepid_rt.beam_frame import beam_frame
from intrepid_rt.dicom_image import portal_header
from intrepid_rt.errors import AmbiguousInput, MissingObject, UnreadableFile, UnsupportedGeometry

ROWS, COLUMNS = 40, 60
ROW_MM, COLUMN_MM = 0.8, 0.5


def smooth_field(x_mm, y_mm):
    """Signal as a function of gantry X_g, Y_g in the imager plane: linear, different in x and y."""
    return 1.0 + 0.004 * np.asarray(x_mm) + 0.009 * np.asarray(y_mm)


def pixel_positions_mm(position, orientation, angle_deg, translation) -> np.ndarray:
    """X_g, Y_g of every stored pixel, (rows, columns, 2), after PS3.3 C.8.8.2 and IEC 61217."""
    columns, rows = np.meshgrid(np.arange(COLUMNS), np.arange(ROWS))
    along_row, along_column = np.array(orientation[:2], float), np.array(orientation[3:5], float)
    receptor = (
        np.array(position, float) + columns[..., None] * COLUMN_MM * along_row + rows[..., None] * ROW_MM * along_column
    )
    cosine, sine = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
    x = cosine * receptor[..., 0] - sine * receptor[..., 1] + translation[0]
    y = sine * receptor[..., 0] + cosine * receptor[..., 1] + translation[1]
    return np.stack([x, y], axis=-1)


def image_of(position=(-14.0, 16.0), orientation=(1, 0, 0, 0, -1, 0), angle_deg=0.0, translation=(0.0, 0.0)):
    at = pixel_positions_mm(position, orientation, angle_deg, translation)
    made = builders.rtimage(elekta_pixels(smooth_field(at[..., 0], at[..., 1]), 20000.0), Ids(), elekta_factor=20000.0)
    made.RTImagePosition, made.RTImageOrientation = list(position), list(orientation)
    made.XRayImageReceptorAngle = str(angle_deg)
    made.XRayImageReceptorTranslation = [*translation, -600.0]
    return made


QUARTER_TURNS = [0.0, 90.0, 180.0, 270.0]
LAYOUTS = [(1, 0, 0, 0, -1, 0), (1, 0, 0, 0, 1, 0), (-1, 0, 0, 0, -1, 0), (0, 1, 0, 1, 0, 0), (0, -1, 0, 1, 0, 0)]


@pytest.mark.parametrize("orientation", LAYOUTS, ids=str)
@pytest.mark.parametrize("angle_deg", QUARTER_TURNS)
def test_orientation_position_translation_and_angle(orientation, angle_deg):
    image = read_portal_image(image_of((-9.0, 7.5), orientation, angle_deg, (3.0, -5.5))).image
    x, y = np.meshgrid(image.x_mm, image.y_mm)
    np.testing.assert_allclose(image.values, smooth_field(x, y), atol=5e-5)
    assert (np.diff(image.x_mm) > 0).all()
    assert (np.diff(image.y_mm) < 0).all()
    turned = (angle_deg % 180 == 90) != (orientation[0] == 0)
    assert image.pixel_spacing_mm == pytest.approx((COLUMN_MM, ROW_MM) if turned else (ROW_MM, COLUMN_MM))


@pytest.mark.parametrize("angle_deg", [1.5, -3.0, 92.0])
def test_small_receptor_angle_is_interpolated_with_a_note(angle_deg):
    frame = read_portal_image(image_of(angle_deg=angle_deg))
    image = frame.image
    x, y = np.meshgrid(image.x_mm, image.y_mm)
    inner = np.s_[5:-5, 5:-5]  # pixels that were on the panel before the turn
    np.testing.assert_allclose(image.values[inner], smooth_field(x, y)[inner], atol=1e-4)
    assert any("interpolated onto gantry axes" in warning for warning in frame.warnings)


def test_empty_position_is_centred_on_the_translated_receptor():
    made = image_of()
    made.RTImagePosition, made.XRayImageReceptorTranslation = None, [4.0, -6.0, -600.0]
    frame = read_portal_image(made)
    assert frame.image.x_mm.mean() == pytest.approx(4.0)
    assert frame.image.y_mm.mean() == pytest.approx(-6.0)
    assert any("RTImagePosition is empty" in warning for warning in frame.warnings)


@pytest.mark.parametrize("gantry_deg", [0.0, 90.0, 215.0])
@pytest.mark.parametrize("patient_position", ["HFS", "FFP"])
def test_a_marker_in_the_patient_is_seen_where_it_projects(gantry_deg, patient_position):
    """Ray from source through the marker, cut with the imager plane by hand, against reader plus beam frame."""
    isocentre, marker = np.array([10.0, -20.0, 30.0]), np.array([14.0, -23.0, 33.0])
    frame = beam_frame(gantry_deg, isocentre, patient_position=patient_position)
    source, plane_point = frame.source_lps_mm, isocentre - 600.0 * frame.towards_source
    ray = marker - source
    hit = source + ray * ((plane_point - source) @ frame.towards_source) / (ray @ frame.towards_source)
    x, y = (hit - plane_point) @ frame.x_axis, (hit - plane_point) @ frame.y_axis
    at = pixel_positions_mm((-14.75, 15.6), (1, 0, 0, 0, -1, 0), 0.0, (0.0, 0.0))
    row, column = np.unravel_index(np.argmin(np.linalg.norm(at - (x, y), axis=-1)), (ROWS, COLUMNS))
    signal = np.full((ROWS, COLUMNS), 0.1)
    signal[row - 4 : row + 5, column - 4 : column + 5] = 1.0
    made = builders.rtimage(elekta_pixels(signal, 20000.0), Ids(), gantry_deg=gantry_deg, elekta_factor=20000.0)
    image = read_portal_image(made).image
    projected = frame.projected(marker, image.source_to_image_mm)
    np.testing.assert_allclose(projected, (x, y), atol=1e-9)
    assert image.sample(*projected) == pytest.approx(1.0, abs=1e-4)
    assert image.magnification == 1.6


def test_elekta_signal_and_description():
    ids = Ids()
    made = builders.rtimage(elekta_pixels(field_signal(), 30000.0), ids, beam_number=3, elekta_factor=30000.0)
    made.FractionNumber = 4
    frame = read_portal_image(made)
    np.testing.assert_allclose(frame.image.values, field_signal(), atol=0.5 / 30000 + 1e-6)
    assert (frame.image.unit, frame.vendor, frame.is_relative) == ("signal", "Elekta", False)
    assert (frame.plan_uid, frame.beam_number, frame.fraction_number) == (ids.plan, 3, 4)
    assert (frame.machine, frame.sop_instance_uid) == ("LINAC1", made.SOPInstanceUID)
    assert frame.acquired.isoformat() == "2026-01-05T08:30:00"
    assert frame.image.pixel_spacing_mm == (0.8, 0.5)


def test_elekta_without_factor_is_relative():
    made = builders.rtimage(elekta_pixels(field_signal(), 30000.0), Ids())
    made.Manufacturer = "ELEKTA"
    frame = read_portal_image(made)
    assert frame.is_relative
    assert any("pixel factor (0021,xx02) is missing" in warning for warning in frame.warnings)
    np.testing.assert_allclose(frame.image.values / 30000.0, field_signal(), atol=2e-5)


def test_elekta_factor_without_value_representation(tmp_path):
    """In implicit VR the factor arrives as bytes of an unknown private element."""
    made = builders.rtimage(elekta_pixels(field_signal(), 30000.0), Ids(), elekta_factor=30000.0)
    made.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2"
    frame = read_portal_image(builders.save(made, tmp_path / "image.dcm"))
    np.testing.assert_allclose(frame.image.values, field_signal(), atol=2e-5)


def test_elekta_factor_in_another_block():
    made = builders.rtimage(elekta_pixels(field_signal(), 30000.0), Ids())
    made.private_block(0x0021, "Somebody else", create=True).add_new(0x02, "DS", "7")
    made.private_block(0x0021, "Elekta: Portal image", create=True).add_new(0x02, "DS", "30000")
    np.testing.assert_allclose(read_portal_image(made).image.values, field_signal(), atol=2e-5)


@pytest.mark.parametrize("factor", ["0", "-3"])
def test_elekta_factor_must_be_positive(factor):
    made = builders.rtimage(elekta_pixels(field_signal(), 30000.0), Ids(), elekta_factor=30000.0)
    made[0x00211002].value = factor
    with pytest.raises(UnreadableFile, match="no positive number"):
        read_portal_image(made)


def varian(stored, **elements):
    made = builders.rtimage(stored, Ids())
    made.Manufacturer = "Varian Medical Systems"
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


DOWNWARDS = {
    "RescaleSlope": "1",
    "RescaleIntercept": "-16384",
    "RTImageDescription": "6 MV\r\nAveraged Frames 299 \r\n",
}


def test_varian_downwards_mean_of_frames():
    stored = np.rint(16384 - 5000 * field_signal()).astype(np.uint16)
    exposures = [builders.item(MetersetExposure="100.5"), builders.item(MetersetExposure="50")]
    frame = read_portal_image(varian(stored, **DOWNWARDS, ExposureSequence=exposures))
    np.testing.assert_allclose(frame.image.values, 299 * (16384.0 - stored), rtol=1e-6)
    assert (frame.image.unit, frame.vendor, frame.meterset_mu) == ("signal", "Varian", 150.5)


def test_varian_upwards_calibrated_units():
    stored = np.rint(20000 * field_signal()).astype(np.uint16)
    options = {"RescaleSlope": "0.0001", "RescaleIntercept": "0", "RescaleType": "CU"}
    frame = read_portal_image(varian(stored, PixelIntensityRelationshipSign=1, **options))
    np.testing.assert_allclose(frame.image.values, stored * 0.0001, rtol=1e-6)
    assert frame.image.unit == "signal"


def test_varian_polarity_survives_a_negative_slope_and_a_dead_pixel():
    stored = np.rint(1000 + 5000 * field_signal()).astype(np.uint16)
    stored[3, 3] = 65535
    options = {"RescaleSlope": "1", "RescaleIntercept": "-1000", "RescaleType": "CU"}
    upwards = read_portal_image(varian(stored, **options)).image.values
    downwards = {"RescaleSlope": "-1", "RescaleIntercept": "64535", "RescaleType": "CU"}
    turned = read_portal_image(varian(65535 - stored, PixelIntensityRelationshipSign=-1, **downwards)).image.values
    np.testing.assert_array_equal(upwards, stored - 1000.0)
    np.testing.assert_array_equal(turned, upwards)


def test_varian_without_number_of_frames_is_relative():
    stored = np.rint(16384 - 5000 * field_signal()).astype(np.uint16)
    frame = read_portal_image(varian(stored, RescaleSlope="1", RescaleIntercept="-16384"))
    assert frame.is_relative
    assert any("averaged frames is not stated" in warning for warning in frame.warnings)


@pytest.mark.parametrize("inverted", [False, True])
def test_other_system_tells_polarity_by_the_border(inverted):
    stored = np.rint(30000 * field_signal()).astype(np.uint16)
    frame = read_portal_image(builders.rtimage(65535 - stored if inverted else stored, Ids()))
    np.testing.assert_allclose(frame.image.values, stored, atol=1e-3)
    assert frame.is_relative
    assert any("Concluded from the border" in warning for warning in frame.warnings)


@pytest.mark.parametrize("sign", [1, -1])
def test_other_system_that_states_a_linear_relation(sign):
    stored = np.rint(30000 * field_signal()).astype(np.uint16)
    made = builders.rtimage(stored if sign > 0 else 65535 - stored, Ids())
    made.PixelIntensityRelationship, made.PixelIntensityRelationshipSign = "LIN", sign
    frame = read_portal_image(made)
    np.testing.assert_allclose(frame.image.values, stored, atol=1e-3)
    assert frame.image.unit == "signal"


def test_polarity_that_cannot_be_told_is_refused():
    ramp = np.linspace(20000, 40000, ROWS * COLUMNS).reshape(ROWS, COLUMNS)
    with pytest.raises(AmbiguousInput, match="PixelIntensityRelationshipSign"):
        read_portal_image(builders.rtimage(ramp, Ids()))


def test_dead_pixels_are_found_and_repaired():
    stored = elekta_pixels(field_signal(), 30000.0)
    stored[15, 20], stored[20, 30:32], stored[2:30, 0] = 65535, 0, 0
    frame = read_portal_image(builders.rtimage(stored, Ids(), elekta_factor=30000.0))
    expected = np.zeros((ROWS, COLUMNS), bool)
    expected[15, 20], expected[20, 30:32], expected[2:30, 0] = True, True, True
    np.testing.assert_array_equal(frame.dead, expected)
    assert not frame.saturated.any()
    np.testing.assert_allclose(frame.repaired.values, field_signal(), atol=0.02)
    assert "31 pixels are defective." in frame.warnings


def test_saturated_region_is_found():
    stored = elekta_pixels(field_signal(), 30000.0)
    stored[12:24, 15:40] = 0
    frame = read_portal_image(builders.rtimage(stored, Ids(), elekta_factor=30000.0))
    assert frame.saturated[13:23, 16:39].all()
    assert not frame.saturated[:12].any()
    assert frame.saturated_fraction == pytest.approx(12 * 25 / (ROWS * COLUMNS), rel=0.02)
    assert any("are saturated" in warning for warning in frame.warnings)


def test_out_of_field_and_field_at_the_edge():
    inside = read_portal_image(builders.rtimage(elekta_pixels(field_signal(), 30000.0), Ids(), elekta_factor=30000.0))
    np.testing.assert_array_equal(inside.out_of_field, field_signal() < 0.1)
    assert not any("edge of the imager" in warning for warning in inside.warnings)
    shifted = np.roll(field_signal(), -10, axis=0)
    cut = read_portal_image(builders.rtimage(elekta_pixels(shifted, 30000.0), Ids(), elekta_factor=30000.0))
    assert any("edge of the imager (first row, last row)" in warning for warning in cut.warnings)


@pytest.mark.parametrize(
    ("keyword", "value", "error", "message"),
    [
        ("RTImageSID", None, MissingObject, "no RTImageSID"),
        ("ImagePlanePixelSpacing", None, MissingObject, "ImagePlanePixelSpacing"),
        ("PixelData", None, MissingObject, "no PixelData"),
        ("RTImagePlane", "NON_NORMAL", UnsupportedGeometry, "perpendicular"),
        ("XRayImageReceptorTranslation", [0, 0, -500], UnsupportedGeometry, "puts the imager at Z = -600 mm"),
        ("RTImageOrientation", [1, 0, 0, 0, 0, 1], UnsupportedGeometry, "receptor plane"),
        ("RTImagePosition", [-14.0, 16.0, 0.0], UnsupportedGeometry, "RTImagePosition holds 3 numbers"),
    ],
)
def test_unusable_geometry_is_named(keyword, value, error, message):
    made = builders.rtimage(elekta_pixels(field_signal(), 30000.0), Ids(), elekta_factor=30000.0)
    setattr(made, keyword, value)
    with pytest.raises(error, match=message):
        read_portal_image(made)


def test_missing_source_axis_distance_is_noted():
    made = builders.rtimage(elekta_pixels(field_signal(), 30000.0), Ids(), elekta_factor=30000.0)
    made.RadiationMachineSAD = None
    frame = read_portal_image(made)
    assert frame.image.source_to_axis_mm == 1000.0
    assert any("RadiationMachineSAD is not stated" in warning for warning in frame.warnings)


def test_monitor_units_are_those_of_all_exposures_or_unknown():
    made = builders.rtimage(elekta_pixels(field_signal(), 30000.0), Ids(), elekta_factor=30000.0)
    made.ExposureSequence = [builders.item(MetersetExposure="40"), builders.item(MetersetExposure="60.5")]
    assert portal_header(made).meterset_mu == 100.5
    del made.ExposureSequence[1].MetersetExposure
    assert portal_header(made).meterset_mu is None


def test_a_number_with_a_fraction_is_no_fraction_number():
    made = builders.rtimage(elekta_pixels(field_signal(), 30000.0), Ids(), elekta_factor=30000.0)
    made.add_new("FractionNumber", "DS", "1.5")
    with pytest.raises(UnreadableFile, match=r"FractionNumber is 1\.5"):
        portal_header(made)


def test_several_frames_are_refused():
    made = builders.rtimage(np.zeros((ROWS, COLUMNS)), Ids(), elekta_factor=30000.0)
    builders.set_pixels(made, np.zeros((3, ROWS, COLUMNS), np.uint16))
    made.NumberOfFrames = 3
    with pytest.raises(UnreadableFile, match="3 frames"):
        read_portal_image(made)
