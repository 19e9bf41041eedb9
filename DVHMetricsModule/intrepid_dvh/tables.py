"""The interpolation tables of a DVH, each prepared once."""

from intrepid_dvh.curve import DVH
from intrepid_dvh.interpolation import Table


def table_of(dvh: DVH, x: str, y: str) -> Table:
    """Return the table of one column of a DVH over another, such as ``volume_percent`` over ``dose_native``.

    Rows of equal volume count with their largest dose, rows of equal dose with their mean volume.
    """
    if (x, y) not in dvh.memo:
        merge = "largest" if x.startswith("volume") else "mean"
        dvh.memo[x, y] = Table(getattr(dvh, x), getattr(dvh, y), merge=merge)
    return dvh.memo[x, y]
