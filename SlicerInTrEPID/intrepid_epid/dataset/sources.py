"""Which files of a clinic's folder make a pair: by ``pairs.csv``, or by what the DICOM headers and file names say."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from intrepid_epid.dataset.dose_planes import SUFFIXES
from intrepid_rt.errors import AmbiguousInput, MissingObject, UnreadableFile
from intrepid_rt.scan import scan
from intrepid_rt.small_files import read_rows
from intrepid_rt.study import PortalFile, Study

PAIR_TABLE = "pairs.csv"
_REQUIRED = ("id", "phantom", "image", "portal_dose")


@dataclass(frozen=True)
class PairSource:
    """One image with its portal dose, where they lie and what is known of them.

    Empty or None is what nobody stated. ``folder`` is searched for the plan and the CT; ``split`` is that of a
    published list. ``plane_mm`` is the distance from the source to the dose plane.
    """

    id: str
    phantom: str
    family: str
    plan: str
    field: str
    root: Path
    image: Path
    portal_dose: Path
    split: str = ""
    meterset_mu: float | None = None
    area_cm2: float | None = None
    plane_mm: float | None = None
    pixel_mm: float | None = None
    gy_per_unit: float = 1.0
    film_curve: Path | None = None


@dataclass(frozen=True)
class FoundPairs:
    """Pairs of a folder, and one line for every image or dose that has no partner."""

    pairs: tuple[PairSource, ...]
    missing: tuple[str, ...]


def find_pairs(folder: str | Path) -> FoundPairs:
    """Find the pairs of a folder.

    ``pairs.csv`` needs the columns ``id, phantom, image, portal_dose`` (paths relative to it) and may have ``family,
    plan, field, split, mu, area_cm2, plane_mm, pixel_mm, gy_per_unit, film_curve``. Without it every RTIMAGE below the
    folder is paired with the RTIMAGE in Gy of the same plan and beam, or with the file ``<image>_portal_dose.*`` or
    ``<beam>_portal_dose.*`` beside it; the phantom is then the patient identifier.

    Raises
    ------
    MissingObject
        No such folder, or it holds no pair.
    UnreadableFile
        The table lacks a column or holds a number that is none.
    AmbiguousInput
        Two pairs of one name, two doses for one image.
    """
    folder = Path(folder)
    table = folder / PAIR_TABLE
    found = _from_table(folder, table) if table.is_file() else _from_headers(folder)
    if not found.pairs:
        why = f": {found.missing[0]}" if found.missing else ""
        raise MissingObject(f"{folder} holds no image with its portal dose{why}. See docs for how to lay it out.")
    names = Counter(pair.id for pair in found.pairs)
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise AmbiguousInput(f"{folder}: two pairs are called {twice[0]}. Give each its own id in {PAIR_TABLE}.")
    return found


def _from_table(folder: Path, table: Path) -> FoundPairs:
    rows = read_rows(table)
    absent = [name for name in _REQUIRED if rows and rows[0].get(name) is None]
    if absent:
        raise UnreadableFile(f"{table} has no column {absent[0]}; expected at least {', '.join(_REQUIRED)}.")
    pairs, missing = [], []
    for row in rows:
        pair = _row(folder, table, row)
        gone = [path for path in (pair.image, pair.portal_dose) if not path.is_file()]
        if gone:
            missing.append(f"{pair.id}: {gone[0].relative_to(folder)} is not there")
        else:
            pairs.append(pair)
    return FoundPairs(tuple(pairs), tuple(missing))


def _row(folder: Path, table: Path, row: dict[str, str]) -> PairSource:
    def number(column: str) -> float | None:
        return float(row[column]) if row.get(column) else None

    try:
        return PairSource(
            id=row["id"],
            phantom=row["phantom"],
            family=row.get("family") or row["phantom"],
            plan=row.get("plan") or "",
            field=row.get("field") or row["id"],
            root=folder,
            image=folder / row["image"],
            portal_dose=folder / row["portal_dose"],
            split=row.get("split") or "",
            meterset_mu=number("mu"),
            area_cm2=number("area_cm2"),
            plane_mm=number("plane_mm"),
            pixel_mm=number("pixel_mm"),
            gy_per_unit=number("gy_per_unit") or 1.0,
            film_curve=folder / row["film_curve"] if row.get("film_curve") else None,
        )
    except ValueError as error:
        raise UnreadableFile(f"{table}: pair {row.get('id')}: {error}.") from error


def _from_headers(folder: Path) -> FoundPairs:
    pairs, missing = [], []
    for study in scan(folder):
        doses = {(dose.header.plan_uid, dose.header.beam_number): dose for dose in study.portal_doses}
        if len(doses) < len(study.portal_doses):
            raise AmbiguousInput(f"{folder}: two portal doses of one beam. Keep one, or write a {PAIR_TABLE}.")
        for image in study.portal_images:
            dose = doses.get((image.plan_uid, image.beam_number)) if image.link else None
            path = dose.path if dose else _beside(study, image)
            if path is None:
                missing.append(f"{image.path.name}: no portal dose of its plan and beam, and no file of its name")
            else:
                pairs.append(_pair(folder, study, image, path))
    return FoundPairs(tuple(pairs), tuple(missing))


def _beside(study: Study, image: PortalFile) -> Path | None:
    stems = [image.path.stem]
    beam = _beam_name(study, image)
    stems += [beam] if beam else []
    candidates = [image.path.parent / f"{stem}_portal_dose{suffix}" for stem in stems for suffix in SUFFIXES]
    return next((path for path in candidates if path.is_file()), None)


def _beam_name(study: Study, image: PortalFile) -> str:
    plan = study.plan_with_uid(image.plan_uid) if image.link else None
    beam = plan.plan.beam_numbered(image.beam_number or 0) if plan else None
    return beam.name if beam else ""


def _pair(folder: Path, study: Study, image: PortalFile, dose: Path) -> PairSource:
    plan = study.plan_with_uid(image.plan_uid)
    beam = _beam_name(study, image)
    return PairSource(
        id=f"{image.path.parent.name}_{image.path.stem}",
        phantom=study.patient_id,
        family=study.patient_id,
        plan=plan.plan.label if plan else "",
        field=beam or image.path.stem,
        root=folder,
        image=image.path,
        portal_dose=dose,
    )
