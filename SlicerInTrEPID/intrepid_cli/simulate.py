"""``intrepid simulate``: synthetic data with known truth."""

from pathlib import Path

import click

from intrepid_cli.console import DONE, json_option, report


@click.group("simulate")
def command() -> None:
    """Make synthetic data whose every number is known, for tests and teaching."""


@command.command("cohort")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--patients", type=click.IntRange(min=1), required=True, metavar="N")
@click.option("--centres", type=click.IntRange(min=1), default=1, show_default=True, metavar="K")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, metavar="S")
@json_option
def cohort(out: Path, patients: int, centres: int, seed: int, as_json: bool) -> int:
    """Write DICOM of N synthetic patients below OUT, a folder per centre, and truth.json.

    Among them are patients with several plans, boosts on the same and on another CT, exports made twice, missing doses
    and damaged files. Patient identifiers repeat between centres: import each with its own --centre.
    """
    from intrepid_cohort.simulation.cohort import write_cohort

    truth = write_cohort(out, patients=patients, centres=centres, seed=seed)
    scenarios = [patient["scenario"] for patient in truth["patients"]]
    counts = {name: scenarios.count(name) for name in dict.fromkeys(scenarios)}
    text = "\n".join(f"{name:<20} {count}" for name, count in counts.items())
    report(
        {"folder": str(out), "patients": patients, "scenarios": counts}, f"{text}\nWritten to {out}.", as_json=as_json
    )
    return DONE
