"""Patients from a real Orthanc: C-FIND with C-GET and C-MOVE, DICOMweb; the import gives the bytes of a direct one."""

import json

import pytest

from dicom_peers import free_port
from intrepid_cli.main import run
from intrepid_cohort.database import initialise
from intrepid_cohort.dicom_node import fetch, query_keys
from intrepid_cohort.export import export_canonical
from intrepid_cohort.importing import import_folders
from intrepid_cohort.simulation.cohort import write_cohort
from intrepid_rt.errors import InvalidSetting, MissingObject
from intrepid_rt.network.outbox import Receipts, parcels
from intrepid_rt.network.peer import Peer, PeerFailure
from intrepid_rt.network.sending import send
from orthanc_server import DICOMWEB_PLUGIN, INSTALLED, running_orthanc

KEY = "a key for tests that is long enough"

pytestmark = [
    pytest.mark.external,
    pytest.mark.filterwarnings("ignore:.*socket.socket:pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.skipif(not INSTALLED, reason="Orthanc is not installed"),
]


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """An Orthanc that holds two patients, their folder, and the canonical content of a direct import."""
    folder = tmp_path_factory.mktemp("node")
    write_cohort(folder / "in", patients=2, centres=1, seed=3)
    with running_orthanc(folder) as orthanc:
        found, _ = parcels([folder / "in"])
        sent = send(orthanc.peer, found, Receipts("x"))
        assert sent.refused == []
        yield orthanc, folder, _content(folder / "in", folder / "direct.db")


def _content(source, database):
    """Lines of the canonical export that do not depend on where files lie."""
    engine = initialise(database, pseudonym_key=KEY)
    result = import_folders(engine, [source], processes=1)
    assert result.failures == []
    export_canonical(engine, database.with_suffix(".jsonl"))
    engine.dispose()
    lines = map(json.loads, database.with_suffix(".jsonl").read_text().splitlines())
    kept = []
    for line in lines:
        if line["table"] not in ("files", "patients"):
            # Orthanc writes another transfer syntax or preamble, so files have other hashes.
            kept.append(json.dumps({k: v for k, v in line.items() if not k.endswith("sha256")}, sort_keys=True))
    return sorted(kept)


@pytest.mark.parametrize("way", ["get", "move"])
def test_fetched_patients_are_those_of_a_direct_import(node, tmp_path, way):
    orthanc, _, direct = node
    port = orthanc.listen_port if way == "move" else None
    result = fetch(orthanc.peer, {"PatientID": "*"}, tmp_path / "out", move_port=port)
    assert result.missing == []
    assert result.files > 40
    assert _content(tmp_path / "out", tmp_path / "c.db") == direct
    again = fetch(orthanc.peer, {"PatientID": "*"}, tmp_path / "out", move_port=port)
    assert (again.files, again.known) == (0, result.files)


def test_a_broken_off_fetch_goes_on(node, tmp_path):
    orthanc, _, _ = node
    whole = fetch(orthanc.peer, {"PatientID": "00001"}, tmp_path)
    for path in sorted(tmp_path.rglob("*.dcm"))[::3]:
        path.unlink()
    again = fetch(orthanc.peer, {"PatientID": "00001"}, tmp_path)
    assert again.missing == []
    assert len(list(tmp_path.rglob("*.dcm"))) == whole.files


def test_only_what_matches_comes(node, tmp_path):
    orthanc, _, _ = node
    assert fetch(orthanc.peer, {"PatientID": "00001"}, tmp_path / "one").studies >= 1
    with pytest.raises(MissingObject, match="Loosen"):
        fetch(orthanc.peer, {"PatientID": "nobody"}, tmp_path / "none")
    with pytest.raises(MissingObject):
        fetch(orthanc.peer, {"PatientID": "*", "StudyDate": "19000101-19000102"}, tmp_path / "none")


@pytest.mark.skipif(not DICOMWEB_PLUGIN.exists(), reason="Orthanc's DICOMweb plugin is not installed")
def test_by_dicomweb_and_as_a_command(node, tmp_path, capsys):
    orthanc, _, direct = node
    arguments = ["cohort", "fetch", str(tmp_path / "out"), "--web", f"{orthanc.http}/dicom-web", "--json"]
    assert run([*arguments, "--find", "PatientID=*"]) == 0, capsys.readouterr().err
    found = json.loads(capsys.readouterr().out)
    assert found["missing"] == []
    assert _content(tmp_path / "out", tmp_path / "c.db") == direct
    assert run([*arguments, "--find", "PatientID=*"]) == 0
    assert json.loads(capsys.readouterr().out)["files"] == 0


def test_the_command_by_dimse(node, tmp_path, capsys):
    orthanc, _, _ = node
    assert (
        run(["cohort", "fetch", str(tmp_path), "--from", str(orthanc.peer), "--find", "PatientID=00002", "--json"]) == 0
    )
    assert json.loads(capsys.readouterr().out)["files"] > 10


def test_a_curated_cohort_is_sent_back_without_names(node, tmp_path, capsys):
    """C-STORE of de-identified files, with a log."""
    orthanc, folder, _ = node
    arguments = ["cohort", "export", str(tmp_path / "log.csv"), "--database", str(folder / "direct.db"), "--format",
                 "dicom", "--where", "type = PTV", "--to", str(orthanc.peer), "--key", str(tmp_path / "key"),
                 "--json"]  # fmt: skip
    assert run(arguments) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["sent"] == found["files"] > 40
    assert len((tmp_path / "log.csv").read_text().splitlines()) == found["sent"] + 1
    fetched = fetch(orthanc.peer, {"PatientID": "P-*"}, tmp_path / "back")
    assert fetched.files == found["sent"]


def test_what_cannot_be_fetched_is_said_in_one_line(tmp_path, capsys):
    with pytest.raises(InvalidSetting, match="PatientID"):
        query_keys([])
    with pytest.raises(InvalidSetting, match="no key"):
        query_keys(["PatientName=X"])
    with pytest.raises(PeerFailure, match="does not answer"):
        fetch(Peer("NONE", "127.0.0.1", free_port()), {"PatientID": "*"}, tmp_path)
    assert run(["cohort", "fetch", str(tmp_path), "--find", "PatientID=*"]) == 2
    assert "--from" in capsys.readouterr().err
