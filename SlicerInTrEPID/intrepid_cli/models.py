"""``intrepid models``: portal dose networks of this installation."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from intrepid_cli.console import DONE, json_option, report

if TYPE_CHECKING:
    from intrepid_epid.networks.card import ModelCard


@click.group("models")
def command() -> None:
    """List, add and verify portal dose networks: weights as safetensors, each with its card."""


@command.command("list")
@json_option
def list_models(as_json: bool) -> int:
    """List the models that ship and those that were added."""
    from intrepid_epid.networks.card import read_card
    from intrepid_epid.networks.registry import model_folders
    from intrepid_rt.errors import UnreadableFile

    rows, lines = [], ["physics: kernel of the machine profile, no network"]
    for name, folder in model_folders().items():
        try:
            rows.append(_row(name, folder, read_card(folder)))
            lines.append(_line(rows[-1]))
        except UnreadableFile as error:
            rows.append({"name": name, "folder": str(folder), "problem": str(error)})
            lines.append(f"{name}: {error}")
    report({"models": [{"name": "physics"}, *rows]}, "\n".join(lines), as_json=as_json)
    return DONE


@command.command("add")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--name", help="Name to use it by; default: that on its card.")
@json_option
def add(folder: Path, name: str | None, as_json: bool) -> int:
    """Check the model in FOLDER and copy it among the user's."""
    from intrepid_cli.needed import needed
    from intrepid_epid.networks.registry import add_model

    needed("torch", "safetensors", purpose="Reading networks", extra="nn")
    card, target = add_model(folder, name=name)
    row = _row(target.name, target, card)
    report(row, f"Added {_line(row)}\nFolder: {target}", as_json=as_json)
    return DONE


@command.command("verify")
@click.argument("name")
@json_option
def verify(name: str, as_json: bool) -> int:
    """Check that the files of model NAME (or of its folder) are those it was saved with."""
    from intrepid_cli.needed import needed
    from intrepid_epid.networks.card import read_model
    from intrepid_epid.networks.registry import find_model

    needed("torch", "safetensors", purpose="Reading networks", extra="nn")
    folder = find_model(name)
    card = read_model(folder).card
    row = _row(name, folder, card) | {"verified": True, "weights_sha256": card.weights_sha256}
    report(row, f"{_line(row)}\nThe files are those it was saved with: {card.weights_sha256}.", as_json=as_json)
    return DONE


def _row(name: str, folder: Path, card: "ModelCard") -> dict[str, object]:
    return {
        "name": name,
        "folder": str(folder),
        "energy": card.energy,
        "machine": card.machine,
        "variant": card.variant,
        "members": len(card.members),
        "inputs": list(card.inputs),
        "trained_on": card.data.about,
        "train_pairs": card.data.n_train,
        "error_percent": card.calibrations[-1].error_percent,
        "intended_use": card.intended_use,
    }


def _line(row: dict[str, object]) -> str:
    about = f"; {row['trained_on']}" if row["trained_on"] else ""
    return (
        f"{row['name']}: {row['energy']}, {row['members']} x {row['variant']}, {row['train_pairs']} training pairs of "
        f"{row['machine']}{about}"
    )
