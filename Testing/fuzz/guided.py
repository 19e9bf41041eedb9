"""Coverage-guided fuzzing of the readers by atheris: bytes that reach new code are kept and changed further.

    make fuzz-guided FUZZ_SECONDS=1800            (a night: 28800)
    .venv/bin/python Testing/fuzz/guided.py --seconds 60 --corpus .fuzz-corpus [--only text]

The first byte of an input chooses the reader, the rest is the file. A reader may return or refuse (`UnusableInput`);
anything else ends the run with the input kept in the corpus folder. Inputs kept are taken up by the next run.
"""

import argparse
import contextlib
import faulthandler
import io
import os
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[1]))

with atheris.instrument_imports(include=["intrepid_rt", "intrepid_dvh", "intrepid_epid", "pydicom"]):
    from intrepid_cli.verification.seal import check_seal
    from intrepid_dvh.constraint_reading import library_or_table
    from intrepid_dvh.dicom_dvh import read_dvhs
    from intrepid_dvh.text.decoding import Options
    from intrepid_dvh.text.reading import read_dvh_files
    from intrepid_epid.machine_profile import load_profile
    from intrepid_epid.portal_reader import read_portal_image
    from intrepid_epid.spectrum import read_spectrum
    from intrepid_rt.ct_curve import read_ct_curve
    from intrepid_rt.dicom_ct import read_ct_series
    from intrepid_rt.dicom_dose import read_dose_object
    from intrepid_rt.dicom_plan import read_plan
    from intrepid_rt.dicom_structures import read_structure_set
    from intrepid_rt.errors import UnusableInput

# Name: (suffix of the file, reader, folder and pattern of the fuzzing corpus its seeds come from).
READERS: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "ct": (".dcm", lambda path: read_ct_series([path]), "study/CT_00*"),
    "dose": (".dcm", read_dose_object, "study/RTDOSE_*"),
    "plan": (".dcm", read_plan, "study/RTPLAN*"),
    "structures": (".dcm", read_structure_set, "study/RTSTRUCT*"),
    "image": (".dcm", read_portal_image, "images/*.dcm"),
    "dvh": (".dcm", read_dvhs, "stored/RTDOSE*"),
    "text": (".txt", lambda path: read_dvh_files([path], options=Options(uncertainty=True)), "texts/*"),
    "constraints": (".csv", library_or_table, "constraints/*"),
    "profile": (".json", load_profile, "images/profile.json"),
    "spectrum": (".csv", read_spectrum, "commissioning/spectrum.csv"),
    "curve": (".csv", read_ct_curve, "commissioning/curve.csv"),
    "seal": (".json", check_seal, "results/results.json"),
}
MOST_SEED_BYTES = 20_000
LIMIT_S = 60  # instrumented code is slower than the 20 s of Testing/fuzz/run.py allow for


def try_input(data: bytes, folder: Path, names: list[str]) -> None:
    """Give one input to the reader that its first byte names."""
    if not data:
        return
    suffix, reader, _ = READERS[names[data[0] % len(names)]]
    path = folder / f"results{suffix}"
    path.write_bytes(data[1:])
    # The fuzzer's own alarm does not interrupt Python: a hang ends the run here, and says where it hung.
    faulthandler.dump_traceback_later(LIMIT_S, exit=True)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(UnusableInput):
        warnings.simplefilter("ignore")
        reader(path)
    faulthandler.cancel_dump_traceback_later()


def write_seeds(corpus: Path, names: list[str]) -> None:
    """Put an undamaged file of every kind into an empty corpus folder."""
    from fuzz.corpus import make_corpus

    corpus.mkdir(parents=True, exist_ok=True)
    if any(corpus.iterdir()):
        return
    with tempfile.TemporaryDirectory() as folder:
        made = make_corpus(Path(folder))
        for number, name in enumerate(names):
            for path in sorted(made.glob(READERS[name][2])):
                if path.is_file() and path.stat().st_size <= MOST_SEED_BYTES:
                    (corpus / f"{name}-{path.name}").write_bytes(bytes([number]) + path.read_bytes())


def main() -> None:
    """Run until the time is over or an input is not refused as it should be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--corpus", type=Path, default=Path(".fuzz-corpus"))
    parser.add_argument("--only", choices=list(READERS), action="append")
    given = parser.parse_args()
    names = given.only or list(READERS)
    write_seeds(given.corpus, names)
    # On memory: the fuzzer kills cleanly by rss; a folder in memory keeps a million small files off the disk.
    place = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=place) as folder:
        options = {
            "max_total_time": given.seconds, "timeout": 20, "rss_limit_mb": 2000, "max_len": MOST_SEED_BYTES + 1,
            "artifact_prefix": f"{given.corpus}/found-", "print_final_stats": 1,
        }  # fmt: skip
        arguments = [sys.argv[0], str(given.corpus), *(f"-{name}={value}" for name, value in options.items())]
        atheris.Setup(arguments, lambda data: try_input(data, Path(folder), names))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
