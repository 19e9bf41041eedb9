"""What other DICOM programs read from the RTDOSE we write, and what we read from archives; see test_conformance.py."""

import shutil
import subprocess

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813 - the name its documentation uses

import builders
from builders import BeamSpec, Ids
from intrepid_rt.dicom_ct import read_ct, read_ct_series
from intrepid_rt.dicom_dose import DoseReferences, read_dose, write_dose
from intrepid_rt.grids import DoseGrid, affine_from_axes

pytestmark = pytest.mark.external

needs_dcmtk = pytest.mark.skipif(shutil.which("dcmconv") is None, reason="dcmtk is not installed")


@pytest.fixture
def plan():
    return builders.rtplan([BeamSpec()], Ids())


def written(path, plan, orientation=builders.AXIAL, **options):
    along_row, along_column = np.array(orientation, float).reshape(2, 3)
    axes = [along_row, along_column, np.cross(along_row, along_column)]
    grid = DoseGrid(
        np.random.default_rng(1).random((4, 5, 6), np.float32) * 60,
        affine_from_axes((-100.1, 22.25, 1 / 3), (2.5, 3.0, 2.0), axes),
        plan.FrameOfReferenceUID,
    )
    options = {"references": DoseReferences(plan.SOPInstanceUID, "1.2.3.4.5"), **options}
    write_dose(path, grid, template=plan, comment="unit test", **options)
    return grid


@needs_dcmtk
def test_dcmtk_reads_and_rewrites_it(tmp_path, plan):
    grid = written(tmp_path / "dose.dcm", plan)
    subprocess.run(["dcmconv", "+ti", str(tmp_path / "dose.dcm"), str(tmp_path / "implicit.dcm")], check=True)
    read = read_dose(tmp_path / "implicit.dcm")
    np.testing.assert_allclose(read.values, grid.values, atol=60e-7)
    assert read.same_lattice(grid)


def test_itk_reads_it_in_the_same_place(tmp_path, plan):
    grid = written(tmp_path / "dose.dcm", plan)
    image = sitk.ReadImage(str(tmp_path / "dose.dcm"))
    scaling = float(pydicom.dcmread(tmp_path / "dose.dcm").DoseGridScaling)
    np.testing.assert_allclose(sitk.GetArrayFromImage(image) * scaling, grid.values, atol=60e-7)
    assert image.GetSpacing() == pytest.approx(grid.spacing_mm)
    assert image.GetOrigin() == pytest.approx(tuple(grid.origin_lps_mm))


@needs_dcmtk
def test_dcmtk_shows_its_description(tmp_path, plan):
    written(tmp_path / "dose.dcm", plan)
    shown = subprocess.run(["dcmdump", str(tmp_path / "dose.dcm")], capture_output=True, text=True, check=True)
    assert shown.stderr == ""
    for expected in ("=RTDoseStorage", "CS [GY]", "CS [PLAN]", "AT (3004,000c)", f"UI [{plan.SOPInstanceUID}]"):
        assert expected in shown.stdout


@needs_dcmtk
@pytest.mark.parametrize("program", [["dcmcjpeg", "+e1"], ["dcmcjpls"], ["dcmcrle"]], ids=lambda p: p[0])
def test_compressed_ct_as_archives_export_it(tmp_path, program):
    lattice = builders.Lattice((3, 16, 20))
    hounsfield = np.random.default_rng(2).integers(-1000, 3000, lattice.shape)
    plain, packed = [], []
    for number, one in enumerate(builders.ct_slices(hounsfield, lattice, Ids())):
        plain.append(builders.save(one, tmp_path / f"plain{number}.dcm"))
        packed.append(tmp_path / f"packed{number}.dcm")
        subprocess.run([*program, str(plain[-1]), str(packed[-1])], check=True)
        assert pydicom.dcmread(packed[-1]).file_meta.TransferSyntaxUID.is_compressed
    np.testing.assert_array_equal(read_ct(packed).values, read_ct(plain).values)


@needs_dcmtk
def test_loss_of_compression_is_noted(tmp_path):
    lattice = builders.Lattice((1, 16, 20))
    (one,) = builders.ct_slices(np.full(lattice.shape, 40.0), lattice, Ids(), intercept=0)
    one.PixelRepresentation = 0
    one.BitsStored, one.HighBit = 12, 11
    path = builders.save(one, tmp_path / "plain.dcm")
    subprocess.run(["dcmcjpeg", "+ee", str(path), str(tmp_path / "lossy.dcm")], check=True)
    series = read_ct_series([tmp_path / "lossy.dcm"])
    np.testing.assert_allclose(series.grid.values, 40, atol=2)
    assert any("compressed with loss" in note for note in series.notes)
