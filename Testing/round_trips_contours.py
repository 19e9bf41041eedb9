"""What other programs read from the RTSTRUCT that we write, and what we read from theirs: the cells of the table.

Shapes have holes and several parts, and lie off-centre in planes of any orientation. A program reads a case when it
gives every contour, point by point; or, if it gives voxels, when many points of the planes lie inside and outside as
drawn.
"""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk  # noqa: N813 - the name its documentation uses
from numpy.typing import NDArray

import builders
from builders import ORIENTATIONS, Ids, Roi
from intrepid_cohort.simulation.objects import ImageSet, Person, SetSpec, structure_set
from intrepid_rt.deidentify import SecretKey, deidentify_folder
from intrepid_rt.dicom_new_object import save_object
from intrepid_rt.dicom_structures import read_structure_set

Contours = dict[int, list[NDArray]]  # ROI number: (n, 3) LPS mm
Reader = Callable[[list[Path]], list[Contours]]
TOLERANCE_MM = 1e-4  # plastimatch holds coordinates as float32
EDGE_MM = 0.75  # voxels say nothing nearer to an edge than their own size
LABEL_MM = np.array([0.5, 0.5, 0.5])
DICOMPYLER = Path(__file__).parents[1] / ".bench-venv-dvh" / "bin" / "python"
SCRIPTS = Path(__file__).parent / "benchmarks"
PERSON = Person("TEST-1", "19600102", "F", "A", 0, 1.0, 0, False, datetime(2026, 1, 2, 9), "1.2.3")
SECOND_MM = np.array([-60.0, 4.125, 0.0])
EVEN_MM, UNEVEN_MM = (-10.0, -7.5, -5.0, -2.5), (-10.0, -7.5, -2.5, 3.0)


@dataclass(frozen=True)
class Drawn:
    """Contours of any shape where the simulation has an organ."""

    name: str
    contours: tuple[NDArray, ...]
    interpreted_type: str = "ORGAN"

    def contours_mm(self, _origin_lps_mm: NDArray) -> list[NDArray]:
        """Return the contours where they are."""
        return list(self.contours)


@dataclass(frozen=True)
class DrawnSet(SetSpec):
    """A structure set of any shapes, for the simulation's writer."""

    drawn: tuple[Drawn, ...] = ()

    def organs(self, _person: Person) -> list[Drawn]:  # type: ignore[override]
        """Return the shapes."""
        return list(self.drawn)

    def name(self, organ: Drawn, _person: Person) -> str:  # type: ignore[override]
        """Return the shape's own name."""
        return organ.name


def _keyhole(z: float) -> NDArray:
    """A ring with a hole as one contour: around, in by a bridge, around the other way and out again."""
    outer, inner = builders.ring((5.0, 7.0), 20.0, z), builders.ring((5.0, 7.0), 8.0, z)
    return np.vstack([outer, outer[:1], inner[:1], inner[::-1]])


def _holed(heights: tuple[float, ...]) -> list[NDArray]:
    return [builders.ring((5.0, 7.0), radius, z) for z in heights for radius in (20.0, 8.0)]


def _parts(heights: tuple[float, ...]) -> list[NDArray]:
    corner = [builders.ring((41.5, -7.25), 9.0, z, vertices=5) for z in heights]
    return _holed(heights) + corner + [builders.ring((5.0, 7.0), 3.5, z, vertices=7) for z in heights[1:]]


def _turned(contours: list[NDArray], orientation: str) -> list[NDArray]:
    along_row, along_column = np.array(ORIENTATIONS[orientation], float).reshape(2, 3)
    axes = np.array([along_row, along_column, np.cross(along_row, along_column)])
    return [np.round(contour @ axes + [3.0, -12.5, 40.25], 4) for contour in contours]


TURNED = tuple(name for name in ORIENTATIONS if name != "axial")
SHAPES = {
    "hole": _holed(EVEN_MM),
    "keyhole": [_keyhole(z) for z in EVEN_MM],
    "several parts": _parts(EVEN_MM),
    "unequal spacing": _parts(UNEVEN_MM),
    **{name: _turned(_parts(EVEN_MM), name) for name in TURNED},
}
CASES = (*SHAPES, "simulated patient", "de-identified copy")


