"""Models by name: those that ship, and those added by the user."""

import os
import shutil
from pathlib import Path

from intrepid_epid.networks.card import CARD, WEIGHTS, ModelCard, read_model
from intrepid_epid.networks.named_folders import folders_in, named_folder, shipped_in
from intrepid_rt.atomic import staged_folder
from intrepid_rt.errors import InvalidSetting


def user_folder() -> Path:
    """Folder of the models the user added: ``INTREPID_MODELS``, else in the user's data folder."""
    stated = os.environ.get("INTREPID_MODELS")
    if stated:
        return Path(stated)
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "intrepid" / "models"


def model_folders() -> dict[str, Path]:
    """Return the folders of all models by name; a user's model hides a shipped one of the same name."""
    return folders_in(shipped_in("Models")) | folders_in(user_folder())


def find_model(name: str) -> Path:
    """Return the folder of a model by its name, or by the path of its folder.

    Raises
    ------
    InvalidSetting
        No model is called so.
    """
    advice = "See 'intrepid models list'."
    return named_folder(name, model_folders(), kind="portal dose model", built_in="physics", advice=advice)


def add_model(folder: Path, *, name: str | None = None) -> tuple[ModelCard, Path]:
    """Copy a model into the user's folder after checking it.

    Raises
    ------
    UnreadableFile
        It is no model, or was changed since it was saved.
    InvalidSetting
        Another model has its name.
    """
    card = read_model(folder).card
    name = name or card.name
    if not name.replace("-", "").replace("_", "").replace(".", "").isalnum() or name in ("physics", "first-order"):
        raise InvalidSetting(f"{name!r} cannot be the name of a model: take letters, digits, '-', '_' and '.'.")
    target = user_folder() / name
    if target.exists():
        raise InvalidSetting(f"{target} is there already. Choose another --name, or remove it.")
    with staged_folder(target) as stage:
        for file in (CARD, WEIGHTS):
            shutil.copyfile(folder / file, stage / file)
    return card, target
