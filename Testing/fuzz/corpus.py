"""Small whole files of every kind that is read, the same bytes each time; what is done with them: ``targets.py``."""

import gzip
import itertools
import json
import shutil
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
from fuzz.corpus_cohort import make_cohort_files
from fuzz.corpus_deliveries import make_deliveries
from fuzz.corpus_learning import make_learning_files
from intrepid_cli.verification.seal import sealed
from intrepid_epid.commissioning import commission
from intrepid_epid.machine_profile import save_profile
from intrepid_epid.open_fields import read_open_fields
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


def make_corpus(folder: Path) -> Path:
    """Write all folders; UIDs are counted, so that a case number means the same case everywhere."""
    uids = (f"1.2.826.0.1.3680043.8.498.{number}" for number in itertools.count(100))
    with mock.patch.object(builders, "generate_uid", side_effect=uids):
        for make in (
            _study,
            _stored,
            _images,
            _commissioning,
            _doses,
            _texts,
            _constraints,
            _results,
            make_deliveries,
            make_learning_files,
            make_cohort_files,
        ):
            make(folder)
    return folder


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
    fields = [field for field, _ in read_open_fields(folder)]
    save_profile(commission(fields, machine="LINAC1", energy="6 MV"), folder / "profile.json")


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
    _tables(corpus / "tables")
    (corpus / "info").mkdir()
    (corpus / "info" / "info.json").write_text(json.dumps(INFO))
    shutil.copy(TEXTS / "mirada" / "mirada_cumulative_relvol.txt", corpus / "info" / "mirada.txt")


def _tables(folder: Path) -> None:
    """Write one curve as a table of points and a table of headers."""
    folder.mkdir()
    rows = [f"P1,PTV,{dose},{2 * dose},{volume:.6g},{volume / 2:.6g}"
            for dose, volume in zip(range(51), np.linspace(200.0, 0.0, 51), strict=True)]  # fmt: skip
    (folder / "table_curves.csv").write_text("\n".join(["patID,structure,dose,doseRel,volume,volumeRel", *rows]) + "\n")
    head = "patID,structure,plan,doseUnit,volumeUnit,structVol,doseRx\nP1,PTV,A,GY,CC,200,50\n"
    (folder / "table_header.csv").write_text(head)


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
