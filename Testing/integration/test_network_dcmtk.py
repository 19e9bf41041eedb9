"""Sending and receiving against DCMTK's programs, killed in mid transfer, and against hostile callers."""

import contextlib
import shutil
import socket
import subprocess
import threading
import time

import numpy as np
import pydicom
import pytest

import builders
from builders import Ids, Lattice
from dicom_peers import Storescp, ct_files, element_bytes, free_port
from intrepid_cli.main import run
from intrepid_rt.errors import InvalidSetting
from intrepid_rt.network.outbox import Receipts, parcels
from intrepid_rt.network.peer import ConnectionLost, Peer, PeerFailure, TLSFiles, association, echo, parse_peer
from intrepid_rt.network.receiving import Receiver, ReceiverSettings
from intrepid_rt.network.sending import send

pytestmark = [
    pytest.mark.external,
    # pynetdicom leaves a socket that was refused to the garbage collector, which says so.
    pytest.mark.filterwarnings("ignore:.*socket.socket:pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.skipif(shutil.which("storescp") is None, reason="dcmtk is not installed"),
]


@pytest.fixture
def storescp(tmp_path):
    peer = Storescp(tmp_path / "arrived")
    yield peer
    peer.kill()


def test_all_of_500_objects_arrive_though_the_peer_is_killed_twice(tmp_path, storescp):
    found, _ = parcels([ct_files(tmp_path / "out", 500)])
    state = tmp_path / "state.jsonl"
    kills = iter((120, 310))
    at = [next(kills)]

    def kill_now_and_then(done: int, _total: int) -> None:
        if at and done >= at[0]:
            storescp.kill()
            at[:] = list(kills)[:1]
            storescp.start()

    peer = Peer("PEER", "127.0.0.1", storescp.port)
    sent = send(peer, found, Receipts(str(peer), state), pause_s=0.05, progress=kill_now_and_then)
    assert sent.reconnections >= 2
    assert (len(sent.taken), sent.refused) == (500, [])
    assert len(set(sent.taken)) == 500
    arrived = {
        pydicom.dcmread(path, specific_tags=["SOPInstanceUID"]).SOPInstanceUID: path for path in storescp.received
    }
    assert len(storescp.received) == len(arrived) == 500
    for one in found:
        assert element_bytes(arrived[one.sop_instance_uid]) == element_bytes(one.path)
    again = send(peer, found, Receipts(str(peer), state))
    assert (again.taken, len(again.taken_earlier)) == ([], 500)


def test_a_second_run_goes_on_where_the_peer_was_given_up(tmp_path, storescp):
    found, _ = parcels([ct_files(tmp_path / "out", 30)])
    peer, state = Peer("PEER", "127.0.0.1", storescp.port), tmp_path / "state.jsonl"

    def kill_at_ten(done: int, _total: int) -> None:
        if done == 10:
            storescp.kill()

    with pytest.raises(PeerFailure, match=r"given up after 2 attempts with \d+ of 30 objects left"):
        send(peer, found, Receipts(str(peer), state), attempts=2, pause_s=0.01, progress=kill_at_ten)
    with state.open("a") as file:
        file.write('{"peer": "PEER@127')  # as a loss of power leaves it
    storescp.start()
    sent = send(peer, found, Receipts(str(peer), state))
    assert len(sent.taken_earlier) >= 10
    assert len(sent.taken) + len(sent.taken_earlier) == 30
    assert len(storescp.received) == 30
    assert all(one in Receipts(str(peer), state) for one in found)


def test_the_command_sends_echoes_and_says_when_nobody_is_there(tmp_path, storescp, capsys):
    folder, to = ct_files(tmp_path / "out", 3), f"PEER@127.0.0.1:{storescp.port}"
    (folder / "note.txt").write_text("no DICOM")
    assert run(["send", "--to", to, "--echo"]) == 0
    assert run(["send", str(folder), "--to", to]) == 0
    assert "took 3 object(s)" in capsys.readouterr().out
    storescp.kill()
    assert run(["send", str(folder), "--to", to, "--attempts", "1"]) == 2
    assert run(["send", "--to", to, "--echo"]) == 2
    errors = capsys.readouterr().err
    assert "Traceback" not in errors
    assert "does not answer" in errors


@pytest.mark.parametrize(
    "text", ["PEER", "PEER@host", "PEER@host:0", "PEER@host:70000", "ATITLETHATISTOOLONG@h:1", "@h:1"]
)
def test_addresses_that_are_none(text):
    with pytest.raises(InvalidSetting):
        parse_peer(text)


@contextlib.contextmanager
def receiver(tmp_path, **settings):
    lines: list[str] = []
    given = {"peers": (("LINAC", ""),), "free_mb": 0.0, **settings}
    running = Receiver(ReceiverSettings(tmp_path / "in", port=free_port(), **given), lines.append)
    running.start()
    try:
        yield running, lines
    finally:
        running.stop()


def storescu(running, *arguments: str, title: str = "LINAC", called: str = "INTREPID") -> int:
    address = ["-aet", title, "-aec", called, "127.0.0.1", str(running.settings.port)]
    return subprocess.run(["storescu", *address, *arguments], capture_output=True, timeout=60).returncode


def test_storescu_delivers_bytes_and_a_copy_is_no_second_object(tmp_path):
    folder = ct_files(tmp_path / "out", 5)
    with receiver(tmp_path) as (running, lines):
        assert storescu(running, "+sd", str(folder)) == 0
        assert storescu(running, "+sd", str(folder)) == 0
    assert running.received == 5
    arrived = sorted((tmp_path / "in").rglob("*.dcm"))
    assert sorted(map(element_bytes, arrived)) == sorted(map(element_bytes, folder.iterdir()))
    assert not any("Secret" in line or "TEST-1" in line for line in lines)


def test_another_object_under_a_known_uid_does_not_replace_it(tmp_path):
    path = ct_files(tmp_path / "out", 1) / "0000.dcm"
    with receiver(tmp_path) as (running, _):
        assert storescu(running, str(path)) == 0
        (kept,) = (tmp_path / "in").rglob("*.dcm")
        before = kept.read_bytes()
        dataset = pydicom.dcmread(path)
        dataset.RescaleIntercept = "-1000"
        dataset.save_as(path)
        storescu(running, str(path))
        assert kept.read_bytes() == before


@pytest.mark.parametrize("wrong", [{"title": "STRANGER"}, {"called": "SOMEBODY"}])
def test_callers_that_are_not_listed_are_refused(tmp_path, wrong):
    folder = ct_files(tmp_path / "out", 1)
    with receiver(tmp_path) as (running, _):
        assert storescu(running, "+sd", str(folder), **wrong) != 0
    assert running.received == 0


def test_a_listed_title_from_another_host_is_refused(tmp_path):
    folder = ct_files(tmp_path / "out", 1)
    with receiver(tmp_path, peers=(("LINAC", "192.0.2.7"),)) as (running, lines):
        assert storescu(running, "+sd", str(folder)) != 0
    assert running.received == 0
    assert "it is not listed" in lines[0]


def test_nobody_listed_is_no_receiver(tmp_path):
    with pytest.raises(InvalidSetting, match="No peer is listed"), receiver(tmp_path, peers=()):
        pass


def test_an_object_that_is_too_large_is_cut_off_before_it_is_whole(tmp_path):
    lattice = Lattice((1, 1200, 1200))
    (one,) = builders.ct_slices(np.zeros(lattice.shape), lattice, Ids())
    path = builders.save(one, tmp_path / "large.dcm")
    with receiver(tmp_path, largest_mb=1.0) as (running, lines):
        assert storescu(running, str(path)) != 0
        assert storescu(running, str(ct_files(tmp_path / "small", 1) / "0000.dcm")) == 0
    assert running.received == 1
    assert any("more than 1 MB" in line for line in lines)


def test_more_than_the_allowed_rate_is_answered_with_later(tmp_path):
    found, _ = parcels([ct_files(tmp_path / "out", 6)])
    with receiver(tmp_path, per_minute=4) as (running, _):
        peer = Peer("INTREPID", "127.0.0.1", running.settings.port, "LINAC")
        with pytest.raises(PeerFailure, match=r"out of resources.* with 2 of 6"):
            send(peer, found, Receipts("x"), attempts=2, pause_s=0.01)
    assert running.received == 4


def test_a_full_disk_is_answered_with_later_and_leaves_no_part(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 10, 0))
    found, _ = parcels([ct_files(tmp_path / "out", 1)])
    with receiver(tmp_path, free_mb=1.0) as (running, _):
        peer = Peer("INTREPID", "127.0.0.1", running.settings.port, "LINAC")
        with pytest.raises(PeerFailure, match="out of resources"):
            send(peer, found, Receipts("x"), attempts=1)
    assert list((tmp_path / "in").iterdir()) == []


