"""Folders that hold a card, found by their name or their path: models, refinements."""

from collections.abc import Mapping
from pathlib import Path

from intrepid_epid.networks.card import CARD
from intrepid_rt.errors import InvalidSetting, MissingObject
from intrepid_rt.resources import resource_folder


def shipped_in(resource: str) -> Path | None:
    """Return the folder of that name among the resources, None if this installation has none."""
    try:
        return resource_folder(resource)
    except MissingObject:
        return None


def folders_in(place: Path | None) -> dict[str, Path]:
    """Return the folders with a card in a place, by name; empty for a place that is not there."""
    if place is None or not place.is_dir():
        return {}
    return {path.parent.name: path.parent for path in sorted(place.glob(f"*/{CARD}"))}


def named_folder(name: str, folders: Mapping[str, Path], *, kind: str, built_in: str, advice: str = "") -> Path:
    """Return a folder with a card by its name, or by its path.

    Parameters
    ----------
    kind : str
        What is looked for, e.g. "portal dose model".
    built_in : str
        What there is without a folder; named among the others in the message.
    advice : str
        What to do, ends the message.

    Raises
    ------
    InvalidSetting
        None is called so; the message lists those there are.
    """
    if name in folders:
        return folders[name]
    if (Path(name) / CARD).is_file():
        return Path(name)
    known = ", ".join([built_in, *folders])
    raise InvalidSetting(f"No {kind} is called {name!r}; there are {known}.{advice and ' '}{advice}")
