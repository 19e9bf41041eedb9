"""Every bad study ends in one line that says what was found and what to do, and never names the patient."""

from pathlib import Path

import pytest

from bad_studies import BAD_STUDIES
from builders import write_treatment
from intrepid_cli.verification.selection import select
from intrepid_epid.portal_reader import read_portal_image
from intrepid_rt.dicom_ct import read_ct_series
from intrepid_rt.dicom_dose import read_dose_object
from intrepid_rt.dicom_plan import beams_with_meterset
from intrepid_rt.dicom_structures import read_structure_set
from intrepid_rt.errors import UnusableInput
from intrepid_rt.scan import scan


def read_all(folder: Path) -> int:
    """Read whatever a verification needs; return the number of objects."""
    selection = select(scan(folder))
    beams_with_meterset(selection.plan.plan)
    read = [
        read_ct_series(selection.ct.paths),
        *(read_structure_set(file.path) for file in [selection.structure_set] if file is not None),
        *(read_dose_object(dose.path) for dose in selection.doses),
        *(read_portal_image(image.path) for _, image in selection.beams),
    ]
    return len(read)


def test_the_whole_study_is_read(tmp_path):
    write_treatment(tmp_path)
    assert read_all(tmp_path) == 5


@pytest.mark.parametrize(("damage", "message"), BAD_STUDIES.values(), ids=BAD_STUDIES)
def test_bad_study_is_refused_in_one_line(tmp_path, damage, message):
    ids = write_treatment(tmp_path)
    damage(tmp_path, ids)
    with pytest.raises(UnusableInput, match=message) as refused:
        read_all(tmp_path)
    line = str(refused.value)
    assert "\n" not in line
    assert "Secret" not in line
    assert "TEST-1" not in line
    assert line.endswith(".")