def drawn_contours(case: str) -> Contours:
    """Return what a case draws."""
    if case == "simulated patient":
        return {n: organ.contours_mm(np.zeros(3)) for n, organ in enumerate(PERSON.organs, 1)}
    contours = SHAPES["several parts" if case == "de-identified copy" else case]
    return {1: contours, 2: [np.round(contour + SECOND_MM, 4) for contour in contours[:1]]}


def write_ours(folder: Path, case: str) -> Path:
    """Write a case by the simulation's writer; the de-identified copy by ours of that."""
    shapes = tuple(Drawn(f"ROI {number}", tuple(found)) for number, found in drawn_contours(case).items())
    spec = SetSpec() if case == "simulated patient" else DrawnSet(drawn=shapes)
    path = folder / case / "RTSTRUCT.dcm"
    path.parent.mkdir(parents=True)
    save_object(structure_set(ImageSet(PERSON, 1, (0.0, 0.0, 0.0)), spec), path)
    if case != "de-identified copy":
        return path
    deidentify_folder(path.parent, folder / "deidentified", SecretKey(bytes(range(32))))
    return next((folder / "deidentified").rglob("RTSTRUCT*.dcm"))


def _of(dataset: pydicom.Dataset) -> Contours:
    return {
        int(roi.ReferencedROINumber): [np.array(c.ContourData, float).reshape(-1, 3) for c in roi.ContourSequence]
        for roi in dataset.ROIContourSequence
    }


def _each(read: Callable[[Path], Contours]) -> Reader:
    return lambda paths: [read(path) for path in paths]


def by_dcmtk(path: Path) -> Contours:
    """Rewritten by dcmconv in another transfer syntax, contours as dcm2json says them."""
    with tempfile.TemporaryDirectory() as folder:
        twin = Path(folder) / "implicit.dcm"
        subprocess.run(["dcmconv", "+ti", path, twin], check=True)
        said = subprocess.run(["dcm2json", twin], check=True, capture_output=True, text=True).stdout
    return _of(pydicom.Dataset.from_json(json.loads(said)))


