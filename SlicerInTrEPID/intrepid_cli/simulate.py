"""``intrepid simulate``: synthetic data with known truth."""

from pathlib import Path

import click

from intrepid_cli.console import DONE, json_option, report
from intrepid_cli.progress import progress_bar


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


@command.command("phantoms")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--set", "set_name", default="founding", show_default=True, help="founding, wide, trunks or unseen.")
@click.option("--count", type=click.IntRange(min=1), help="Only the first COUNT pairs of the set.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--primaries", type=click.IntRange(min=100), default=60_000, show_default=True, help="Photons for 100 cm2."
)
@click.option("--portal-dose", type=click.Choice(["dicom", "nrrd"]), default="dicom", show_default=True)
@click.option(
    "--machine-option",
    "options",
    multiple=True,
    metavar="NAME=VALUE",
    help="Change the machine, e.g. horn_percent=4, softening_percent=6, glare_percent=2, saturates_at=1.2.",
)
@json_option
def phantoms(
    out: Path,
    set_name: str,
    count: int | None,
    seed: int,
    primaries: int,
    portal_dose: str,
    options: tuple[str, ...],
    as_json: bool,
) -> int:
    """Write simulated phantoms with portal images and doses below OUT, as a clinic would export them.

    A folder per phantom holds CT, RTPLAN, and per beam an RTIMAGE and its portal dose; pairs.csv lists the pairs, and
    open_fields/ is for 'intrepid commission'. Interrupted and started again with the same options it goes on.
    """
    from intrepid_epid.simulation.phantom_set import simulate_set
    from intrepid_epid.simulation.simulation_plans import plans_of
    from intrepid_epid.simulation.treatment_machine import machine_with

    machine = machine_with(options)
    total = sum(len(plan.beams) for plan in plans_of(set_name, seed=seed, count=count))
    with progress_bar(total=total, unit="pair", desc="simulating") as bar:
        simulate_set(
            out,
            set_name=set_name,
            seed=seed,
            count=count,
            machine=machine,
            primaries=primaries,
            dose_suffix=".dcm" if portal_dose == "dicom" else ".nrrd",
            progress=lambda _: bar.update(),
        )
    result = {"folder": str(out), "set": set_name, "seed": seed, "pairs": total, "machine": machine.name}
    report(result, f"{total} pairs of machine {machine.name}. Written to {out}.", as_json=as_json)
    return DONE
