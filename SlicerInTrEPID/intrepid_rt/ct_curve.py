"""CT calibration: Hounsfield units to mass density and relative electron density, by a named, replaceable table."""

import csv
import io
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intrepid_rt.errors import InvalidSetting, UnreadableFile
from intrepid_rt.small_files import read_small_text

_COLUMNS = ("hu", "density_g_cc", "relative_electron_density")


@dataclass(frozen=True, eq=False)
class CTCurve:
    """A calibration curve, linear between its points; beyond the first and last point the end value holds.

    Parameters
    ----------
    name : str
        As shown in reports.
    hu, density_g_cc, relative_electron_density : ndarray, (n,)
        ``hu`` strictly ascending; electron density relative to water.
    source : str
        Where the numbers come from.

    Raises
    ------
    InvalidSetting
        Fewer than two points, HU not ascending, or densities negative or not finite.

    Examples
    --------
    >>> curve = CTCurve("two points", [-1000, 0], [0.0, 1.0], [0.0, 1.0])
    >>> curve.density([-500, 0, 3000])
    array([0.5, 1. , 1. ])
    """

    name: str
    hu: NDArray
    density_g_cc: NDArray
    relative_electron_density: NDArray
    source: str = ""

    def __post_init__(self) -> None:
        arrays = [np.array(getattr(self, column), float) for column in _COLUMNS]
        hu, densities = arrays[0], np.array(arrays[1:]) if len({a.shape for a in arrays}) == 1 else None
        if densities is None or len(hu) < 2 or not np.isfinite(hu).all() or (np.diff(hu) <= 0).any():
            raise InvalidSetting(f"CT curve {self.name} needs at least two points with ascending HU.")
        if not np.isfinite(densities).all() or densities.min() < 0:
            raise InvalidSetting(f"CT curve {self.name} holds a density that is negative or not finite.")
        for column, array in zip(_COLUMNS, arrays, strict=True):
            array.flags.writeable = False
            object.__setattr__(self, column, array)

    def density(self, hounsfield: ArrayLike) -> NDArray:
        """Mass density in g/cm3 of CT numbers of any shape."""
        return np.interp(np.asarray(hounsfield, float), self.hu, self.density_g_cc)

    def electron_density(self, hounsfield: ArrayLike) -> NDArray:
        """Electron density relative to water of CT numbers of any shape."""
        return np.interp(np.asarray(hounsfield, float), self.hu, self.relative_electron_density)

    def fraction_beyond(self, hounsfield: ArrayLike) -> float:
        """Fraction of CT numbers above the last point, where the curve knows nothing (metal, as a rule)."""
        return float(np.mean(np.asarray(hounsfield) > self.hu[-1]))

    @cached_property
    def sha256(self) -> str:
        """Hash of the numbers, for provenance."""
        return sha256(np.stack([getattr(self, column) for column in _COLUMNS]).tobytes()).hexdigest()


def read_ct_curve(path: str | Path) -> CTCurve:
    """Read a CSV file with the columns hu, density_g_cc and relative_electron_density.

    Lines that start with ``#`` are comments; the first one is taken as the source.

    Raises
    ------
    UnreadableFile
        Not such a table.
    InvalidSetting
        Its numbers form no curve.
    """
    path = Path(path)
    return parse_ct_curve(path.stem, read_small_text(path).splitlines(), place=str(path))


def parse_ct_curve(name: str, lines: list[str], *, place: str) -> CTCurve:
    """Build a curve from the lines of such a CSV file; ``place`` names it in messages.

    Raises
    ------
    UnreadableFile : a column is missing, or a value is no number.
    """
    comments = [line.lstrip("# ").strip() for line in lines if line.startswith("#")]
    table = csv.DictReader(io.StringIO("\n".join(line for line in lines if line.strip() and not line.startswith("#"))))
    try:
        rows = [[float(row[column]) for column in _COLUMNS] for row in table]
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableFile(f"{place} is no CT curve: expected numbers in columns {', '.join(_COLUMNS)}.") from error
    hu, density, electron = np.array(rows).T if rows else np.empty((3, 0))
    return CTCurve(name, hu, density, electron, source=comments[0] if comments else place)


def default_ct_curve() -> CTCurve:
    """Return the generic curve that comes with the package; a clinic's own curve should replace it."""
    return read_ct_curve(Path(__file__).parent / "ct_curve_generic.csv")
