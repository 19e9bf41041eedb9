"""A real Dask cluster on this machine: a scheduler and two workers, each a process of its own."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dicom_peers import free_port
from intrepid_rt.distribution.cluster import cluster
from intrepid_rt.errors import InvalidSetting, MissingObject


@contextmanager
def dask_cluster(folder: Path) -> Iterator[str]:
    """Yield the address of the scheduler when both workers are there; end all three afterwards."""
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    scheduler = _process("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard",
                         "--dashboard-address", "127.0.0.1:0")  # fmt: skip
    with scheduler, _worker(address, folder), _worker(address, folder):
        for _ in range(300):
            if _workers(address) == 2:
                break
            time.sleep(0.2)
        else:
            pytest.fail("the cluster did not start")
        yield address


def _workers(address: str) -> int:
    try:
        with cluster(address) as client:
            return len(client.nthreads())
    except (InvalidSetting, MissingObject):
        return 0


def _worker(address: str, folder: Path):  # type: ignore[no-untyped-def]
    return _process("distributed.cli.dask_worker", address, "--nthreads", "1", "--no-dashboard", "--no-nanny",
                    "--local-directory", str(folder))  # fmt: skip


@contextmanager
def _process(*command: str) -> Iterator[subprocess.Popen]:
    child = subprocess.Popen([sys.executable, "-m", *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield child
    finally:
        child.kill()
        child.wait(timeout=30)
