"""The folder of the day: a file that is not used is a warning of the report."""

import numpy as np

import builders
from builders import Ids, Lattice
from intrepid_cli.verification.day_files import read_day_files


def test_a_slice_that_cannot_be_read_is_said(tmp_path):
    """At the end of the stack no gap betrays it: the image is only shorter."""
    lattice = Lattice()
    for number, one in enumerate(builders.ct_slices(np.zeros(lattice.shape), lattice, Ids())):
        builders.save(one, tmp_path / f"CT_{number}.dcm")
    whole = read_day_files(tmp_path, patient_id="TEST-1")
    (tmp_path / "CT_4.dcm").write_bytes(b"what a broken transfer left")
    shorter = read_day_files(tmp_path, patient_id="TEST-1")
    assert (whole.series.grid.shape[0], shorter.series.grid.shape[0]) == (5, 4)
    (said,) = set(shorter.notes) - set(whole.notes)
    assert said.startswith("CT_4.dcm was not used: ")
