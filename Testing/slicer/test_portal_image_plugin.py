"""The DICOM plugin on images of real machines: offered, placed by their own geometry, described as SlicerRT does.

Slicer's DICOM package and database are stand-ins with the methods that the plugin calls; scene and nodes are MRML's.
"""

import importlib.util
import sys
import types
from pathlib import Path

import numpy as np
import pytest

import builders
from builders import BeamSpec, Ids
from intrepid_rt.beam_frame import beam_frame

pytest.importorskip("slicer")

import slicer
from SlicerInTrEPIDLib.headless import headless_scene
from SlicerInTrEPIDLib.rtimage import place, reasons_of_slicerrt
from SlicerInTrEPIDLib.volumes import read_volume

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "Testing" / "data" / "portal_images"


class Database:
    """Answers as ctkDICOMDatabase does."""

    def __init__(self, plans=None):
        self.plans = plans or {}

    def fileValue(self, file, tag):
        import pydicom

        group, element = tag.split(",")
        value = pydicom.dcmread(file, stop_before_pixels=True, force=True).get((int(group, 16), int(element, 16)))
        return "" if value is None else str(value.value)

    def fileForInstance(self, uid):
        return self.plans.get(uid, "")


@pytest.fixture
def plugin(monkeypatch):
    """The plugin's class, loaded from its file as Slicer does."""
    package, translation = types.ModuleType("DICOMLib"), types.ModuleType("slicer.i18n")

    class DICOMPlugin:
        def __init__(self):
            self.tags = {"modality": "0008,0060"}

        def addSeriesInSubjectHierarchy(self, loadable, node):
            tree = slicer.mrmlScene.GetSubjectHierarchyNode()
            tree.CreateItem(tree.GetSceneItemID(), node)

    package.DICOMPlugin, package.DICOMLoadable, translation.tr = DICOMPlugin, types.SimpleNamespace, str
    monkeypatch.setitem(sys.modules, "DICOMLib", package)
    monkeypatch.setitem(sys.modules, "slicer.i18n", translation)
    monkeypatch.setattr(slicer, "modules", types.SimpleNamespace(), raising=False)
    path = ROOT / "DICOMPortalImagePlugin" / "DICOMPortalImagePlugin.py"
    spec = importlib.util.spec_from_file_location("DICOMPortalImagePlugin", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.DICOMPortalImagePlugin(types.SimpleNamespace())
    return slicer.modules.dicomPlugins["DICOMPortalImagePlugin"]()


@pytest.fixture
def scene():
    with headless_scene() as made:
        made.GetSubjectHierarchyNode()  # made at first use
        slicer.mrmlScene = made
        yield made
        slicer.mrmlScene = None


def loaded(plugin, monkeypatch, scene, file, plans=None):
    monkeypatch.setattr(slicer, "dicomDatabase", Database(plans), raising=False)
    [loadable] = plugin.examineForImport([[str(file)]])
    return loadable, plugin.load(loadable)


@pytest.mark.parametrize("name", ["iview_field", "varian_as500_open", "varian_open_field"])
def test_real_images_that_slicerrt_refuses_are_loaded(plugin, monkeypatch, scene, name):
    file = IMAGES / f"{name}.dcm"
    loadable, node = loaded(plugin, monkeypatch, scene, file)
    assert loadable.confidence == 1.0
    assert "SlicerRT refuses it" in loadable.warning
    values, index_to_lps = read_volume(node)
    placed = place(file, None)
    image = placed.frame.image
    assert values.shape == (1, *image.values.shape)
    np.testing.assert_allclose(values[0], image.values, rtol=1e-5, atol=1e-5)
    # The first pixel, by hand: gantry 0, isocentre at the origin, panel below it; LPS x is +X_g, z is +Y_g.
    x_mm, y_mm = image.first_pixel_mm
    below = image.source_to_image_mm - image.source_to_axis_mm
    np.testing.assert_allclose(index_to_lps[:3, 3], (x_mm, below, y_mm), atol=1e-3)
    tree = scene.GetSubjectHierarchyNode()
    item = tree.GetItemByDataNode(node)
    assert tree.GetItemAttribute(item, "DicomRtImport.RtImage") == "1"
    assert float(tree.GetItemAttribute(item, "DicomRtImport.RtImageSid")) == pytest.approx(image.source_to_image_mm)
    assert tree.GetItemUID(item, "DICOMInstanceUID") == placed.frame.sop_instance_uid
    assert node.GetAttribute("DicomRtImport.DoseVolume") is None
    assert "isocentre" in node.GetAttribute("InTrEPID.Notes")


@pytest.fixture
def treatment(tmp_path):
    """An image and its plan: two beams with one isocentre, couch 350, as `builders` writes it."""
    ids = Ids()
    plan = builders.rtplan([BeamSpec("A", (0.0,), isocentre=(5.0, -8.0, 11.0)), BeamSpec("B", (60.0,))], ids)
    image = builders.rtimage(builders.elekta_pixels(builders.field_signal(), 30000.0), ids, gantry_deg=0.3)
    image.XRayImageReceptorTranslation = [0, 0, -600]
    return builders.save(image, tmp_path / "image.dcm"), builders.save(plan, tmp_path / "plan.dcm"), ids


def test_plan_gives_isocentre_and_couch_and_the_image_its_own_angle(plugin, monkeypatch, scene, treatment):
    file, plan, ids = treatment
    _, node = loaded(plugin, monkeypatch, scene, file, {ids.plan: str(plan)})
    _, index_to_lps = read_volume(node)
    frame = beam_frame(0.3, (5.0, -8.0, 11.0), couch_angle_deg=350.0)
    x_mm, y_mm = place(file, plan).frame.image.first_pixel_mm
    np.testing.assert_allclose(index_to_lps[:3, 3], frame.to_lps((x_mm, y_mm, -600.0)), atol=1e-3)


def test_what_slicerrt_can_load_is_left_to_it(treatment):
    import pydicom

    file, _, _ = treatment
    assert reasons_of_slicerrt(file) == ["no RTImagePosition", "receptor translation"]
    image = pydicom.dcmread(file)
    image.XRayImageReceptorTranslation, image.RTImagePosition = [0, 0, 0], [-10.0, 10.0]
    image.save_as(file)
    assert reasons_of_slicerrt(file) == []


def test_other_files_are_not_offered_and_bad_ones_are_refused(plugin, monkeypatch, scene, treatment, tmp_path):
    file, plan, _ = treatment
    monkeypatch.setattr(slicer, "dicomDatabase", Database(), raising=False)
    assert plugin.examineForImport([[str(plan)]]) == []
    import pydicom

    image = pydicom.dcmread(file)
    image.RTImagePlane = "NON_NORMAL"
    image.RTImageOrientation = [0, 1, 0, 0, 0, 1]
    image.save_as(tmp_path / "tilted.dcm")
    _, node = loaded(plugin, monkeypatch, scene, tmp_path / "tilted.dcm")
    assert node is None
    assert scene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode") is None
