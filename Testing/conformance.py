"""What dciodvfy (dicom3tools) says about an object, 32 bit pixels included.

dciodvfy models the words of Pixel Data with one or two bytes (``attrothr.cc``: ``assert(bytesinword<=2)``, then
``assert(bitsallocated <= bytesinword*8u)``), so that it aborts on any native pixel data of more than 16 bits allocated,
whatever the object: versions 1.00~20220618 and 1.00~20240118 both do. It reads fragments of encapsulated pixel data
without looking inside. Such an object is therefore shown to it with the same pixel bytes in fragments, one per frame,
and with every other element as it was written, the 32 bits included.
"""

import subprocess
import tempfile
from pathlib import Path

import pydicom
from pydicom.encaps import encapsulate
from pydicom.uid import RLELossless

ABORT = "bitsallocated <= bytesinword*8u"
# Known: dciodvfy demands the optional RT DVH module of a dose that refers to a structure set.
KNOWN = "Error - Missing attribute Type 1 Required Element=<DVHSequence> Module=<RTDVH>"


def errors(path: Path) -> list[str]:
    """Return dciodvfy's errors on a file, other than the known one."""
    return [line for line in report(path) if line.startswith("Error") and line != KNOWN]


def report(path: Path) -> list[str]:
    """Return all lines of dciodvfy on a file; the first one is what it took it for."""
    code, lines = _run(path)
    if code < 0 and ABORT in "".join(lines):
        with tempfile.TemporaryDirectory() as folder:
            code, lines = _run(_encapsulated(path, Path(folder) / "twin.dcm"))
    assert code >= 0, lines
    return lines


def aborts_on(path: Path) -> bool:
    """Whether dciodvfy stops at the pixel data as it is."""
    code, lines = _run(path)
    return code < 0 and ABORT in "".join(lines)


def _run(path: Path) -> tuple[int, list[str]]:
    ran = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
    return ran.returncode, (ran.stdout + ran.stderr).splitlines()


def _encapsulated(path: Path, twin_path: Path) -> Path:
    twin = pydicom.dcmread(path)
    size = len(twin.PixelData) // int(twin.get("NumberOfFrames") or 1)
    frames = [twin.PixelData[start : start + size] for start in range(0, len(twin.PixelData), size)]
    twin.PixelData = encapsulate(frames)
    twin["PixelData"].VR, twin["PixelData"].is_undefined_length = "OB", True
    twin.file_meta.TransferSyntaxUID = RLELossless
    twin.save_as(twin_path, enforce_file_format=True)
    return twin_path
