"""Readers under hypothesis: whatever the bytes, a reader returns or refuses, and what it returns is finite."""

import contextlib
import json
import tempfile
from pathlib import Path

import numpy as np
import pydicom
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

import builders
from builders import BeamSpec, Ids, Lattice
from intrepid_dvh.constraint_reading import library_or_table
from intrepid_dvh.text.reading import read_dvh_files
from intrepid_rt.dicom_dose import read_dose_object
from intrepid_rt.dicom_plan import read_plan
from intrepid_rt.errors import UnusableInput
from intrepid_rt.small_files import parse_json

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
ELEMENTS = st.sampled_from(
    ("DoseGridScaling", "PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient", "GridFrameOffsetVector",
     "NumberOfFrames", "DoseUnits", "DoseType", "DoseSummationType")
)  # fmt: skip
VALUES = st.text(alphabet="0123456789.eE+-\\ ", max_size=40).map(str.encode) | st.binary(max_size=16)


def read(reader, content: bytes, name: str):
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(UnusableInput):
        path = Path(folder) / name
        path.write_bytes(content)
        return reader(path)


@QUICK
@given(st.binary(max_size=300), st.sampled_from(("Eclipse", "Patient Name          : X\n", "Structure: PTV\n", "")))
def test_any_bytes_as_an_export(content, head):
    read(lambda path: read_dvh_files([path]), head.encode() + content, "export.txt")


@QUICK
@given(JSON)
def test_any_json_as_constraints(tree):
    with contextlib.suppress(UnusableInput):
        parse_json(json.dumps(tree), "tree")
    read(library_or_table, json.dumps(tree).encode(), "library.json")
    read(library_or_table, json.dumps({"structures": {"PTV": tree}}).encode(), "roe.json")


def dataset_with(made: pydicom.Dataset, keyword: str, value: bytes) -> pydicom.Dataset:
    tag = Tag(keyword)
    vr = made[tag].VR if tag in made else "DS"
    made._dict[tag] = RawDataElement(tag, vr, len(value), value, 0, False, True)
    return made


@QUICK
@given(ELEMENTS, VALUES)
def test_any_value_in_the_header_of_a_dose(keyword, value):
    lattice = Lattice((3, 4, 5))
    made = builders.rtdose(np.ones(lattice.shape), lattice, Ids())
    with contextlib.suppress(UnusableInput):
        dose = read_dose_object(dataset_with(made, keyword, value))
        assert np.isfinite(dose.grid.values).all()
        assert np.isfinite(dose.grid.index_to_lps).all()
        assert abs(np.linalg.det(dose.grid.index_to_lps)) > 0


@QUICK
@given(st.sampled_from(("GantryAngle", "IsocenterPosition", "NominalBeamEnergy", "BeamLimitingDeviceAngle")), VALUES)
def test_any_value_in_a_control_point(keyword, value):
    made = builders.rtplan([BeamSpec()], Ids())
    dataset_with(made.BeamSequence[0].ControlPointSequence[0], keyword, value)
    with contextlib.suppress(UnusableInput):
        (point, *_) = read_plan(made).beams[0].control_points
        assert np.isfinite([point.gantry_angle_deg, point.collimator_angle_deg, *point.isocentre_lps_mm]).all()
