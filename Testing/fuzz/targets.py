"""What is damaged, how, and who reads it.

A *target* is a folder of the corpus with one kind of file in it that is damaged, and the actions that read it.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from fuzz.mutations import BYTES, DICOM, JSON, TEXT, Mutation, flip_header_bits


@dataclass(frozen=True)
class Target:
    """A kind of file: where it lies in the corpus, what may be damaged, how, and who reads it."""

    name: str
    folder: str
    files: tuple[str, ...]  # patterns below the folder
    mutations: tuple[Mutation, ...]
    actions: tuple[str, ...]
    weight: int = 1  # share of the cases
    is_list: bool = False  # of lines that stand alone: what is cut off its end leaves another list, and no trace


_LIMITS = ("constraints", "constraints-check", "constraints-convert")
_MODEL = ("models-verify", "models-add", "predict-model", "predict-model")
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
    Target("constraints", "constraints", ("*.csv", "*.txt"), TEXT, _LIMITS, 2),
    Target("constraint library", "constraints", ("*.json",), JSON, _LIMITS, 2),
    Target("DVH table", "tables", ("table_curves.csv", "table_header.csv"), TEXT, ("dvh-text-table",), 2),
    Target("cine", "cine", ("RI_*",), DICOM, _STUDY, 3),
    Target("frame series", "series", ("RI_*",), DICOM, _STUDY, 3),
    Target("raw frame", "raw", ("*.his",), (*BYTES, flip_header_bits), ("read",), 2),
    Target("frames.json", "raw", ("frames.json",), JSON, ("read",), 2),
    Target("_Frames.xml", "raw_xml", ("_Frames.xml",), TEXT, ("read",), 2),
    Target("RTRECORD", "record", ("RTRECORD*",), DICOM, ("cohort", "deidentify", "parcels"), 2),
    Target("REG", "day", ("REG*",), DICOM, ("day", "day", "deidentify"), 3),
    Target("CT of the day", "day", ("CT*",), DICOM, ("day",), 1),
    Target("transform", "transforms", ("*.h5",), BYTES, ("transform",), 2),
    Target("transform text", "transforms", ("*.tfm",), TEXT, ("transform",), 1),
    Target("planned portal dose", "planned", ("*.nrrd",), BYTES, ("planned",), 1),
    Target("planned RTIMAGE", "planned", ("*.dcm",), DICOM, ("planned",), 1),
    Target("dataset", "dataset", ("manifest.json",), JSON, ("dataset-check", "evaluate"), 2),
    Target("pair", "dataset", ("*.npz",), BYTES, ("dataset-check",), 2),
    Target("pairs.csv", "pairs", ("pairs.csv", "film.csv"), TEXT, ("dataset-build",), 2, is_list=True),
    Target("dose plane", "pairs", ("a.nrrd", "b.tif"), BYTES, ("dataset-build",), 2),
    Target("dose plane text", "pairs", ("c.txt",), TEXT, ("dataset-build",), 1),
    Target("dose plane RTIMAGE", "pairs", ("d_dose.dcm",), DICOM, ("dataset-build",), 1),
    Target("image of a pair", "pairs", ("a.dcm",), DICOM, ("dataset-build",), 1),
    Target("card", "model", ("card.json",), JSON, _MODEL, 2),
    Target("weights", "model", ("weights.safetensors",), BYTES, _MODEL, 2),
    Target("card of a refinement", "refinement", ("card.json",), JSON, ("refine",), 1),
    Target("weights of a refinement", "refinement", ("weights.safetensors",), BYTES, ("refine",), 1),
    Target("CT curve", "commissioning", ("curve.csv",), TEXT, ("ct-curve",), 2),
    Target("constancy", "commissioning", ("fields.csv",), TEXT, ("constancy",), 1),
    Target("baseline", "commissioning", ("profile.json",), JSON, ("constancy",), 1),
    Target("rules", "cohort", ("rules.json",), JSON, ("cohort-curate",), 2),
    Target("rules as TOML", "cohort", ("rules.toml",), TEXT, ("cohort-curate",), 1),
    Target("decisions on names", "cohort", ("review.csv",), TEXT, ("cohort-names",), 2, is_list=True),
    Target("list of names", "cohort", ("names.txt",), TEXT, ("cohort-names-list",), 1, is_list=True),
    Target("delivered fractions", "cohort", ("delivered.csv",), TEXT, ("cohort-delivered",), 2, is_list=True),
    Target("results for a cohort", "cohort", ("results.json",), JSON, ("cohort-epid",), 2),
    Target("results", "results", ("results.json", "report.html"), JSON, ("verify",), 2),
    Target("receipts", "study", ("receipts.jsonl",), TEXT, ("receipts",), 1),
)  # fmt: skip


def copy_of(target: Target, corpus: Path, place: Path) -> Path:
    """Copy the folder of a target, to be damaged."""
    return Path(shutil.copytree(corpus / target.folder, place / "study"))


def files_of(target: Target, folder: Path) -> list[Path]:
    """Files of a copied folder that may be damaged, in the same order everywhere."""
    return sorted({path for pattern in target.files for path in folder.rglob(pattern) if path.is_file()})
