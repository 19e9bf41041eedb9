"""What the tests of gamma share."""

import pytest

from intrepid_rt.image_files import read_dose_file
from unit.gamma.gamma_grids import GOLDEN


@pytest.fixture(scope="session")
def ent_pair():
    """Reference and evaluated dose of SlicerRT's test; see Testing/golden/gamma/README.md."""
    return tuple(read_dose_file(GOLDEN / name) for name in ("EclipseEnt_Dose.nrrd", "EclipseEnt_Dose_Day2.nrrd"))