def test_noise_on_the_port_does_no_harm(tmp_path):
    folder = ct_files(tmp_path / "out", 1)
    with receiver(tmp_path) as (running, _):
        for seed in range(5):
            with socket.create_connection(("127.0.0.1", running.settings.port)) as line:
                line.sendall(np.random.default_rng(seed).bytes(5000))
        assert storescu(running, "+sd", str(folder)) == 0
    assert running.received == 1


def test_the_command_receives_until_its_time_is_over(tmp_path, capsys):
    port, folder = free_port(), ct_files(tmp_path / "out", 2)
    codes = []

    def deliver() -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and codes[-1:] != [0]:
            command = ["storescu", "-aet", "LINAC", "-aec", "INTREPID", "127.0.0.1", str(port), "+sd", str(folder)]
            codes.append(subprocess.run(command, capture_output=True).returncode)

    sender = threading.Thread(target=deliver)
    sender.start()
    assert (
        run(["receive", str(tmp_path / "in"), "--peer", "LINAC", "--port", str(port), "--seconds", "3", "--json"]) == 0
    )
    sender.join()
    assert '"received": 2' in capsys.readouterr().out


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """An authority, certificates of two sides, and one of a stranger."""
    folder = tmp_path_factory.mktemp("tls")

    def openssl(*arguments: object) -> None:
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, cwd=folder)

    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    for name in ("authority", "strangers"):
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.pem",
                "-days", 2, "-subj", f"/CN={name}")  # fmt: skip
    made = {}
    for name, authority in (("ours", "authority"), ("theirs", "authority"), ("stranger", "strangers")):
        openssl(
            "req",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            f"{name}.key",
            "-out",
            f"{name}.csr",
            "-subj",
            f"/CN={name}",
        )
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{authority}.pem", "-CAkey", f"{authority}.key",
                "-CAcreateserial", "-out", f"{name}.pem", "-days", 2, "-extfile", "names")  # fmt: skip
        made[name] = TLSFiles(folder / "authority.pem", folder / f"{name}.pem", folder / f"{name}.key")
    return made


needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")


@needs_openssl
def test_tls_lets_in_who_has_a_certificate_and_nobody_else(tmp_path, certificates):
    found, _ = parcels([ct_files(tmp_path / "out", 2)])
    with receiver(tmp_path, tls=certificates["theirs"]) as (running, _):
        address = ("INTREPID", "localhost", running.settings.port, "LINAC")
        assert len(send(Peer(*address, certificates["ours"]), found, Receipts("x")).taken) == 2
        for tls in (None, certificates["stranger"]):
            with (
                pytest.raises((PeerFailure, ConnectionLost)),
                association(Peer(*address, tls), [("1.2.840.10008.1.1", None)]),
            ):
                pass
    assert running.received == 2


@needs_openssl
def test_tls_against_storescp_and_its_certificate(tmp_path, certificates):
    theirs = certificates["theirs"]
    peer = Storescp(tmp_path / "arrived", "+tls", theirs.key, theirs.certificate, "+cf", theirs.authority)
    try:
        ours = Peer("PEER", "localhost", peer.port, tls=certificates["ours"])
        found, _ = parcels([ct_files(tmp_path / "out", 2)])
        assert len(send(ours, found, Receipts("x")).taken) == 2
        with pytest.raises(PeerFailure, match="does not answer"):
            echo(Peer("PEER", "localhost", peer.port))
    finally:
        peer.kill()
