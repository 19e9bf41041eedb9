"""Exchange with a real Orthanc in its own process: C-STORE, storage commitment, STOW, QIDO, WADO."""

import contextlib
import json
import shutil
import subprocess
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pydicom
import pytest

import builders
from dicom_peers import element_bytes, free_port
from intrepid_cli.main import run
from intrepid_rt.errors import InvalidSetting
from intrepid_rt.network.commitment import commit
from intrepid_rt.network.outbox import Receipts, parcels
from intrepid_rt.network.peer import Peer, PeerFailure, echo
from intrepid_rt.network.sending import send
from intrepid_rt.network.web import WebPeer, send_by_web

DICOMWEB_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")

pytestmark = [
    pytest.mark.external,
    pytest.mark.filterwarnings("ignore:.*socket.socket:pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.skipif(shutil.which("Orthanc") is None, reason="Orthanc is not installed"),
]


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


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory):
    folder = tmp_path_factory.mktemp("orthanc")
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


def study(folder: Path) -> Path:
    builders.write_treatment(folder)
    return folder


def test_a_treatment_arrives_and_is_committed(orthanc, tmp_path):
    found, _ = parcels([study(tmp_path / "study")])
    before = len(orthanc.instances())
    sent = send(orthanc.peer, found, Receipts("x"))
    assert (len(sent.taken), sent.refused) == (len(found), [])
    committed = commit(orthanc.peer, found, listen_port=orthanc.listen_port, wait_s=20)
    assert sorted(committed.kept) == sorted(one.sop_instance_uid for one in found)
    assert committed.not_kept == ()
    numbers = orthanc.instances()
    assert len(numbers) - before == len(found)
    sent_bytes = {element_bytes(one.path) for one in found}
    stored = tmp_path / "stored.dcm"
    for number in numbers:
        stored.write_bytes(orthanc.file(number))
        sent_bytes.discard(element_bytes(stored))
    assert sent_bytes == set()


def test_what_the_peer_does_not_have_is_not_committed(orthanc, tmp_path, capsys):
    found, _ = parcels([study(tmp_path / "study")])
    committed = commit(orthanc.peer, found[:2], listen_port=orthanc.listen_port, wait_s=20)
    assert (committed.kept, len(committed.not_kept)) == ((), 2)
    with pytest.raises(PeerFailure, match=r"did not answer the storage commitment within 0\.2 s"):
        commit(orthanc.peer, found[:1], wait_s=0.2)
    arguments = ["send", str(tmp_path / "study"), "--to", str(orthanc.peer), "--commit"]
    assert run([*arguments, "--listen-port", str(orthanc.listen_port), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["not_kept"] == []


@pytest.mark.skipif(not DICOMWEB_PLUGIN.exists(), reason="Orthanc's DICOMweb plugin is not installed")
def test_dicomweb_stores_finds_and_gives_back(orthanc, tmp_path):
    found, _ = parcels([study(tmp_path / "study")])
    peer = WebPeer(f"{orthanc.http}/dicom-web")
    sent = send_by_web(peer, found, Receipts("x"))
    assert len(sent.taken) == len(found)
    header = pydicom.dcmread(found[0].path)
    answers = peer.search(StudyInstanceUID=header.StudyInstanceUID)
    assert len(answers) == len(found)
    for one in found:
        header = pydicom.dcmread(one.path)
        back = peer.retrieve(header.StudyInstanceUID, header.SeriesInstanceUID, header.SOPInstanceUID)
        back.save_as(tmp_path / "back.dcm", enforce_file_format=True)
        assert element_bytes(tmp_path / "back.dcm") == element_bytes(one.path)


@pytest.mark.skipif(not DICOMWEB_PLUGIN.exists(), reason="Orthanc's DICOMweb plugin is not installed")
def test_the_command_by_dicomweb(orthanc, tmp_path, capsys):
    folder, url = study(tmp_path / "study"), f"{orthanc.http}/dicom-web"
    assert run(["send", str(folder), "--web", url, "--state", str(tmp_path / "s"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["refused"] == []
    assert run(["send", str(folder), "--web", url, "--state", str(tmp_path / "s"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["taken"] == []
    assert run(["send", str(folder), "--web", f"{orthanc.http}/nothing", "--attempts", "1"]) == 2
    assert run(["send", str(folder), "--web", f"http://127.0.0.1:{free_port()}", "--attempts", "1"]) == 2


def test_patients_do_not_travel_unencrypted():
    with pytest.raises(InvalidSetting, match="expected https"):
        WebPeer("http://archive.example/dicom-web")
