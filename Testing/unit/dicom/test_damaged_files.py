"""Files that are cut short, lie about their size or are no DICOM are refused before memory is set aside."""

import contextlib
import struct
import tracemalloc

import numpy as np
import pydicom
import pytest

import builders
from builders import BeamSpec, Ids, Lattice, Roi, linear_field, ring
from intrepid_epid.portal_reader import read_portal_image
from intrepid_rt.dicom_dose import read_dose
from intrepid_rt.dicom_file import collecting, decimals, read_dataset
from intrepid_rt.dicom_plan import read_plan
from intrepid_rt.dicom_structures import read_structure_set
from intrepid_rt.errors import UnreadableFile, UnusableInput

READERS = {"RTDOSE": read_dose, "RTPLAN": read_plan, "RTSTRUCT": read_structure_set, "RTIMAGE": read_portal_image}


def whole_file(modality: str, tmp_path, *, implicit: bool = False):
    lattice = Lattice()
    made = {
        "RTDOSE": lambda: builders.rtdose(linear_field(lattice.pixel_positions()), lattice, Ids()),
        "RTPLAN": lambda: builders.rtplan([BeamSpec(), BeamSpec()], Ids()),
        "RTSTRUCT": lambda: builders.rtstruct([Roi("A", [ring((0, 0), 9, z) for z in range(5)])], Ids()),
        "RTIMAGE": lambda: builders.rtimage(
            builders.elekta_pixels(builders.field_signal(), 3e4), Ids(), elekta_factor=3e4
        ),
    }[modality]()
    if implicit:
        made.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2"
    return builders.save(made, tmp_path / f"{modality}.dcm")


@pytest.mark.parametrize("modality", READERS)
@pytest.mark.parametrize("implicit", [False, True])
def test_a_file_cut_anywhere_is_refused(tmp_path, modality, implicit):
    path = whole_file(modality, tmp_path, implicit=implicit)
    whole = path.read_bytes()
    READERS[modality](path)
    survivors = []
    for length in np.linspace(0, len(whole) - 2, 60).astype(int):
        path.write_bytes(whole[:length])
        with contextlib.suppress(UnusableInput):
            READERS[modality](path)
            survivors.append(int(length))
    # A cut exactly between two optional elements at the end leaves a whole, shorter object.
    assert survivors == []


def test_padding_with_zeros_is_no_damage(tmp_path):
    path = whole_file("RTDOSE", tmp_path)
    path.write_bytes(path.read_bytes() + bytes(6))
    read_dose(path)


@pytest.mark.parametrize("content", [b"", b"\0" * 500, b"hello, I am no DICOM file\n" * 40, b"PK\x03\x04" + b"x" * 900])
@pytest.mark.parametrize("modality", READERS)
def test_what_is_no_dicom_is_refused(tmp_path, content, modality):
    path = tmp_path / "file.dcm"
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match=r"file\.dcm"):
        READERS[modality](path)


def test_random_bytes_after_a_preamble_are_refused(tmp_path):
    path = tmp_path / "file.dcm"
    for seed in range(40):
        noise = np.random.default_rng(seed).bytes(2000)
        path.write_bytes(bytes(128) + b"DICM" + noise)
        with pytest.raises(UnusableInput):
            read_dose(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UnreadableFile, match=r"nowhere\.dcm is no file"):
        read_dose(tmp_path / "nowhere.dcm")


def test_eight_gigabytes_claimed_by_a_small_header(tmp_path):
    lattice = Lattice((1, 2, 2))
    made = builders.rtdose(linear_field(lattice.pixel_positions()), lattice, Ids())
    made.Rows, made.Columns, made.NumberOfFrames = 40000, 50000, 1
    made.GridFrameOffsetVector = [0.0]
    path = builders.save(made, tmp_path / "big.dcm")
    assert path.stat().st_size < 3000
    with pytest.raises(UnreadableFile, match="8000000000 bytes, but holds 16"):
        _without_memory(read_dose, path)


def test_eight_gigabytes_claimed_by_a_length_field(tmp_path):
    path = whole_file("RTIMAGE", tmp_path)
    content = path.read_bytes()
    pixels = content.rindex(struct.pack("<HH", 0x7FE0, 0x0010))
    # Explicit VR: tag, "OW", two reserved bytes, then the length.
    path.write_bytes(content[: pixels + 8] + struct.pack("<L", 0xFFFFFFF0) + content[pixels + 12 : pixels + 900])
    with pytest.raises(UnreadableFile, match="cut short"):
        _without_memory(read_portal_image, path)


