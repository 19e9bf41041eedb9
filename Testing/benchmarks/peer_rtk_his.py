"""Raw panel frames as the Reconstruction Toolkit reads them, for Testing/unit/delivery/test_his_beside_rtk.py.

    python -m venv RTK && RTK/bin/pip install itk-rtk==2.7.0.post1 numpy
    RTK/bin/python Testing/benchmarks/peer_rtk_his.py Testing/golden/his/rtk_his.npz

The files are made here byte by byte, from the layout in RTK's ``rtkHisImageIO.cxx`` and not by our own builder: a
header of 68 bytes, an image header of stated length, 16 bit frames. Files and what RTK reads are kept together.
"""

import struct
import sys
import tempfile
from pathlib import Path

import itk
import numpy as np

# Name: (side in pixels, bytes of the image header, first row and column of the region of interest as stated, less one).
FILES = {"plain": (24, 32, 0), "no image header": (16, 0, 0), "long image header, region": (20, 200, 5)}


def his_file(pixels: np.ndarray, image_header: int, first: int) -> bytes:
    """A version 100 file of one frame."""
    rows, columns = pixels.shape
    head = bytearray(68)
    struct.pack_into("<HHHI", head, 0, 0x7000, 68, 100, 68 + image_header + pixels.nbytes)
    struct.pack_into("<7H", head, 10, image_header, first, first, first + columns - 1, first + rows - 1, 1, 0)
    struct.pack_into("<dH", head, 24, 432000.0, 4)
    return bytes(head) + b"\x07" * image_header + pixels.astype("<u2").tobytes()


def by_rtk(data: bytes) -> np.ndarray:
    """Stored numbers (rows, columns) as RTK's reader gives them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frame.his"
        path.write_bytes(data)
        reader = itk.ImageFileReader[itk.Image[itk.US, 2]].New(FileName=str(path), ImageIO=itk.RTK.HisImageIO.New())
        reader.Update()
        return np.array(itk.array_from_image(reader.GetOutput()))


def main() -> None:
    """Write all files with what RTK reads."""
    out, rng, kept = Path(sys.argv[1]), np.random.default_rng(5), {}
    for number, (name, (side, image_header, first)) in enumerate(FILES.items()):
        data = his_file(rng.integers(0, 65536, (side, side), np.uint16), image_header, first)
        kept |= {f"name_{number}": name, f"file_{number}": np.frombuffer(data, np.uint8), f"rtk_{number}": by_rtk(data)}
        print(name, len(data), kept[f"rtk_{number}"].shape)
    out.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(out, **kept)


if __name__ == "__main__":
    main()