def by_plastimatch(path: Path) -> Contours:
    """Contours as plastimatch writes them into its own text format."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.cxt"
        _plastimatch("--input", path, "--output-cxt", out)
        lines = out.read_text().split("END_OF_ROI_NAMES")[1].split()
    found: Contours = {}
    for number, *_, points in (line.split("|") for line in lines):
        found.setdefault(int(number), []).append(np.array(points.split("\\"), float).reshape(-1, 3))
    return found


def _plastimatch(*arguments: object) -> None:
    subprocess.run(["plastimatch", "convert", *map(str, arguments)], check=True, capture_output=True)


def by_dicompyler(paths: list[Path]) -> list[Contours]:
    """Contours as dicompyler-core gives them, by plane."""
    command = [DICOMPYLER, SCRIPTS / "peer_dicompyler_contours.py", *paths]
    said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return [{int(n): [np.array(c, float) for c in found] for n, found in one.items()} for one in said]


def by_us(path: Path) -> Contours:
    """Our own reader."""
    return {structure.number: list(structure.contours) for structure in read_structure_set(path).structures}


READERS: dict[str, Reader] = {
    "pydicom": _each(lambda path: _of(pydicom.dcmread(path))), "DCMTK": _each(by_dcmtk),
    "plastimatch": _each(by_plastimatch), "dicompyler-core": by_dicompyler, "InTrEPID": _each(by_us),
}  # fmt: skip
LABELS = "plastimatch labels"
COLUMNS = (*READERS, LABELS)


def why_not(reader: str) -> str:
    """Say why a reader is not there; empty if it is."""
    if reader == "dicompyler-core":
        return "" if DICOMPYLER.exists() else "dicompyler-core is not installed: make bench installs it"
    program = {"DCMTK": "dcm2json", "plastimatch": "plastimatch", LABELS: "plastimatch"}.get(reader, "")
    return "" if not program or shutil.which(program) else f"{program} is not installed"


def verdict(found: Contours, expected: Contours) -> str:
    """Say "same" for the same points of every contour, otherwise "elsewhere"."""
    is_same = found.keys() == expected.keys() and all(_same_points(found[n], expected[n]) for n in expected)
    return "same" if is_same else "elsewhere"


def _same_points(found: list[NDArray], expected: list[NDArray]) -> bool:
    """Whether the contours are the same in any order."""

    def place(contour: NDArray) -> tuple[float, ...]:
        return (len(contour), *np.round(contour.mean(axis=0), 2), *np.round(contour[0], 2))

    pairs = zip(sorted(found, key=place), sorted(expected, key=place), strict=False)
    return len(found) == len(expected) and all(
        len(a) == len(b) and np.allclose(a, b, rtol=0, atol=TOLERANCE_MM) for a, b in pairs
    )


def inside(points: NDArray, contours: list[NDArray]) -> NDArray:
    """Whether points (n, 3) lie inside an odd number of the contours of their axial plane."""
    odd = np.zeros(len(points), bool)
    for contour in contours:
        x1, y1 = np.roll(contour[:, :2], -1, axis=0).T
        x0, y0 = contour[:, :2].T
        sloping = y0 != y1
        x0, y0, x1, y1 = x0[sloping], y0[sloping], x1[sloping], y1[sloping]
        x, y = points[:, :1], points[:, 1:2]
        right = ((y0 > y) != (y1 > y)) & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
        odd ^= (right.sum(axis=1) % 2 == 1) & (np.abs(points[:, 2] - contour[0, 2]) < 0.01)
    return odd


def area_verdict(is_inside: Callable[[NDArray], NDArray], case: str) -> str:
    """Compare in and out for 500 points in every plane of the first ROI of a case, away from the edges."""
    drawn = SHAPES.get("several parts" if case in (*TURNED, "de-identified copy") else case)
    contours = drawn or drawn_contours(case)[1]
    low, high = np.vstack(contours).min(axis=0) - 2.0, np.vstack(contours).max(axis=0) + 2.0
    heights = sorted({float(contour[0, 2]) for contour in contours})
    points = np.random.default_rng(2).uniform(low, high, (len(heights), 500, 3))
    points[..., 2] = np.array(heights)[:, None]
    points = points.reshape(-1, 3)
    shifts = EDGE_MM * np.array([(0, 0, 0), (1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0)])
    around = np.array([inside(points + shift, contours) for shift in shifts])
    clear = np.all(around == around[0], axis=0)
    in_patient = _turned([points[clear]], case)[0] if case in TURNED else points[clear]
    return "same" if np.array_equal(is_inside(in_patient), around[0][clear]) else "elsewhere"


def by_plastimatch_labels(path: Path, case: str, folder: Path) -> str:
    """Compare plastimatch's voxels of the first ROI on a given grid; left in the folder."""
    drawn = np.vstack(drawn_contours(case)[1])
    low, high = drawn.min(axis=0) - LABEL_MM * 4, drawn.max(axis=0) + LABEL_MM * 4
    grid = sitk.Image([int(n) for n in np.ceil((high - low) / LABEL_MM)], sitk.sitkUInt8)
    grid.SetOrigin(low)
    grid.SetSpacing(LABEL_MM)
    sitk.WriteImage(grid, str(folder / "grid.mha"))
    _plastimatch(
        "--input", path, "--xor-contours", "--fixed", folder / "grid.mha", "--output-prefix", folder / "labels"
    )
    labels = sitk.ReadImage(str(min((folder / "labels").iterdir())))
    return area_verdict(lambda points: np.array([_label(labels, point) for point in points]), case)


def _label(image: sitk.Image, point: NDArray) -> bool:
    index = image.TransformPhysicalPointToIndex(point.tolist())
    is_within = all(0 <= i < n for i, n in zip(index, image.GetSize(), strict=True))
    return is_within and bool(image[index])


