"""Sending objects by C-STORE: bytes as they are in the file, again and again until the peer has taken each."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from intrepid_rt.network.outbox import Parcel, Receipts
from intrepid_rt.network.peer import ConnectionLost, Peer, PeerFailure, association

if TYPE_CHECKING:
    from pynetdicom.association import Association

ATTEMPTS = 6
_LONGEST_PAUSE_S = 30.0
_MOST_CONTEXTS = 128  # in one association, PS3.8 9.3.2.2
Progress = Callable[[int, int], None]


@dataclass
class Sent:
    """What became of the objects; UIDs of SOP instances."""

    taken: list[str] = field(default_factory=list)
    taken_earlier: list[str] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)  # UID, reason
    reconnections: int = 0


def send(
    peer: Peer,
    parcels: Sequence[Parcel],
    receipts: Receipts,
    *,
    attempts: int = ATTEMPTS,
    pause_s: float = 1.0,
    progress: Progress = lambda done, total: None,
) -> Sent:
    """Send files to a peer by C-STORE.

    A lost connection is opened again; the pause doubles from ``pause_s`` to half a minute. Each object counts as sent
    when the peer has answered so, and its receipt is written before the next one goes out.

    Parameters
    ----------
    attempts : int
        Connections in a row in which nothing is taken, after which the peer is given up.

    Raises
    ------
    PeerFailure
        The peer refuses the association, or ``attempts`` connections in a row failed. What it has taken stands in the
        receipts; run again to go on.
    """
    result = Sent(taken_earlier=[one.sop_instance_uid for one in parcels if one in receipts])
    pending = [one for one in parcels if one not in receipts]
    total, failures = len(pending), 0
    while pending:
        done_before = len(pending)
        try:
            _one_association(peer, pending, receipts, result, lambda: progress(total - len(pending), total))
        except ConnectionLost as error:
            failures = failures + 1 if len(pending) == done_before else 1
            if failures >= attempts:
                raise PeerFailure(
                    f"{error}: given up after {attempts} attempts with {len(pending)} of {len(parcels)} objects left. "
                    "Check the peer and the network, then run again; what it has taken is not sent again if a state "
                    "file was named."
                ) from error
            result.reconnections += 1
            time.sleep(min(_LONGEST_PAUSE_S, pause_s * 2 ** (failures - 1)))
    return result


def _one_association(
    peer: Peer, pending: list[Parcel], receipts: Receipts, result: Sent, progress: Callable[[], None]
) -> None:
    """Send what one association can carry; takes from ``pending`` what is settled."""
    from pynetdicom import _config

    # Sends the bytes of the file instead of parsing and encoding them anew.
    _config.STORE_SEND_CHUNKED_DATASET = True
    kinds = list(dict.fromkeys((one.sop_class_uid, one.transfer_syntax_uid) for one in pending))[:_MOST_CONTEXTS]
    with association(peer, list(kinds)) as opened:
        accepted = {(str(c.abstract_syntax), str(c.transfer_syntax[0])) for c in opened.accepted_contexts}
        for one in [p for p in pending if (p.sop_class_uid, p.transfer_syntax_uid) in kinds]:
            if (one.sop_class_uid, one.transfer_syntax_uid) not in accepted:
                result.refused.append((one.sop_instance_uid, "the peer does not take this kind of object or encoding"))
            else:
                _store(opened, peer, one, result)
                if result.taken and result.taken[-1] == one.sop_instance_uid:
                    receipts.add(one)
            pending.remove(one)
            progress()


def _store(opened: "Association", peer: Peer, one: Parcel, result: Sent) -> None:
    try:
        status = opened.send_c_store(one.path).get("Status")
    except (RuntimeError, OSError) as error:
        raise ConnectionLost(f"{peer} broke the connection off") from error
    if status is None or status >> 8 == 0xA7:
        raise ConnectionLost(f"{peer} " + ("broke the connection off" if status is None else "is out of resources"))
    if status == 0x0000 or status >> 12 == 0xB:
        result.taken.append(one.sop_instance_uid)
    else:
        result.refused.append((one.sop_instance_uid, f"the peer answered with status {status:04X}"))
