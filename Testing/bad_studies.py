"""Studies that must be refused: what is done to a whole one, and what the one line must say."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom

import builders
from builders import Ids

Damage = Callable[[Path, Ids], None]


def _edited(path: Path, edit: Callable[[pydicom.Dataset], None]) -> None:
    dataset = pydicom.dcmread(path)
    edit(dataset)
    dataset.save_as(path, enforce_file_format=True)


def _edit(pattern: str, edit: Callable[[pydicom.Dataset], None]) -> Damage:
    def damage(folder: Path, _ids: Ids) -> None:
        for path in folder.glob(pattern):
            _edited(path, edit)

    return damage


def _remove(pattern: str) -> Damage:
    def damage(folder: Path, _ids: Ids) -> None:
        for path in folder.glob(pattern):
            path.unlink()

    return damage


def _set(**elements: object) -> Callable[[pydicom.Dataset], None]:
    def edit(dataset: pydicom.Dataset) -> None:
        for keyword, value in elements.items():
            setattr(dataset, keyword, value)

    return edit


def _without(keyword: str) -> Callable[[pydicom.Dataset], None]:
    return lambda dataset: delattr(dataset, keyword)


def _cut(name: str) -> Damage:
    def damage(folder: Path, _ids: Ids) -> None:
        path = folder / name
        path.write_bytes(path.read_bytes()[:-200])

    return damage


def _overwrite(name: str) -> Damage:
    def damage(folder: Path, _ids: Ids) -> None:
        (folder / name).write_text("no DICOM at all\n" * 50)

    return damage


def _second_image(folder: Path, ids: Ids) -> None:
    pixels = builders.elekta_pixels(builders.field_signal(), 30000.0)
    image = builders.rtimage(pixels, ids, beam_number=1, elekta_factor=30000.0, acquired="20260105101500")
    builders.save(image, folder / "RTIMAGE_again.dcm")


def _second_ct(folder: Path, ids: Ids) -> None:
    lattice = builders.Lattice((3, 4, 5))
    other = Ids(study=ids.study, frame=ids.frame)
    _edited(folder / "RTSTRUCT.dcm", _without("ReferencedFrameOfReferenceSequence"))
    for number, one in enumerate(builders.ct_slices(np.zeros(lattice.shape), lattice, other)):
        builders.save(one, folder / f"other_{number}.dcm")


def _without_meterset(dataset: pydicom.Dataset) -> None:
    del dataset.FractionGroupSequence[0].ReferencedBeamSequence[0].BeamMeterset


def _huge(dataset: pydicom.Dataset) -> None:
    dataset.Rows, dataset.Columns = 60000, 65000


# Name: (what is done to the folder of `builders.write_treatment`, regular expression of the one line).
BAD_STUDIES: dict[str, tuple[Damage, str]] = {
    "empty folder": (_remove("*"), "is empty"),
    "no CT": (_remove("CT_*"), r"No CT was found"),
    "no plan": (_remove("RTPLAN*"), "RTPLAN"),
    "no portal image": (_remove("RTIMAGE*"), "portal image"),
    "dose in another frame of reference": (
        _edit("RTDOSE*", _set(FrameOfReferenceUID="1.2.3.99")),
        r"frames of reference.*1\.2\.3\.99",
    ),
    "CT in another frame of reference": (
        _edit("CT_*", _set(FrameOfReferenceUID="1.2.3.99")),
        r"frames of reference.*1\.2\.3\.99",
    ),
    "image without a beam": (
        _edit("RTIMAGE_2*", _set(ReferencedBeamNumber=7)),
        r"beam B2.*RTIMAGE_2\.dcm references beam 7",
    ),
    "image of another angle": (_edit("RTIMAGE_2*", _set(GantryAngle="45")), r"RTIMAGE_2\.dcm .* taken at 45 degrees"),
    "two images of one beam": (_second_image, r"RTIMAGE_1\.dcm and RTIMAGE_again\.dcm"),
    "two CT series": (_second_ct, "2 CT series"),
    "plan without MU": (_edit("RTPLAN*", _without_meterset), "no monitor units for beam B1"),
    "relative dose": (_edit("RTDOSE*", _set(DoseUnits="RELATIVE")), "dose units RELATIVE; expected GY"),
    "dose without pixels": (_edit("RTDOSE*", _without("PixelData")), "no PixelData"),
    "image without pixels": (_edit("RTIMAGE_1*", _without("PixelData")), "no PixelData"),
    "CT slice without pixels": (_edit("CT_003*", _without("PixelData")), "no PixelData"),
    "CT slice cut short": (_cut("CT_003.dcm"), "cut short"),
    "image cut short": (_cut("RTIMAGE_2.dcm"), "cut short"),
    "dose cut short": (_cut("RTDOSE_PLAN.dcm"), "cut short"),
    "CT slice that is no DICOM": (_overwrite("CT_003.dcm"), r"missing slice: 5 mm"),
    "gigabytes claimed": (_edit("RTDOSE_PLAN*", _huge), r"claims .* bytes, but holds"),
    "CT with a missing slice": (_remove("CT_003*"), r"missing slice: 5 mm between CT_002\.dcm and CT_004\.dcm"),
}
