"""``intrepid dataset``: pairs of images and portal doses, ready to learn from."""

from pathlib import Path

import click

from intrepid_cli.console import DONE, json_option, report
from intrepid_cli.progress import progress_bar


@click.group("dataset")
def command() -> None:
    """Build and check datasets of portal images with their portal doses."""


@command.command("build")
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the dataset.")
@click.option("--machine", required=True, type=click.Path(path_type=Path), help="Machine profile.")
@click.option("--size-px", type=click.IntRange(min=16), default=256, show_default=True, help="Pixels per side.")
@click.option("--pixel-mm", type=float, default=1.0, show_default=True, help="Pixel at the isocentre plane.")
@click.option("--largest-shift-mm", type=float, default=5.0, show_default=True, help="Larger shifts are refused.")
@click.option("--test-percent", type=float, default=10.0, show_default=True)
@click.option("--validation-percent", type=float, default=15.0, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the split.")
@click.option("--group-by", default="phantom", show_default=True, help="What a split keeps together: phantom or plan.")
@click.option(
    "--validation",
    "validation_folders",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Add FOLDER, all of it to the validation part.",
)
@click.option("--leave-out", is_flag=True, help="Build without pairs that are refused or incomplete.")
@json_option
def build(
    folders: tuple[Path, ...],
    out: Path,
    machine: Path,
    size_px: int,
    pixel_mm: float,
    largest_shift_mm: float,
    test_percent: float,
    validation_percent: float,
    seed: int,
    group_by: str,
    validation_folders: tuple[Path, ...],
    leave_out: bool,
    as_json: bool,
) -> int:
    """Make a dataset of the pairs in FOLDERs: RTIMAGEs with measured or calculated portal doses.

    Pairs come from pairs.csv (id, phantom, image, portal_dose and more), or from the DICOM headers and file names.
    Every pair is calibrated, registered, resampled and checked; the split into train, validation and test keeps a
    phantom on one side. A split stated in pairs.csv holds. Interrupted and started again it goes on.
    """
    from intrepid_epid.dataset.build import BuildSettings, build_dataset
    from intrepid_epid.dataset.manifest import SPLITS, DatasetGrid
    from intrepid_epid.machine_profile import load_profile

    settings = BuildSettings(
        grid=DatasetGrid(size_px, pixel_mm),
        largest_shift_mm=largest_shift_mm,
        test_percent=test_percent,
        validation_percent=validation_percent,
        seed=seed,
        group_by=group_by,
        leave_out=leave_out,
        validation_folders=validation_folders,
    )
    with progress_bar(unit="pair", desc="building") as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        built = build_dataset(folders, out, load_profile(machine), settings, progress=show)
    counts = {split: len(built.manifest.of_split(split)) for split in SPLITS}
    result = {
        "dataset": str(out),
        "pairs": len(built.manifest.pairs),
        "split": counts,
        "refused": [{"pair": name, "reason": reason} for name, reason in built.refused],
    }
    text = ", ".join(f"{count} {split}" for split, count in counts.items())
    left = f"\n{len(built.refused)} left out, see refused.csv." if built.refused else ""
    report(result, f"{len(built.manifest.pairs)} pairs: {text}.{left}\nWritten to {out}.", as_json=as_json)
    return DONE


@command.command("check")
@click.argument("dataset", type=click.Path(path_type=Path))
@json_option
def check(dataset: Path, as_json: bool) -> int:
    """Read every pair of DATASET and compare it with the manifest."""
    from intrepid_epid.dataset.manifest import SPLITS, load_manifest
    from intrepid_epid.dataset.pair_file import read_pair

    manifest = load_manifest(dataset)
    for pair in manifest.pairs:
        read_pair(dataset, pair, manifest.grid)
    counts = {split: len(manifest.of_split(split)) for split in SPLITS}
    result = {"dataset": str(dataset), "pairs": len(manifest.pairs), "split": counts, "machine": manifest.machine}
    report(result, f"{len(manifest.pairs)} pairs of {manifest.machine}, all as the manifest states.", as_json=as_json)
    return DONE
