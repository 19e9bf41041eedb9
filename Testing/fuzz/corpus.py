"""What is damaged: small whole objects of every kind that is read, and the text exports of ten planning systems."""

import itertools
import shutil
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import builders
from builders import Ids, Roi

TEXTS = Path(__file__).parents[1] / "golden" / "dvh" / "tps_dvh"
SECRET = "Doe^Secret"


@dataclass(frozen=True)
class Corpus:
    """Folder of a whole study, and text exports."""

    study: Path
    texts: tuple[Path, ...]


def make_corpus(folder: Path) -> Corpus:
    """Write the study; the same bytes each time, so that a case number means the same case."""
    study, count = folder / "study", itertools.count(100)
    uids = (f"1.2.826.0.1.3680043.8.498.{number}" for number in count)
    with mock.patch.object(builders, "generate_uid", side_effect=uids):
        _write(study)
    texts = tuple(sorted(path for path in TEXTS.rglob("*") if path.suffix in (".txt", ".csv") and path.parent != TEXTS))
    return Corpus(study, texts)


def _write(study: Path) -> None:
    fixed = Ids(*(f"1.2.826.0.1.3680043.8.498.{number}" for number in range(6)))
    builders.write_treatment(study, fixed)
    body = [builders.ring((0, 0), 14, -10.0 + 2.5 * k) for k in range(8)]
    target = [builders.ring((2, 1), 5, -5.0 + 2.5 * k) for k in range(3)]
    rois = [Roi("BODY", body, interpreted_type="EXTERNAL"), Roi("PTV", target), Roi("POI", points=[(1, 2, 3)])]
    builders.save(builders.rtstruct(rois, fixed), study / "RTSTRUCT.dcm")


def study_copy(corpus: Corpus, folder: Path) -> Path:
    """Copy the study, to be damaged."""
    shutil.copytree(corpus.study, folder / "study")
    return folder / "study"
