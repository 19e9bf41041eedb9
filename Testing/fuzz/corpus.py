"""What is damaged: small whole files of every kind that is read, the same bytes each time.

A *target* is a folder with one kind of file in it that is damaged, and the actions that read it.
"""

import gzip
import itertools
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np
import pydicom
import SimpleITK as sitk  # noqa: N813 - the name its documentation uses
from pydicom.uid import RLELossless

import builders
from builders import Ids, Roi
from chain_phantoms import soft_field
from chain_study import write_profile
from fuzz.mutations import BYTES, DICOM, JSON, TEXT, Mutation
from intrepid_cli.verification.seal import sealed
from intrepid_epid.portal_dose_file import write_portal_dose
from intrepid_rt.dicom_dose import read_dose
from intrepid_rt.image_files import write_image

GOLDEN = Path(__file__).parents[1] / "golden" / "dvh"
TEXTS = GOLDEN / "tps_dvh"
SECRET = "Doe^Secret"
INFO = {"patID": "P1", "doseRx": "50Gy", "structVol": {"PTV": 100.0}}
SPECTRUM = "e_low_mev,e_high_mev,weight\n0.0,1.0,0.5\n1.0,3.0,0.4\n3.0,6.0,0.1\n"
CURVE = "hu,density_g_cc,relative_electron_density\n-1000,0.001,0.001\n0,1,1\n1000,1.6,1.5\n"
ROE = {"structures": {"PTV": {"criteria": {"D95": {"function": "Dx", "parameters": {"x": {"val": 95}}, "limit": 60}}}}}


@dataclass(frozen=True)
class Target:
    """A kind of file: where it lies in the corpus, what may be damaged, how, and who reads it."""

    name: str
    folder: str
    files: tuple[str, ...]  # patterns below the folder
    mutations: tuple[Mutation, ...]
    actions: tuple[str, ...]
    weight: int = 1  # share of the cases


_STUDY = ("read", "deidentify", "cohort", "parcels")
TARGETS = (
    Target("CT", "study", ("CT_*",), DICOM, _STUDY, 3),
    Target("RTSTRUCT", "study", ("RTSTRUCT*",), DICOM, (*_STUDY, "dvh", "gamma-roi"), 5),
    Target("RTPLAN", "study", ("RTPLAN*",), DICOM, (*_STUDY, "read", "dvh-plan"), 5),
    Target("RTDOSE", "study", ("RTDOSE_*",), DICOM, (*_STUDY, "dvh", "gamma"), 6),
    Target("stored DVH", "stored", ("RTDOSE*",), DICOM, ("dvh-stored",), 2),
    Target("RTIMAGE", "study", ("RTIMAGE_*",), DICOM, (*_STUDY, "predict"), 5),
    Target("clinical image", "images", ("*.dcm",), DICOM, ("predict",), 2),
    Target("open field", "commissioning", ("*.dcm",), DICOM, ("commission",), 1),
    Target("fields.csv", "commissioning", ("fields.csv",), TEXT, ("commission",), 1),
    Target("beam model", "commissioning", ("spectrum.csv", "curve.csv"), TEXT, ("commission",), 2),
    Target("profile", "images", ("profile.json",), JSON, ("predict",), 2),
    Target("dose image", "doses", ("*.nrrd", "*.mha", "*.nii.gz"), BYTES, ("gamma-image",), 3),
    Target("DVH export", "texts", ("*",), TEXT, ("dvh-text",), 12),
    Target("Pinnacle zip", "pinnacle", ("*.zip",), BYTES, ("dvh-text",), 1),
    Target("DVH information", "info", ("info.json",), JSON, ("dvh-info",), 1),
    Target("constraints", "constraints", ("*.csv", "*.txt"), TEXT, ("constraints", "constraints-check"), 2),
    Target("constraint library", "constraints", ("*.json",), JSON, ("constraints", "constraints-check"), 2),
    Target("results", "results", ("results.json", "report.html"), JSON, ("verify",), 2),
    Target("receipts", "study", ("receipts.jsonl",), TEXT, ("receipts",), 1),
)  # fmt: skip


