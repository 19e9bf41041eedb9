"""A full disk is named in one line, also when a library wraps the error in a traceback."""

import io

import pytest
from pydicom.dataset import Dataset
from pydicom.filebase import DicomIO
from pydicom.filewriter import write_dataset

from intrepid_rt.atomic import replacing, staged_folder
from intrepid_rt.errors import OutputNotWritable


class FullDisk(io.BytesIO):
    def write(self, data):
        raise OSError(28, "No space left on device")


def written_to_a_full_disk():
    file = DicomIO(FullDisk())
    file.is_little_endian, file.is_implicit_VR = True, False
    dataset = Dataset()
    dataset.PatientID = "1"
    write_dataset(file, dataset)


def test_pydicom_wraps_the_error():
    with pytest.raises(OSError, match="Traceback"):
        written_to_a_full_disk()


@pytest.mark.parametrize("writer", [replacing, staged_folder])
def test_the_reason_is_one_line(tmp_path, writer):
    with pytest.raises(OutputNotWritable) as refused, writer(tmp_path / "result"):
        written_to_a_full_disk()
    assert "No space left on device. Free space" in str(refused.value)
    assert "Traceback" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []
