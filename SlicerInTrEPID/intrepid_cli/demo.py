"""``intrepid demo``: the whole chain on the sample study that ships with the package."""

import tempfile
import time
from pathlib import Path

import click

from intrepid_cli.console import DONE, json_option, report


@click.command("demo")
@click.option("--out", "out_dir", type=click.Path(path_type=Path), default=Path("demo-output"), show_default=True)
@json_option
def command(out_dir: Path, as_json: bool) -> int:
    """Reconstruct the bundled two-beam thorax and tell where report, scene and doses lie."""
    from intrepid_cli.reconstruct import reconstruct, summary
    from intrepid_cli.verification import VerificationSettings
    from intrepid_cli.verification.results import as_results
    from intrepid_rt.resources import resource_folder
    from SlicerInTrEPIDLib.sample import unpack_sample

    start = time.perf_counter()
    sample = resource_folder("SampleData")
    with tempfile.TemporaryDirectory(prefix="intrepid-") as folder:
        unpacked = unpack_sample(sample, Path(folder))
        result = reconstruct(
            VerificationSettings(
                study_dir=unpacked / "study",
                out_dir=out_dir,
                machine=sample / "MC6MV.profile.json",
                planned_portal_dir=unpacked / "planned_portal",
                constraints=sample / "constraints.csv",
            )
        )
    text = f"{summary(result, out_dir)}\nFinished in {time.perf_counter() - start:.0f} s."
    report(as_results(result), text, as_json=as_json)
    return DONE
