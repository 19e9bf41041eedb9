"""A real breast plan against the DVHs of its planning system."""

import gzip
import io
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from intrepid_dvh.compute import compute_dvh
from intrepid_dvh.curve import DVH
from intrepid_dvh.dicom_dvh import read_dvhs, write_dvhs
from intrepid_rt.dicom_dose import read_dose
from intrepid_rt.dicom_structures import read_structure_set
from intrepid_rt.errors import InvalidSetting, MissingObject
from intrepid_rt.grids import DoseGrid
from intrepid_rt.structures import StructureSet

GOLDEN = Path(__file__).parents[2] / "golden" / "dvh_engine"
LARGE = ("Breast", "Heart", "Lt Lung", "Tumor Bed", "Tumor Bed Block")
SMALL = ("Nodes", "Borders")


def dataset(name: str) -> Dataset:
    return pydicom.dcmread(io.BytesIO(gzip.decompress((GOLDEN / name).read_bytes())))


@pytest.fixture(scope="module")
def rtdose() -> Dataset:
    return dataset("breast_rtdose.dcm.gz")


@pytest.fixture(scope="module")
def dose(rtdose: Dataset) -> DoseGrid:
    return read_dose(rtdose)


@pytest.fixture(scope="module")
def structures() -> StructureSet:
    return read_structure_set(dataset("breast_rtss.dcm.gz"))


@pytest.fixture(scope="module")
def stored(rtdose: Dataset, structures: StructureSet) -> dict[str, DVH]:
    names = {s.number: s.name for s in structures.structures}
    return {dvh.structure: dvh for dvh in read_dvhs(rtdose, names=names)}


def test_statistics_in_percent_are_noticed(stored: dict[str, DVH]) -> None:
    assert len(stored) == 9
    assert stored["BODY"].stated.max_gy == pytest.approx(14.680764, abs=1e-6)
    assert stored["Heart"].stated.mean_gy == pytest.approx(4.62539474348025 * 0.14, rel=1e-6)
    assert stored["Heart"].dose_gy[-1] == pytest.approx(3.11)
    assert all("percent of 14 Gy" in dvh.warnings[0] for dvh in stored.values())


@pytest.mark.parametrize("between_planes", ["slab", "linear"])
@pytest.mark.parametrize("name", LARGE + SMALL)
def test_same_as_the_planning_system(
    name: str, between_planes: str, dose: DoseGrid, structures: StructureSet, stored: dict[str, DVH]
) -> None:
    ours = compute_dvh(dose, structures.named(name), end_caps="none", between_planes=between_planes)
    theirs = stored[name]
    if name in LARGE:
        assert ours.structure_volume_cc == pytest.approx(theirs.structure_volume_cc, rel=0.01)
        assert ours.metric("V5Gy").value == pytest.approx(theirs.metric("V5Gy").value, abs=1.0)
    else:
        assert ours.structure_volume_cc == pytest.approx(theirs.structure_volume_cc, abs=0.1)
    assert ours.stated.mean_gy == pytest.approx(theirs.stated.mean_gy, abs=0.005 * theirs.stated.max_gy)
    for metric in ("D2%", "D50%", "D95%"):
        assert ours.metric(metric).value == pytest.approx(theirs.metric(metric).value, abs=0.14), metric


@pytest.mark.parametrize("name", ["Breast", "Heart", "Tumor Bed", "Tumor Bed Block"])
def test_hottest_point_is_the_planning_system_s(
    name: str, dose: DoseGrid, structures: StructureSet, stored: dict[str, DVH]
) -> None:
    ours = compute_dvh(dose, structures.named(name), end_caps="none")
    assert ours.stated.max_gy == pytest.approx(stored[name].stated.max_gy, abs=0.02)


def test_empty_structure_has_no_dvh(dose: DoseGrid, structures: StructureSet) -> None:
    with pytest.raises(MissingObject, match="Areola has no closed contour"):
        compute_dvh(dose, structures.named("Areola"))


def test_curves_in_percent_are_scaled_by_the_prescription(rtdose: Dataset, stored: dict[str, DVH]) -> None:
    relative = pydicom.Dataset()
    relative.update({e.tag: e for e in rtdose})
    item = pydicom.Dataset()
    item.update({e.tag: e for e in rtdose.DVHSequence[3]})
    item.DVHDoseScaling = 100 / 14
    relative.DVHSequence = [item]
    item.DVHMaximumDose = 104.0  # beyond anything in the grid
    item.DVHData = [str(v) for pair in zip([0.047] * 311, item.DVHData[1::2], strict=True) for v in pair]
    unknown, scaled = read_dvhs(relative)[0], read_dvhs(relative, prescription_gy=14.0)[0]
    assert np.isnan(unknown.dose_gy).all()
    assert "not known" in unknown.warnings[0]
    assert scaled.dose_gy[-1] == pytest.approx(0.047 * 311)
    assert "percent of the prescription" in scaled.warnings[0]


def test_written_dvhs_read_back(rtdose: Dataset, stored: dict[str, DVH]) -> None:
    copy = pydicom.Dataset()
    copy.update({e.tag: e for e in rtdose})
    write_dvhs(copy, [(5, stored["Heart"]), (4, stored["Breast"])])
    buffer = io.BytesIO()
    copy.file_meta, copy.preamble = rtdose.file_meta, b"\0" * 128
    pydicom.dcmwrite(buffer, copy)
    again = read_dvhs(pydicom.dcmread(io.BytesIO(buffer.getvalue())))
    assert [dvh.header["ROINumber"] for dvh in again] == [5, 4]
    for before, after in zip((stored["Heart"], stored["Breast"]), again, strict=True):
        assert after.warnings == ()
        assert after.structure_volume_cc == pytest.approx(before.structure_volume_cc)
        assert after.stated.mean_gy == pytest.approx(before.stated.mean_gy)
        for metric in ("D2%", "D50%", "D95%"):
            assert after.metric(metric).value == pytest.approx(before.metric(metric).value, abs=0.01)


def test_dvhs_need_a_structure_set(stored: dict[str, DVH]) -> None:
    with pytest.raises(MissingObject, match="refers to no structure set"):
        write_dvhs(pydicom.Dataset(), [(1, stored["Heart"])])


def test_a_curve_without_gray_is_not_written(rtdose: Dataset, stored: dict[str, DVH]) -> None:
    copy = pydicom.Dataset()
    copy.update({e.tag: e for e in rtdose})
    relative = replace(stored["Heart"], dose_gy=np.full(stored["Heart"].dose_gy.size, np.nan))
    with pytest.raises(InvalidSetting, match="Heart has no doses in Gy"):
        write_dvhs(copy, [(5, relative)])


def test_a_histogram_of_several_rois_says_so(rtdose: Dataset) -> None:
    copy = deepcopy(rtdose)
    first = copy.DVHSequence[0].DVHReferencedROISequence[0]
    other = deepcopy(first)
    other.ReferencedROINumber, other.DVHROIContributionType = int(first.ReferencedROINumber) + 1, "EXCLUDED"
    first.DVHROIContributionType = "INCLUDED"
    copy.DVHSequence[0].DVHReferencedROISequence = [other, first]
    dvh = read_dvhs(copy)[0]
    assert dvh.header["ROINumber"] == first.ReferencedROINumber
    assert any("combined of 2 ROIs" in warning for warning in dvh.warnings)