def make_corpus(folder: Path) -> Path:
    """Write all folders; UIDs are counted, so that a case number means the same case everywhere."""
    uids = (f"1.2.826.0.1.3680043.8.498.{number}" for number in itertools.count(100))
    with mock.patch.object(builders, "generate_uid", side_effect=uids):
        for make in (_study, _stored, _images, _commissioning, _doses, _texts, _constraints, _results):
            make(folder)
    return folder


def copy_of(target: Target, corpus: Path, place: Path) -> Path:
    """Copy the folder of a target, to be damaged."""
    return Path(shutil.copytree(corpus / target.folder, place / "study"))


def _study(corpus: Path) -> None:
    study = corpus / "study"
    fixed = Ids(*(f"1.2.826.0.1.3680043.8.498.{number}" for number in range(6)))
    builders.write_treatment(study, fixed)
    body = [builders.ring((0, 0), 14, -10.0 + 2.5 * k) for k in range(8)]
    target = [builders.ring((2, 1), 5, -5.0 + 2.5 * k) for k in range(3)]
    rois = [Roi("BODY", body, interpreted_type="EXTERNAL"), Roi("PTV", target), Roi("POI", points=[(1, 2, 3)])]
    builders.save(builders.rtstruct(rois, fixed), study / "RTSTRUCT.dcm")
    _compress(study)
    entry = {"peer": "PEER@127.0.0.1:1", "uid": "1.2.3", "sha256": "0" * 64}
    (study / "receipts.jsonl").write_text(json.dumps(entry) + "\n")


def _compress(study: Path) -> None:
    """Compress one slice by pydicom's encoder, another as archives do, which other libraries must decode."""
    first = pydicom.dcmread(study / "CT_003.dcm")
    first.compress(RLELossless, generate_instance_uid=False)
    first.save_as(study / "CT_003.dcm")
    second = pydicom.dcmread(study / "CT_004.dcm")
    writer, scratch = sitk.ImageFileWriter(), study / "scratch.dcm"
    writer.SetFileName(str(scratch))
    writer.UseCompressionOn()
    writer.SetCompressor("JPEG2000")
    writer.Execute(sitk.GetImageFromArray(second.pixel_array))
    packed = pydicom.dcmread(scratch)
    second["PixelData"], second.file_meta.TransferSyntaxUID = packed["PixelData"], packed.file_meta.TransferSyntaxUID
    second.save_as(study / "CT_004.dcm", enforce_file_format=True)
    scratch.unlink()


def _stored(corpus: Path) -> None:
    """Write a dose that holds the DVH of a structure, 1 cGy wide bins."""
    folder = corpus / "stored"
    dose = pydicom.dcmread(corpus / "study" / "RTDOSE_PLAN.dcm")
    bins = np.stack([np.full(60, 1.0), np.linspace(8.0, 0.0, 60)], axis=1)
    dose.DVHSequence = [
        builders.item(
            DVHType="CUMULATIVE", DoseUnits="GY", DoseType="PHYSICAL", DVHDoseScaling="1", DVHVolumeUnits="CM3",
            DVHNumberOfBins=len(bins), DVHData=[f"{v:.8g}" for v in bins.ravel()], DVHMaximumDose="60",
            DVHReferencedROISequence=[builders.item(DVHROIContributionType="INCLUDED", ReferencedROINumber=2)],
        )
    ]  # fmt: skip
    builders.save(dose, folder / "RTDOSE.dcm")
    shutil.copy(corpus / "study" / "RTSTRUCT.dcm", folder)


def _images(corpus: Path) -> None:
    folder = corpus / "images"
    folder.mkdir()
    signal = soft_field(30, 20, n=48, pixel=6.4, sid=1600.0)
    for name, more in (("elekta", {"elekta_factor": 3e4}), ("varian", {})):
        stored = builders.elekta_pixels(signal.values if more else 2.0 - signal.values, 3e4)
        image = builders.rtimage(stored, Ids(), pixel_mm=(6.4, 6.4), **more)
        if name == "varian":
            image.Manufacturer = "Varian Medical Systems"
            image.RTImageDescription, image.RescaleSlope, image.RescaleIntercept = "Averaged Frames: 12", "1", "0"
        builders.save(image, folder / f"{name}.dcm")
    write_profile(folder / "profile.json")


