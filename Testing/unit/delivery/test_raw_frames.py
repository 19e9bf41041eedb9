"""Raw panel files: read as their header says, refused where they are not what they claim."""

import re

import numpy as np
import pytest

import frame_builders
from builders import Ids
from intrepid_epid.delivery.raw_frames import read_raw_frames
from intrepid_epid.portal_reader.his_file import read_his
from intrepid_rt.errors import AmbiguousInput, MissingObject, UnreadableFile, UnsupportedGeometry

RNG = np.random.default_rng(3)


def field(n=40):
    """Frames of a field without symmetry, rows other than columns."""
    signal = np.full((3, n, n), 0.002)
    signal[:, 8:20, 12:33] = 0.6 + 0.01 * np.arange(12)[None, :, None] + 0.004 * np.arange(21)
    return signal + 0.001 * RNG.random((3, n, n))


@pytest.mark.parametrize("image_header", [0, 32, 200])
def test_pixels_follow_both_headers(tmp_path, image_header):
    pixels = RNG.integers(0, 65536, (2, 24, 24), np.uint16)
    path = tmp_path / "a.his"
    path.write_bytes(frame_builders.his_bytes(pixels, image_header=image_header))
    header, stored = read_his(path)
    np.testing.assert_array_equal(stored, pixels)
    assert (header.rows, header.columns, header.n_frames, header.integration_time) == (24, 24, 2, 432000.0)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda data: data[:50], UnreadableFile, "does not begin like"),
        (lambda data: b"DICM" + data[4:], UnreadableFile, "does not begin like"),
        (lambda data: data[:-2], UnreadableFile, "cut short"),
        (lambda data: data[:32] + b"\x08\0" + data[34:], UnreadableFile, "type 8"),
        (lambda data: data[:20] + b"\0\0" + data[22:], UnreadableFile, "0 frames"),
        (lambda data: data[:16] + b"\x0b\0" + data[18:], UnsupportedGeometry, "square"),
    ],
)
def test_damaged_files_are_refused(tmp_path, change, error, words):
    path = tmp_path / "a.his"
    path.write_bytes(change(frame_builders.his_bytes(np.zeros((24, 24), np.uint16))))
    with pytest.raises(error, match=words):
        read_his(path)


@pytest.mark.parametrize("with_xml", [False, True])
def test_frames_become_signal_on_gantry_axes(tmp_path, with_xml):
    signal, angles = field(), [350.0, 0.0, 10.0]
    path = frame_builders.write_raw(
        tmp_path / "raw", signal, Ids(), gantry_deg=angles, panel_width_mm=400.0, with_xml=with_xml
    )
    made = read_raw_frames(path)
    assert [frame.gantry_angle_deg for frame in made.frames] == pytest.approx(angles)
    assert np.diff([frame.time_s for frame in made.frames]) == pytest.approx([0.4, 0.4])
    image = made.integrated.image
    np.testing.assert_allclose(image.values, signal.sum(axis=0), atol=2e-4)
    # 40 pixels of 10 mm, the first row at the gantry, which is +Y.
    assert (image.first_pixel_mm, image.pixel_spacing_mm, image.unit) == ((-195.0, 195.0), (10.0, 10.0), "signal")
    for frame, expected in zip(made.frames, signal, strict=True):
        np.testing.assert_allclose(frame.image.values, expected, atol=1e-4)
    assert made.dropped == made.doubled == 0


def test_rows_may_begin_at_the_couch(tmp_path):
    path = frame_builders.write_raw(tmp_path / "raw", field(), Ids(), gantry_deg=[0, 1, 2], panel_width_mm=400.0)
    straight = read_raw_frames(path).integrated.image.values
    path.write_text(path.read_text().replace('"gantry"', '"couch"'))
    np.testing.assert_array_equal(read_raw_frames(path).integrated.image.values, straight[::-1])


def test_what_is_missing_or_wrong_is_named(tmp_path):
    path = frame_builders.write_raw(tmp_path / "raw", field(), Ids(), gantry_deg=[0, 1, 2], panel_width_mm=400.0)
    text = path.read_text()
    for old, new, words in (
        ("intrepid-frames-1", "other", "schema"),
        ('"panel_width_mm": 400.0', '"panel_width_mm": -1.0', "not positive"),
        ('"first_row": "gantry"', '"first_row": "top"', "first_row"),
        ('"pixel_factor": 30000.0', '"pixel_factor": 0.0', "pixel factor"),
        ("00002.raw.his", "../00002.raw.his", "another folder"),
        ('"beam_number": 1', '"beam_number": "one"', "no table of frames"),
    ):
        path.write_text(text.replace(old, new))
        with pytest.raises(UnreadableFile, match=words):
            read_raw_frames(path)
    path.write_text(text)
    (path.parent / "00002.raw.his").unlink()
    with pytest.raises(MissingObject, match="lacks 1 raw frame"):
        read_raw_frames(path)


def test_other_polarity_is_refused(tmp_path):
    upside_down = 2.0 - field()
    path = frame_builders.write_raw(tmp_path / "raw", upside_down, Ids(), gantry_deg=[0, 1, 2], panel_width_mm=400.0)
    with pytest.raises(AmbiguousInput, match="inverted"):
        read_raw_frames(path)


def test_angles_that_are_no_numbers_are_refused(tmp_path):
    path = frame_builders.write_raw(
        tmp_path / "raw", field(), Ids(), gantry_deg=[0, 1, 2], panel_width_mm=400.0, with_xml=True
    )
    xml = path.with_name("_Frames.xml")
    xml.write_text(re.sub("<GantryAngle>[^<]+", "<GantryAngle>inf", xml.read_text(), count=1))
    with pytest.raises(UnreadableFile, match="GantryAngle inf"):
        read_raw_frames(path)


def test_encrypted_pixel_factors_are_refused(tmp_path):
    path = frame_builders.write_raw(
        tmp_path / "raw", field(), Ids(), gantry_deg=[0, 1, 2], panel_width_mm=400.0, with_xml=True
    )
    xml = path.with_name("_Frames.xml")
    xml.write_text(xml.read_text().replace("<PixelFactor>30000.0", "<PixelFactor>-8712345.0", 1))
    with pytest.raises(UnreadableFile, match="encrypted"):
        read_raw_frames(path)
