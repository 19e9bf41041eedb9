"""A real Orthanc in its own process, for tests of the network."""

import contextlib
import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
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
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(["Orthanc", str(folder / "orthanc.json")], stdout=log, stderr=log, cwd=folder)
    peer = Peer("ORTHANC", "127.0.0.1", dicom)
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(PeerFailure, OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{http}/system").read()
                echo(peer)
                break
            time.sleep(0.2)
        yield Orthanc(peer, f"http://127.0.0.1:{http}", listen, bool(plugins))
    finally:
        process.terminate()
        process.wait(30)
