"""The console command ``intrepid``: finds the subcommand, runs it and turns what happened into an exit code."""

import importlib
import signal
import sys
import traceback
from collections.abc import Sequence

import click

from intrepid_cli.console import DONE, UNFORESEEN, UNUSABLE_INPUT
from intrepid_cli.progress import remember_lost
from intrepid_rt.atomic import reason_of
from intrepid_rt.errors import UnusableInput

# Name: (module, one line). Modules are imported only when their subcommand runs, so that --help answers at once.
SUBCOMMANDS = {
    "demo": ("intrepid_cli.demo", "Run the whole chain on the bundled sample study."),
    "reconstruct": ("intrepid_cli.reconstruct", "EPID images and a plan in, 3D dose, gamma, DVH and report out."),
    "course": ("intrepid_cli.course", "Reconstructed fractions in, dose of the course and its comparison out."),
    "commission": ("intrepid_cli.commission", "Make a machine profile from open-field images and portal doses."),
    "constancy": ("intrepid_cli.constancy", "Open-field images of today against the profile's baseline."),
    "predict": ("intrepid_cli.predict", "Portal dose images from EPID images."),
    "train": ("intrepid_cli.train", "Train portal dose networks on a dataset of pairs."),
    "evaluate": ("intrepid_cli.evaluate", "Judge a portal dose model on a dataset: error, gamma, worst cases."),
    "models": ("intrepid_cli.models", "List, add and verify portal dose networks."),
    "gamma": ("intrepid_cli.gamma", "Compare two dose distributions, 2D or 3D, by the gamma index."),
    "dvh": ("intrepid_cli.dvh", "DVH, metrics and constraints from RTDOSE and RTSTRUCT."),
    "dvh-text": ("intrepid_cli.dvh_text", "The same from planning systems' text exports."),
    "constraints": ("intrepid_cli.constraints", "List, check and convert dose constraints."),
    "simulate": ("intrepid_cli.simulate", "Synthetic data with known truth."),
    "dataset": ("intrepid_cli.dataset", "Build and check datasets of portal images with their portal doses."),
    "cohort": ("intrepid_cli.cohort", "A database of many patients: import DICOM folders, query, export."),
    "deidentify": (
        "intrepid_cli.deidentify",
        "DICOM without names, after PS3.15 Annex E, checked by reading it again.",
    ),
    "send": ("intrepid_cli.send", "Send DICOM files to a peer: C-STORE or DICOMweb, resumed after interruptions."),
    "receive": ("intrepid_cli.receive", "Receive DICOM objects from listed peers until stopped."),
    "verify": ("intrepid_cli.verify_report", "Recompute the hashes of a report and compare."),
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in SUBCOMMANDS:
            return None
        return importlib.import_module(SUBCOMMANDS[cmd_name][0]).command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in SUBCOMMANDS.items()])


@click.command(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="slicer-intrepid", prog_name="intrepid")
def cli() -> None:
    """Radiotherapy dose verification from portal images. Research software, not cleared for clinical decisions."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code: 0 done, 1 a check failed, 2 unusable input, 3 unforeseen."""
    arguments = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    debug = "--debug" in arguments
    try:
        code = cli.main([a for a in arguments if a != "--debug"], prog_name="intrepid", standalone_mode=False)
        return code if isinstance(code, int) else DONE
    except click.ClickException as error:
        return _unusable(error.format_message(), debug)
    except UnusableInput as error:
        return _unusable(str(error), debug)
    except (KeyboardInterrupt, click.Abort):
        return _unusable("Interrupted; results that were not finished have been left out.", debug)
    except OSError as error:
        return _unusable(_os_message(error), debug)
    except Exception as error:  # the last resort: whatever was not foreseen must not look like a result
        print(
            f"intrepid: unforeseen {type(error).__name__}: {_one_line(str(error))} (run with --debug)", file=sys.stderr
        )
        if debug:
            traceback.print_exc()
        return UNFORESEEN


def _unusable(message: str, debug: bool) -> int:
    print(f"intrepid: {_one_line(message)}", file=sys.stderr)
    if debug:
        traceback.print_exc()
    return UNUSABLE_INPUT


def _os_message(error: OSError) -> str:
    place = f"{error.filename}: " if error.filename else ""
    return f"{place}{reason_of(error)}. Check the path, the permissions and the free space, then run again."


def _one_line(message: str) -> str:
    return " ".join(message.split())


def main() -> None:
    """Entry point of the console script; a polite request to end is an interruption, after which things are tidied."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.unraisablehook = remember_lost
    sys.exit(run())
