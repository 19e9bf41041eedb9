"""A DICOM peer: where it is, what it is called, and how the connection is secured."""

import re
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from intrepid_rt.errors import InvalidSetting, MissingObject, UnusableInput

if TYPE_CHECKING:
    from pynetdicom.association import Association

OUR_AE_TITLE = "INTREPID"
VERIFICATION = "1.2.840.10008.1.1"
_TIMEOUT_S = 30


class PeerFailure(UnusableInput):
    """A peer that does not answer, refuses the connection or breaks it off again and again."""


class ConnectionLost(Exception):  # noqa: N818 - what happened; whoever sends tries again
    """The association ended before the answer came."""


@dataclass(frozen=True)
class TLSFiles:
    """Certificates in PEM files: the authority that both sides trust, our own certificate and its key."""

    authority: Path
    certificate: Path
    key: Path

    def context(self, *, for_server: bool) -> ssl.SSLContext:
        """TLS 1.2 or later; both sides must show a certificate of the authority, a server one of its host name.

        Raises
        ------
        InvalidSetting
            A file is missing or holds no certificate or key.
        """
        purpose = ssl.Purpose.CLIENT_AUTH if for_server else ssl.Purpose.SERVER_AUTH
        try:
            context = ssl.create_default_context(purpose, cafile=str(self.authority))
            context.load_cert_chain(str(self.certificate), str(self.key))
        except (OSError, ssl.SSLError) as error:
            names = ", ".join(str(path) for path in (self.authority, self.certificate, self.key))
            raise InvalidSetting(
                f"TLS files {names}: {error.strerror or error}. Give certificate and key as PEM files."
            ) from error
        context.verify_mode = ssl.CERT_REQUIRED
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context


@dataclass(frozen=True)
class Peer:
    """Another DICOM application, and the title under which we call it."""

    ae_title: str
    host: str
    port: int
    our_ae_title: str = OUR_AE_TITLE
    tls: TLSFiles | None = None

    def __str__(self) -> str:
        return f"{self.ae_title}@{self.host}:{self.port}"


def parse_peer(text: str, *, our_ae_title: str = OUR_AE_TITLE, tls: TLSFiles | None = None) -> Peer:
    """Read "AETITLE@host:port".

    >>> str(parse_peer("ORTHANC@localhost:4242"))
    'ORTHANC@localhost:4242'

    Raises
    ------
    InvalidSetting
        The text is of another form, a title is longer than 16 characters, or the port no port.
    """
    found = re.fullmatch(r"([^@\\]+)@(\[[0-9a-fA-F:]+\]|[^:@]+):(\d{1,5})", text)
    if not found or not 0 < int(found[3]) < 65536:
        raise InvalidSetting(f"Peer {text!r}: expected AETITLE@host:port, for example ORTHANC@localhost:4242.")
    for title in (found[1], our_ae_title):
        check_ae_title(title)
    return Peer(found[1], found[2].strip("[]"), int(found[3]), our_ae_title, tls)


def check_ae_title(title: str) -> str:
    """Return an application entity title, or refuse one that DICOM does not allow.

    Raises
    ------
    InvalidSetting
        Empty, longer than 16 characters, or with other than printable ASCII characters.
    """
    if not re.fullmatch(r"[ -\[\]-~]{1,16}", title) or not title.strip():
        raise InvalidSetting(f"AE title {title!r}: expected 1 to 16 printable ASCII characters without backslash.")
    return title


def application(our_ae_title: str) -> Any:
    """Return a pynetdicom application entity with our time limits.

    Raises
    ------
    MissingObject
        pynetdicom is not installed.
    """
    try:
        from pynetdicom import AE
    except ImportError as error:
        raise MissingObject("DICOM exchange needs the package pynetdicom. Install slicer-intrepid[net].") from error
    entity = AE(ae_title=our_ae_title)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = _TIMEOUT_S
    entity.connection_timeout = 10
    return entity


@contextmanager
def association(
    peer: Peer, contexts: list[tuple[str, str | None]], handlers: Sequence[Any] = (), roles: Sequence[Any] = ()
) -> Iterator["Association"]:
    """Open an association for pairs of SOP class and transfer syntax (None: the usual ones) and release it at the end.

    ``roles`` are pynetdicom's items of role selection, which C-GET needs.

    Raises
    ------
    ConnectionLost
        There is no connection, or it broke.
    PeerFailure
        The peer answered and refused.
    """
    entity = application(peer.our_ae_title)
    for sop_class, transfer_syntax in contexts:
        entity.add_requested_context(sop_class, transfer_syntax or _usual())
    tls = (peer.tls.context(for_server=False), peer.host) if peer.tls else None
    line = _Line()
    opened = entity.associate(
        peer.host, peer.port, ae_title=peer.ae_title, tls_args=tls, evt_handlers=[*line.handlers(), *handlers],
        ext_neg=list(roles),
    )  # fmt: skip
    try:
        if opened.is_rejected:
            raise PeerFailure(f"{peer} refused the association: check both AE titles ({peer.our_ae_title} calls).")
        if not opened.is_established:
            if opened.rejected_contexts and not opened.accepted_contexts:
                raise PeerFailure(f"{peer} takes none of the offered kinds of objects.")
            raise ConnectionLost(f"{peer} does not answer")
        yield opened
    finally:
        if opened.is_established:
            opened.release()
        line.close()


class _Line:
    """The socket of an association."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None

    def handlers(self) -> list[tuple[Any, Any]]:
        """Pairs of event and handler for pynetdicom."""
        from pynetdicom import evt

        return [(evt.EVT_CONN_OPEN, self._opened), (evt.EVT_DATA_SENT, self._sent)]

    def _opened(self, event: Any) -> None:
        self._socket = event.assoc.dul.socket.socket
        event.assoc.dul.socket.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _sent(self, _event: Any) -> None:
        # DCMTK's programs write an answer in two pieces and wait with the second until the first is acknowledged, which
        # takes 40 ms unless it is done at once: 500 small objects took 24 s instead of 2. Linux forgets the setting.
        if self._socket is not None and hasattr(socket, "TCP_QUICKACK"):
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def close(self) -> None:
        """Close the socket if it is still open."""
        # pynetdicom leaves the socket open when the peer has broken the connection off.
        if self._socket is not None:
            self._socket.close()


def _usual() -> list[str]:
    from pynetdicom import DEFAULT_TRANSFER_SYNTAXES

    return [str(syntax) for syntax in DEFAULT_TRANSFER_SYNTAXES]


def echo(peer: Peer) -> None:
    """Ask a peer whether it is there (C-ECHO).

    Raises
    ------
    PeerFailure
        It does not answer or refuses.
    """
    try:
        with association(peer, [(VERIFICATION, None)]) as opened:
            status = opened.send_c_echo()
    except ConnectionLost as error:
        raise PeerFailure(f"{error}. Check host, port and whether it wants TLS.") from error
    if status.get("Status") != 0x0000:
        raise PeerFailure(f"{peer} answered a C-ECHO with status {status.get('Status')}; expected 0.")