# What other programs cannot do; the cells are kept, so that a program that learns it shows up here.
KNOWN = {(LABELS, case): "elsewhere" for case in ("sagittal", "coronal", "oblique")}  # draws axial planes only


def found_by(reader: str, paths: dict[str, Path]) -> dict[str, str]:
    """Return the cells of a column: case to verdict."""
    if reader == LABELS:
        return {case: _labels_cell(path, case) for case, path in paths.items()}
    read = READERS[reader](list(paths.values()))
    return {case: verdict(found, drawn_contours(case)) for case, found in zip(paths, read, strict=True)}


def _labels_cell(path: Path, case: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        return by_plastimatch_labels(path, case, Path(folder))


FROM_VOXELS = "plastimatch, from its voxels"
FOREIGN = {
    "plastimatch": "several parts", "plastimatch, unequal spacing": "unequal spacing", FROM_VOXELS: "hole",
    "DCMTK, from XML": "several parts", "DCMTK, big endian": "unequal spacing", "DCMTK, deflated, oblique": "oblique",
    "pydicom, first point twice": "several parts",
}  # fmt: skip


def foreign_verdict(path: Path, written_by: str) -> str:
    """Compare what we read from a structure set of another program with what was drawn."""
    read = by_us(path)
    if written_by == FROM_VOXELS:
        return area_verdict(lambda points: inside(points, read[min(read)]), FOREIGN[written_by])
    return verdict(read, drawn_contours(FOREIGN[written_by]))


def write_theirs(path: Path, written_by: str) -> Path:
    """Write a case as another program does; return the file."""
    plain, case = path.with_suffix(".plain.dcm"), FOREIGN[written_by]
    drawn = drawn_contours(case)
    if "twice" in written_by:
        drawn = {number: [np.vstack([c, c[:1]]) for c in contours] for number, contours in drawn.items()}
    builders.save(builders.rtstruct([Roi(f"ROI {n}", found) for n, found in drawn.items()], Ids()), plain)
    if written_by.startswith("plastimatch"):
        return _write_by_plastimatch(plain, path.with_suffix(""), case, written_by)
    if written_by.startswith("DCMTK"):
        _write_by_dcmtk(plain, path, written_by)
        return path
    return plain


def _write_by_plastimatch(plain: Path, folder: Path, case: str, written_by: str) -> Path:
    folder.mkdir()
    if written_by == FROM_VOXELS:
        by_plastimatch_labels(plain, case, folder)
        _plastimatch("--input-prefix", folder / "labels", "--output-dicom", folder / "out")
    else:
        _plastimatch("--input", plain, "--output-dicom", folder / "out")
    return next((folder / "out").glob("rtss*.dcm"))


def _write_by_dcmtk(plain: Path, path: Path, written_by: str) -> None:
    if "XML" in written_by:
        subprocess.run(["dcm2xml", plain, path.with_suffix(".xml")], check=True)
        subprocess.run(["xml2dcm", path.with_suffix(".xml"), path], check=True, capture_output=True)
    else:
        subprocess.run(["dcmconv", "+tb" if "big" in written_by else "+td", plain, path], check=True)


def table(folder: Path) -> list[str]:
    """Return the cells of what we write, as lines of Markdown."""
    paths = {case: write_ours(folder / "ours", case) for case in CASES}
    cells = {reader: found_by(reader, paths) for reader in COLUMNS}
    lines = [f"| RTSTRUCT, contours | {' | '.join(COLUMNS)} |", "| --- |" + " --- |" * len(COLUMNS)]
    lines += [f"| {case} | {' | '.join(cells[reader][case] for reader in COLUMNS)} |" for case in CASES]
    return lines


def foreign_table(folder: Path) -> list[str]:
    """Return the cells of structure sets of others, as lines of Markdown."""
    rows = {case: write_theirs(folder / f"{n}.dcm", case) for n, case in enumerate(FOREIGN)}
    return ["| RTSTRUCT by | InTrEPID |", "| --- | --- |"] + [
        f"| {case} | {foreign_verdict(path, case)} |" for case, path in rows.items()
    ]
