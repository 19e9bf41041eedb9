"""What the panel's text fields ask for: metrics and model parameters, checked while they are typed."""

from intrepid_dvh.metric_grammar import parse_metric
from intrepid_dvh.model_arguments import TYPES, require_known
from intrepid_rt.errors import InvalidSetting

# Offered for completion: ICRU 83 and TG-263 ways to ask, then indices and models.
COMMON_METRICS = (
    "D98%", "D95%", "D90%", "D50%", "D2%", "D1cc", "D0.03cc", "DMEAN", "DMIN", "DMAX", "DMEDIAN", "DSD",
    "V95%", "V100%", "V107%", "V5Gy", "V10Gy", "V20Gy", "V30Gy", "V20Gy_cc", "CV20Gy_cc",
    "DHI", "DEUD", "DNTCP", "DTCP",
)  # fmt: skip


def split_metrics(text: str) -> list[str]:
    """Return the metrics of a comma- or semicolon-separated list.

    >>> split_metrics("D95%, V20Gy_cc;DMEAN,")
    ['D95%', 'V20Gy_cc', 'DMEAN']
    """
    return [part.strip() for part in text.replace(";", ",").split(",") if part.strip()]


def problems_of_metrics(text: str) -> list[str]:
    """Return one sentence per metric that cannot be read; empty if all can.

    >>> problems_of_metrics("D95%, DMEAN")
    []
    >>> len(problems_of_metrics("D95%, Q7"))
    1
    """
    parsed = [(metric, parse_metric(metric)) for metric in split_metrics(text)]
    return [f"{metric}: {result.problem}" for metric, result in parsed if not result.valid]


def completions(text: str) -> list[str]:
    """Return the texts to which the last, unfinished metric of a list can be completed.

    >>> completions("D95%, v2")
    ['D95%, V20Gy', 'D95%, V20Gy_cc']
    """
    done, comma, last = text.rpartition(",")
    begun = last.strip().casefold()
    prefix = f"{done}{comma} " if comma else ""
    return [prefix + m for m in COMMON_METRICS if m.casefold().startswith(begun) and m.casefold() != begun]


def model_arguments(text: str) -> dict[str, float | str]:
    """Read model parameters such as ``EUDa=8, NTCPtd50=50``.

    Raises
    ------
    InvalidSetting
        A part is no assignment, or no model has such a parameter or type.

    Examples
    --------
    >>> model_arguments("EUDa=8, NTCPtd50 = 50")
    {'EUDa': 8.0, 'NTCPtd50': 50.0}
    >>> model_arguments("NTCPtype=logit")
    {'NTCPtype': 'logit'}
    """
    arguments: dict[str, float | str] = {}
    for part in split_metrics(text):
        name, _, value = (piece.strip() for piece in part.partition("="))
        try:
            arguments[name] = value if name in TYPES else float(value)
        except ValueError:
            raise InvalidSetting(f"{part!r} is no model parameter; write for example EUDa=8, NTCPtd50=50.") from None
    require_known(arguments)
    return arguments