def _commissioning(corpus: Path) -> None:
    folder = corpus / "commissioning"
    folder.mkdir()
    rows = ["name,mu,x1_mm,x2_mm,y1_mm,y2_mm"]
    for name, half_x, half_y in (("a", 50, 50), ("b", 20, 30)):
        signal = soft_field(half_x, half_y, n=48, pixel=6.4, sid=1600.0)
        stored = builders.elekta_pixels(signal.values, 2e4)
        image = builders.rtimage(stored, Ids(), pixel_mm=(6.4, 6.4), refer_to_plan=False, elekta_factor=2e4)
        builders.save(image, folder / f"{name}_open.dcm")
        write_portal_dose(signal.with_values(0.4 * signal.values), folder / f"{name}_open.nrrd")
        rows.append(f"{name},100,{-half_x},{half_x},{-half_y},{half_y}")
    (folder / "fields.csv").write_text("\n".join(rows) + "\n")
    (folder / "spectrum.csv").write_text(SPECTRUM)
    (folder / "curve.csv").write_text(CURVE)


def _doses(corpus: Path) -> None:
    folder = corpus / "doses"
    folder.mkdir()
    grid = read_dose(corpus / "study" / "RTDOSE_1.dcm")
    for suffix in ("nrrd", "mha", "nii.gz"):
        write_image(folder / f"dose.{suffix}", grid.values, grid)
    shutil.copy(corpus / "study" / "RTDOSE_1.dcm", folder / "reference.dcm")


def _texts(corpus: Path) -> None:
    folder = corpus / "texts"
    folder.mkdir()
    for path in TEXTS.rglob("*"):
        if path.suffix in (".txt", ".csv") and path.parent != TEXTS and "pinnacle" not in path.parts:
            shutil.copy(path, folder / path.name)
    (corpus / "pinnacle").mkdir()
    shutil.make_archive(str(corpus / "pinnacle" / "patient"), "zip", TEXTS / "pinnacle")
    (corpus / "info").mkdir()
    (corpus / "info" / "info.json").write_text(json.dumps(INFO))
    shutil.copy(TEXTS / "mirada" / "mirada_cumulative_relvol.txt", corpus / "info" / "mirada.txt")


def _constraints(corpus: Path) -> None:
    folder = corpus / "constraints"
    folder.mkdir()
    for name in ("constraints_comma.csv", "constraints_tab.txt"):
        shutil.copy(GOLDEN / "dvhmetrics" / name, folder / name)
    (folder / "constraints.csv").write_bytes(
        gzip.decompress((GOLDEN / "dvhmetrics" / "constraints.csv.gz").read_bytes())
    )
    template = Path(__file__).parents[2] / "DVHMetricsModule" / "intrepid_dvh" / "templates" / "lung_sabr_safron2.json"
    shutil.copy(template, folder / "library.json")
    (folder / "roe.json").write_text(json.dumps(ROE))
    shutil.copy(TEXTS / "eclipse" / "eclipse11_cumulative_gy_latin1.txt", folder / "export.dvh")


def _results(corpus: Path) -> None:
    folder = corpus / "results"
    folder.mkdir()
    results = {"beams": [{"number": 1, "name": "AP"}], "gamma_3d": [{"pass_rate_percent": 97.5}], "warnings": []}
    results["provenance"] = {"settings": {"study_dir": "nowhere"}, "inputs": []}
    first = sealed(results, folder)["integrity"]["results_sha256"]
    (folder / "report.html").write_text(f'<meta name="intrepid-results-sha256" content="{first}">')
    (folder / "results.json").write_text(json.dumps(sealed(results, folder)))


def files_of(target: Target, folder: Path) -> list[Path]:
    """Files of a copied folder that may be damaged, in the same order everywhere."""
    return sorted({path for pattern in target.files for path in folder.rglob(pattern) if path.is_file()})
