"""Raw panel files beside another reader: the numbers that RTK reads, in the same order.

Files and numbers were kept by Testing/benchmarks/peer_rtk_his.py with itk-rtk 2.7.0.post1 (see
Testing/golden/his/README.md).
"""

from pathlib import Path

import numpy as np
import pytest

from intrepid_epid.portal_reader.his_file import read_his

GOLDEN = np.load(Path(__file__).parents[2] / "golden" / "his" / "rtk_his.npz")
NAMES = [str(GOLDEN[f"name_{number}"]) for number in range(len(GOLDEN.files) // 3)]


@pytest.mark.parametrize(("number", "name"), list(enumerate(NAMES)), ids=str)
def test_pixels_are_those_of_rtk(tmp_path, number, name):
    path = tmp_path / "frame.his"
    path.write_bytes(GOLDEN[f"file_{number}"].tobytes())
    header, stored = read_his(path)
    expected = GOLDEN[f"rtk_{number}"]
    assert (header.n_frames, header.rows, header.columns) == (1, *expected.shape), name
    np.testing.assert_array_equal(stored[0], expected)
    assert not np.array_equal(stored[0], expected.T)
