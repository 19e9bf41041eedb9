"""``intrepid evaluate``: a portal dose model against the truth of a dataset."""

from pathlib import Path

import click

from intrepid_cli.console import DONE, json_option, report
from intrepid_cli.progress import progress_bar

_PATH = click.Path(path_type=Path)


@click.command("evaluate")
@click.argument("dataset", type=_PATH)
@click.option("--out", "out_dir", required=True, type=_PATH, help="Folder for tables, page and JSON.")
@click.option("--model", "model_name", default="physics", show_default=True, help="physics, or a network's name.")
@click.option("--split", default="test", show_default=True, help="Part of the dataset: test, validation or train.")
@click.option("--told", help="Optional inputs told to the network, by comma; '' for the image alone. Default: all.")
@json_option
def command(dataset: Path, out_dir: Path, model_name: str, split: str, told: str | None, as_json: bool) -> int:
    """Judge a portal dose model on DATASET: error and gamma per sample, per phantom and field, and the worst five."""
    from intrepid_cli.evaluation.outputs import as_json as as_tree
    from intrepid_cli.evaluation.outputs import write_evaluation
    from intrepid_cli.evaluation.samples import judged_sample
    from intrepid_cli.needed import needed
    from intrepid_epid.dataset.manifest import SPLITS, load_manifest
    from intrepid_epid.dataset.pair_file import read_pair
    from intrepid_epid.networks.network_model import portal_dose_model
    from intrepid_epid.networks.pair_prediction import predict_pair
    from intrepid_epid.networks.training_data import dataset_sha256
    from intrepid_rt.atomic import staged_folder
    from intrepid_rt.errors import InvalidSetting, MissingObject

    if split not in SPLITS:
        raise InvalidSetting(f"--split {split}: choose {', '.join(SPLITS)}.")
    if model_name != "physics":
        needed("torch", "safetensors", purpose="Evaluating a network", extra="nn")
    model = portal_dose_model(model_name)
    manifest = load_manifest(dataset)
    pairs = manifest.of_split(split)
    if not pairs:
        raise MissingObject(f"{dataset} has no pair in its {split} part.")
    known = None if told is None else [name.strip() for name in told.split(",") if name.strip()]
    samples = []
    for pair in progress_bar(pairs, unit="pair", desc=f"judging {model.name}", dynamic_ncols=True):
        arrays = read_pair(dataset, pair, manifest.grid)
        predicted = predict_pair(model, arrays, pair, manifest, known=known)
        samples.append(judged_sample(pair, arrays.portal_dose_gy, predicted, manifest.grid.pixel_mm))
    about = {
        "model": model.name,
        "split": split,
        "n": len(samples),
        "machine": manifest.machine,
        "energy": manifest.energy,
        "dataset_sha256": dataset_sha256(dataset),
        "told": "image alone" if known == [] else f"told: {', '.join(known) if known else 'all that is known'}",
    }
    with staged_folder(out_dir) as stage:
        write_evaluation(stage, samples, about, manifest.grid.pixel_mm)
    tree = as_tree(samples, about)
    rates = tree["overall"]["pass_rate_percent"]
    lines = [f"{len(samples)} pairs, {model.name}: error {tree['overall']['mae_percent']['mean']:.2f} % of the maximum"]
    for name, rate in rates.items():
        error = "" if rate["standard_error"] is None else f" +- {rate['standard_error']:.2f}"
        lines.append(
            f"gamma {name}: {rate['mean']:.2f}{error} %, median {rate['median']:.2f}, worst {rate['worst']:.2f}"
        )
    lines.append(f"Page: {out_dir / 'evaluation.html'}")
    report({"out": str(out_dir), **tree}, "\n".join(lines), as_json=as_json)
    return DONE
