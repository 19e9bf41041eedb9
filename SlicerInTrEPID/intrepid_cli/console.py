"""What every subcommand shares: exit codes, the ``--json`` option, and where text goes."""

import json
import math
import sys
from collections.abc import Callable, Mapping
from typing import Any

import click
import numpy as np

from intrepid_rt.research_note import RESEARCH_NOTE

DONE, CHECK_FAILED, UNUSABLE_INPUT, UNFORESEEN = 0, 1, 2, 3


def json_option(function: Callable) -> Callable:
    """Add ``--json``: one JSON object on standard output, everything else on standard error."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object; all else goes to stderr.")(
        function
    )


def report(result: Mapping[str, Any], text: str, *, as_json: bool) -> None:
    """Print a result: the JSON object if asked for, else the text with the research note."""
    if as_json:
        json.dump(plain(result), sys.stdout, allow_nan=False)
        sys.stdout.write("\n")
    else:
        click.echo(text)
        click.echo(RESEARCH_NOTE)


def plain(value: Any) -> Any:
    """Turn a tree of mappings, sequences, NumPy scalars and arrays into JSON types; non-finite numbers become None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
