"""Exchange with a real Orthanc in its own process: C-STORE, storage commitment, STOW, QIDO, WADO."""

import json
from pathlib import Path

import pydicom
import pytest

import builders
from dicom_peers import ct_files, element_bytes, free_port
from intrepid_cli.main import run
from intrepid_rt.errors import InvalidSetting
from intrepid_rt.network.commitment import commit
from intrepid_rt.network.outbox import Receipts, parcels
from intrepid_rt.network.peer import PeerFailure
from intrepid_rt.network.sending import send
from intrepid_rt.network.web import WebPeer, send_by_web
from orthanc_server import DICOMWEB_PLUGIN, INSTALLED, running_orthanc

pytestmark = [
    pytest.mark.external,
    pytest.mark.filterwarnings("ignore:.*socket.socket:pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.skipif(not INSTALLED, reason="Orthanc is not installed"),
]


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory):
    with running_orthanc(tmp_path_factory.mktemp("orthanc")) as server:
        yield server


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


def test_all_of_500_objects_arrive_though_orthanc_is_killed_twice(tmp_path):
    found, _ = parcels([ct_files(tmp_path / "out", 500)])
    with running_orthanc(tmp_path) as server:
        at = [120, 310]

        def kill_now_and_then(done: int, _total: int) -> None:
            if at and done >= at[0]:
                at.pop(0)
                server.restart()

        sent = send(server.peer, found, Receipts("x", tmp_path / "state"), pause_s=0.05, progress=kill_now_and_then)
        assert sent.reconnections >= 2
        assert (len(set(sent.taken)), sent.refused) == (500, [])
        numbers = server.instances()
        assert len(numbers) == 500
        stored = tmp_path / "stored.dcm"
        expected = {element_bytes(one.path) for one in found}
        for number in numbers:
            stored.write_bytes(server.file(number))
            expected.discard(element_bytes(stored))
        assert expected == set()


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


@pytest.mark.parametrize("host", ["archive.example", "localhost.archive.example", "127.0.0.1.archive.example:80"])
def test_patients_do_not_travel_unencrypted(host):
    with pytest.raises(InvalidSetting, match="expected https"):
        WebPeer(f"http://{host}/dicom-web")