def test_compressed_pixels_that_claim_gigabytes(tmp_path):
    lattice = Lattice((1, 8, 8))
    made = builders.rtdose(np.ones((1, 8, 8)), lattice, Ids(), bits=16)
    made.compress(pydicom.uid.RLELossless, generate_instance_uid=False)
    made.Rows, made.Columns = 40000, 50000
    path = builders.save(made, tmp_path / "big.dcm")
    with pytest.raises(UnreadableFile, match="damaged"):
        _without_memory(read_dose, path)


def _without_memory(reader, path):
    tracemalloc.start()
    try:
        reader(path)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 50e6


def test_run_length_encoding_is_read(tmp_path):
    lattice = Lattice()
    made = builders.rtdose(linear_field(lattice.pixel_positions()), lattice, Ids(), bits=16)
    plain = read_dose(made)
    made.compress(pydicom.uid.RLELossless, generate_instance_uid=False)
    np.testing.assert_array_equal(read_dose(builders.save(made, tmp_path / "rle.dcm")).values, plain.values)


def test_a_compression_that_cannot_be_decoded_is_named(tmp_path, capfd):
    made = builders.rtdose(np.ones((1, 8, 8)), Lattice((1, 8, 8)), Ids(), bits=16)
    made.compress(pydicom.uid.RLELossless, generate_instance_uid=False)
    made.file_meta.TransferSyntaxUID = pydicom.uid.JPEGLSLossless
    with pytest.raises(UnreadableFile, match="JPEG-LS"):
        read_dose(builders.save(made, tmp_path / "jls.dcm"))
    assert capfd.readouterr() == ("", "")


def test_big_endian_and_missing_meta_information(tmp_path):
    lattice = Lattice()
    made = builders.rtdose(linear_field(lattice.pixel_positions()), lattice, Ids())
    expected = read_dose(made).values
    bare = tmp_path / "bare.dcm"
    del made.file_meta
    pydicom.dcmwrite(bare, made, implicit_vr=True, little_endian=True)
    np.testing.assert_array_equal(read_dose(bare).values, expected)
    turned = made["PixelData"].value
    made.PixelData = np.frombuffer(turned, "<u4").astype(">u4").tobytes()
    big = tmp_path / "big_endian.dcm"
    pydicom.dcmwrite(big, made, implicit_vr=False, little_endian=False)
    np.testing.assert_array_equal(read_dose(big).values, expected)


def test_bits_above_the_stored_ones_are_dropped():
    made = builders.rtdose(np.full((2, 3, 4), 2.0), Lattice((2, 3, 4)), Ids(), bits=16)
    made.BitsStored, made.HighBit, made.DoseGridScaling = 12, 11, "0.5"
    stored = np.full((2, 3, 4), 0x3004, np.uint16)  # an overlay in bits 12 and 13, value 4
    made.PixelData = stored.tobytes()
    assert (read_dose(made).values == 2.0).all()


@pytest.mark.parametrize("value", ["abc", "nan", "inf"])
def test_numbers_that_are_none_are_refused(value):
    made = pydicom.Dataset()
    made[0x3004000E] = pydicom.dataelem.RawDataElement(
        pydicom.tag.Tag(0x3004000E), "DS", len(value), value.encode(), 0, False, True
    )
    with pytest.raises(UnreadableFile, match="DoseGridScaling holds a value"):
        decimals(made, "DoseGridScaling")


def test_remarks_of_the_parser_become_notes_without_names(tmp_path, recwarn, caplog):
    made = builders.rtplan([BeamSpec()], Ids(plan="1.2.103.4"))
    path = builders.save(made, tmp_path / "plan.dcm")
    content = path.read_bytes().replace(b"1.2.103.4", b"1.2.003.4").replace(b"Doe^Secret", b"Doe=a=b==c")
    path.write_bytes(content)
    notes: list[str] = []
    with collecting(notes):
        dataset = read_dataset(path)
        assert dataset.PatientName is not None
        assert dataset.SOPInstanceUID == "1.2.003.4"
    assert notes[0].startswith("The number of PN components length")
    assert notes[1] == "Invalid value for VR UI: '1.2.003.4'."
    assert not any("Doe" in note for note in notes)
    assert read_plan(path).notes == (notes[1],)
    assert len(recwarn) == 0
    assert caplog.records == []
