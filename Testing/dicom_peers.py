"""DICOM peers for tests: DCMTK's receiver as a process, free ports, files to send, and what is compared."""

import contextlib
import socket
import subprocess
import time
from pathlib import Path

import numpy as np
import pydicom

import builders
from builders import Ids, Lattice


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ct_files(folder: Path, count: int) -> Path:
    lattice = Lattice((count, 2, 2))
    for number, one in enumerate(builders.ct_slices(np.zeros(lattice.shape), lattice, Ids())):
        builders.save(one, folder / f"{number:04d}.dcm")
    return folder


def element_bytes(path: Path) -> bytes:
    """Everything after the file meta information."""
    with path.open("rb") as file:
        pydicom.filereader.read_preamble(file, False)
        pydicom.filereader._read_file_meta_info(file)
        return file.read()


class Storescp:
    """DCMTK's receiver as a process that can be killed and started again."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder, self.port, self.options = folder, free_port(), options
        folder.mkdir(parents=True, exist_ok=True)
        self.start()

    def start(self) -> None:
        command = [
            "storescp",
            "--bit-preserving",
            "+xa",
            "-aet",
            "PEER",
            *self.options,
            "-od",
            self.folder,
            str(self.port),
        ]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.05)
        raise AssertionError("storescp does not listen")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    @property
    def received(self) -> list[Path]:
        return [path for path in self.folder.iterdir() if path.stat().st_size]
