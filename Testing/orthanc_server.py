"""A real Orthanc in its own process, for tests of the network."""

import contextlib
import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dicom_peers import free_port
from intrepid_rt.network.peer import Peer, PeerFailure, echo

DICOMWEB_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
INSTALLED = shutil.which("Orthanc") is not None


@dataclass(frozen=True)
class Orthanc:
    peer: Peer
    http: str
    listen_port: int
    has_dicomweb: bool
    restart: Callable[[], None]  # after SIGKILL

    def instances(self) -> list[str]:
        return json.load(urllib.request.urlopen(f"{self.http}/instances"))

    def file(self, number: str) -> bytes:
        return urllib.request.urlopen(f"{self.http}/instances/{number}/file").read()


@contextlib.contextmanager
def running_orthanc(folder: Path) -> Iterator[Orthanc]:
    """Start Orthanc with its data in ``folder``; it knows us as INTREPID and by C-MOVE at ``listen_port``."""
    dicom, http, listen = free_port(), free_port(), free_port()
    plugins = [str(DICOMWEB_PLUGIN)] if DICOMWEB_PLUGIN.exists() else []
    settings = {
        "StorageDirectory": str(folder / "storage"), "IndexDirectory": str(folder / "storage"), "Plugins": plugins,
        "DicomPort": dicom, "DicomAet": "ORTHANC", "HttpPort": http, "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False, "StableAge": 1, "HttpServerEnabled": True, "DicomServerEnabled": True,
        "DicomModalities": {"us": ["INTREPID", "127.0.0.1", listen]}, "DicomWeb": {"Enable": True},
    }  # fmt: skip
    (folder / "orthanc.json").write_text(json.dumps(settings))
    peer = Peer("ORTHANC", "127.0.0.1", dicom)
    processes: list[subprocess.Popen] = []

    def start() -> None:
        with (folder / "log").open("a") as log:
            command = ["Orthanc", str(folder / "orthanc.json")]
            processes.append(subprocess.Popen(command, stdout=log, stderr=log, cwd=folder))
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(PeerFailure, OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{http}/system").read()
                echo(peer)
                break
            time.sleep(0.2)

    def restart() -> None:
        processes[-1].kill()
        processes[-1].wait(30)
        start()

    try:
        start()
        yield Orthanc(peer, f"http://127.0.0.1:{http}", listen, bool(plugins), restart)
    finally:
        processes[-1].terminate()
        processes[-1].wait(30)
