"""Storage commitment (PS3.4 annex J): a peer's word that it keeps what it was sent."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from intrepid_rt.network.outbox import Parcel
from intrepid_rt.network.peer import ConnectionLost, Peer, PeerFailure, application, association

PUSH_MODEL, PUSH_MODEL_INSTANCE = "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1"


@dataclass(frozen=True)
class Commitment:
    """UIDs of SOP instances that the peer committed itself to keep, and of those that it did not."""

    kept: tuple[str, ...]
    not_kept: tuple[str, ...]


class _Answer:
    """The N-EVENT-REPORT of one transaction, on whichever association it comes."""

    def __init__(self, transaction: str) -> None:
        self.transaction, self.arrived = transaction, threading.Event()
        self.kept: tuple[str, ...] = ()
        self.not_kept: tuple[str, ...] = ()

    def handle(self, event: Any) -> tuple[int, None]:
        """Take the report of this transaction; returns DIMSE status and no reply."""
        report = event.event_information
        if str(report.get("TransactionUID", "")) != self.transaction:
            return 0x0110, None  # processing failure: not ours
        self.kept = _uids(report, "ReferencedSOPSequence")
        self.not_kept = _uids(report, "FailedSOPSequence")
        self.arrived.set()
        return 0x0000, None


def _uids(report: Dataset, sequence: str) -> tuple[str, ...]:
    return tuple(str(item.ReferencedSOPInstanceUID) for item in report.get(sequence) or ())


def commit(peer: Peer, parcels: Sequence[Parcel], *, listen_port: int = 0, wait_s: float = 60.0) -> Commitment:
    """Ask a peer to commit itself to keep objects and wait for its answer.

    Parameters
    ----------
    listen_port : int
        Port on which a peer that answers on an association of its own finds us; 0 listens on none.
    wait_s : float
        Time to wait for the answer.

    Raises
    ------
    PeerFailure
        The peer does not offer storage commitment, refuses, or does not answer in time.
    """
    from pynetdicom import evt

    answer = _Answer(generate_uid())
    handlers = [(evt.EVT_N_EVENT_REPORT, answer.handle)]
    server = _listen(peer, listen_port, handlers) if listen_port else None
    try:
        with association(peer, [(PUSH_MODEL, None)], handlers) as opened:
            status, _ = opened.send_n_action(_request(answer, parcels), 1, PUSH_MODEL, PUSH_MODEL_INSTANCE)
            _require_taken(peer, status)
            arrived = answer.arrived.wait(wait_s)
    except ConnectionLost as error:
        raise PeerFailure(f"{error}: no storage commitment.") from error
    finally:
        if server is not None:
            server.shutdown()
    if not arrived:
        raise PeerFailure(
            f"{peer} did not answer the storage commitment within {wait_s:g} s. Check that it knows "
            f"{peer.our_ae_title}, our host and the port on which we listen."
        )
    return Commitment(answer.kept, answer.not_kept)


def _require_taken(peer: Peer, status: Dataset) -> None:
    if "Status" not in status:
        raise ConnectionLost(f"{peer} broke the connection off")
    if status.Status != 0x0000:
        raise PeerFailure(f"{peer} refused storage commitment with status {status.Status:04X}.")


def _listen(peer: Peer, port: int, handlers: Any) -> Any:
    entity = application(peer.our_ae_title)
    entity.add_supported_context(PUSH_MODEL, scu_role=False, scp_role=True)
    entity.require_calling_aet = [peer.ae_title]
    tls = peer.tls.context(for_server=True) if peer.tls else None
    try:
        return entity.start_server(("", port), block=False, evt_handlers=handlers, ssl_context=tls)
    except OSError as error:
        raise PeerFailure(f"Port {port} cannot be listened on: {error.strerror}. Choose another.") from error


def _request(answer: _Answer, parcels: Sequence[Parcel]) -> Dataset:
    request = Dataset()
    request.TransactionUID = answer.transaction
    request.ReferencedSOPSequence = []
    for one in parcels:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = one.sop_class_uid, one.sop_instance_uid
        request.ReferencedSOPSequence.append(item)
    return request
