"""Pictures of docs/training.md: ``python docs/pictures/make_training.py RUNS EVALUATION.json DATASET MODEL``.

Curves of every run, and the worst sample of the test part.
"""

import json
import sys
from pathlib import Path

from intrepid_cli.evaluation import judged_sample
from intrepid_cli.evaluation.pictures import sample_figure
from intrepid_cli.report import style
from intrepid_epid.dataset.manifest import load_manifest
from intrepid_epid.dataset.pair_file import read_pair
from intrepid_epid.networks.network_model import portal_dose_model
from intrepid_epid.networks.pair_prediction import predict_pair

HERE = Path(__file__).parent


def curves(runs: Path) -> None:
    """Draw the validation error of every run by epoch."""
    with style.drawing(2.6, width_inches=7.0) as figure:
        ax = figure.subplots()
        for path in sorted(runs.glob("runs/*/result.json")):
            result = json.loads(path.read_text())
            errors = [epoch["validation_error_percent"] for epoch in result["epochs"]]
            ax.plot(range(1, len(errors) + 1), errors, label=f"fold {result['run']['fold'] + 1}", linewidth=1.2)
            ax.plot(result["best_epoch"], result["validation_error_percent"], "o", color=ax.lines[-1].get_color())
        ax.set_yscale("log")
        ax.set_yticks([0.4, 0.6, 1.0, 1.5, 2.0], ["0.4", "0.6", "1", "1.5", "2"])
        ax.set_xlabel("epoch")
        ax.set_ylabel("error in the field, % of its level")
        ax.grid(visible=True)
        ax.legend(ncols=2)
        figure.savefig(HERE / "training_curves.png", dpi=style.DPI)


def worst(evaluation: Path, dataset: Path, model_name: str) -> None:
    """Draw the sample that passes fewest points; the error decides between equals."""
    samples = json.loads(evaluation.read_text())["samples"]
    name = min(samples, key=lambda one: (one["pass_rate_percent"]["3/3"], -one["mae_percent"]))["id"]
    manifest, model = load_manifest(dataset), portal_dose_model(model_name)
    pair = next(one for one in manifest.pairs if one.id == name)
    arrays = read_pair(dataset, pair, manifest.grid)
    sample = judged_sample(
        pair, arrays.portal_dose_gy, predict_pair(model, arrays, pair, manifest), manifest.grid.pixel_mm
    )
    sample_figure(sample, manifest.grid.pixel_mm).savefig(HERE / "training_worst.png", dpi=style.DPI)


if __name__ == "__main__":
    runs, evaluation, dataset, model = sys.argv[1:]
    curves(Path(runs))
    worst(Path(evaluation), Path(dataset), model)
