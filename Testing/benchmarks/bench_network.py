"""Time and memory of ``intrepid predict`` with an ensemble on one 1024 x 1024 image, reading and calibration included.

    python Testing/benchmarks/bench_network.py [MODEL] [--image RTIMAGE --machine PROFILE]

Without an image, one of an Elekta-like panel is made. A first prediction starts libraries up and is not timed.
"""

import argparse
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

import builders
from builders import Ids
from chain_phantoms import soft_field
from intrepid_cli.main import run
from intrepid_epid.machine_profile import load_profile
from intrepid_epid.networks.network_model import NetworkModel, portal_dose_model
from intrepid_epid.networks.portal_dose_model import exposure_of
from intrepid_epid.portal_dose import open_portal_dose
from intrepid_epid.portal_reader import read_portal_image
from intrepid_rt.resources import resource_folder

REPEATS = 7


def made_image(folder: Path) -> Path:
    """Write a 10 x 10 cm2 field behind something that lets half through, with noise."""
    signal = 0.5 * soft_field(50, 50, n=1024, pixel=0.405, edge_mm=5.0).values
    noisy = signal * (1 + 0.005 * np.random.default_rng(0).standard_normal(signal.shape))
    image = builders.rtimage(
        builders.elekta_pixels(noisy.clip(0), 40000.0), Ids(), pixel_mm=(0.405, 0.405), elekta_factor=40000.0
    )
    builders.save(image, folder / "image.dcm")
    return folder / "image.dcm"


def best_of(function) -> float:  # type: ignore[no-untyped-def]
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", default="simulated-6mv")
    parser.add_argument("--image", type=Path)
    parser.add_argument("--machine", type=Path, default=resource_folder("SampleData") / "MC6MV.profile.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        image = options.image or made_image(Path(folder))
        arguments = [
            "predict",
            str(image),
            "--machine",
            str(options.machine),
            "--out",
            folder,
            "--model",
            options.model,
        ]
        arguments += ["--meterset-mu", "100"]
        assert run(arguments) == 0
        whole = best_of(lambda: run(arguments))
        profile, model = load_profile(options.machine), portal_dose_model(options.model)
        frame = read_portal_image(image)
        exposure = exposure_of(frame, profile, meterset_mu=100.0)
        results = {
            "whole command, loading the model included": whole,
            "reading the image": best_of(lambda: read_portal_image(image)),
            "ensemble, calibration included": best_of(lambda: model.predict(exposure)),
        }
        if isinstance(model, NetworkModel):
            physics = open_portal_dose(exposure.signal, profile)
            seen = model._seen(exposure, physics, 0.4)
            members, model.ensemble.members = model.ensemble.members, model.ensemble.members[:1]
            results["one model"] = best_of(lambda: model.ensemble.doses_gy(seen, physics))
            model.ensemble.members = members
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({**{k: round(v, 3) for k, v in results.items()}, "peak MB": round(peak_mb)}, indent=1))
    return 0 if whole < 1.0 and peak_mb < 1024 and results.get("one model", 0) < 0.2 else 1


if __name__ == "__main__":
    sys.exit(main())
