"""A receiver for objects from the treatment room: listed peers only, bounded in size and rate, written whole."""

import re
import shutil
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset

from intrepid_rt.atomic import replacing
from intrepid_rt.dicom_file import text
from intrepid_rt.errors import InvalidSetting, OutputNotWritable
from intrepid_rt.network.peer import VERIFICATION, TLSFiles, application, check_ae_title

SUCCESS, OUT_OF_RESOURCES, DUPLICATE, NOT_UNDERSTOOD = 0x0000, 0xA700, 0x0111, 0xC000
_MINUTE_S = 60.0


@dataclass(frozen=True)
class ReceiverSettings:
    """What a receiver accepts.

    Parameters
    ----------
    folder : Path
        Objects go to ``folder/<Study Instance UID>/<SOP Instance UID>.dcm``.
    peers : tuple of (AE title, host)
        Who may send; host "" means any host.
    ae_title, port, bind : str, int, str
        What we are called and where we listen; "127.0.0.1" is this machine alone.
    largest_mb : float
        Of one object; a sender of more is cut off.
    per_minute : int
        Objects of one peer; more are answered with "out of resources", which senders take as "later".
    free_mb : float
        Disk space that stays free.
    """

    folder: Path
    peers: tuple[tuple[str, str], ...]
    ae_title: str = "INTREPID"
    port: int = 11112
    bind: str = "127.0.0.1"
    largest_mb: float = 512.0
    per_minute: int = 6000
    free_mb: float = 1000.0
    tls: TLSFiles | None = None


@dataclass
class Receiver:
    """A running receiver; ``say`` is told one line per event, without patients."""

    settings: ReceiverSettings
    say: Callable[[str], None] = lambda line: None
    received: int = 0
    _server: Any = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _times: dict[str, deque[float]] = field(default_factory=dict)
    _bytes: dict[int, int] = field(default_factory=dict)  # of the object under way, per association

    def start(self) -> None:
        """Listen, without blocking.

        Raises
        ------
        InvalidSetting
            No peer is listed, or a title is none.
        OutputNotWritable
            The port cannot be listened on.
        """
        from pynetdicom import AllStoragePresentationContexts, evt

        settings = self.settings
        if not settings.peers:
            raise InvalidSetting(
                "No peer is listed that may send; expected at least one. Name each with --peer AETITLE."
            )
        entity = application(check_ae_title(settings.ae_title))
        entity.require_calling_aet = [check_ae_title(title) for title, _ in settings.peers]
        entity.require_called_aet = True
        for context in AllStoragePresentationContexts:
            entity.add_supported_context(context.abstract_syntax, _every_syntax())
        entity.add_supported_context(VERIFICATION)
        handlers = [
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_REQUESTED, self._requested),
            (evt.EVT_DATA_RECV, self._counted),
            (evt.EVT_CONN_OPEN, self._opened),
            (evt.EVT_CONN_CLOSE, self._closed),
        ]
        tls = settings.tls.context(for_server=True) if settings.tls else None
        try:
            self._server = entity.start_server(
                (settings.bind, settings.port), block=False, evt_handlers=handlers, ssl_context=tls
            )
        except OSError as error:
            raise OutputNotWritable(
                f"{settings.bind}:{settings.port} cannot be listened on: {error.strerror}. Choose another --port."
            ) from error

    def stop(self) -> None:
        """Stop listening; an object under way is dropped, its sender will send it again."""
        if self._server is not None:
            self._server.shutdown()
            self._server = None

    def _requested(self, event: Any) -> None:
        # The title is known from the request only: the requestor gets it when the association is negotiated.
        caller = event.assoc.requestor.primitive.calling_ae_title.strip()
        host = event.assoc.requestor.address
        if not any(title == caller and place in ("", host) for title, place in self.settings.peers):
            self.say(f"refused {caller} at {host}: it is not listed")
            event.assoc.acse.send_reject(0x01, 0x01, 0x03)  # permanent, by the service user: calling AE not recognised
            event.assoc.kill()

    def _counted(self, event: Any) -> None:
        number = id(event.assoc)
        with self._lock:
            self._bytes[number] = self._bytes.get(number, 0) + len(event.data)
            is_over = self._bytes[number] > self.settings.largest_mb * 1e6
        if is_over:
            caller = event.assoc.requestor.ae_title.strip()
            self.say(f"cut off {caller}: an object of more than {self.settings.largest_mb:g} MB")
            event.assoc.dul.socket.close()

    def _opened(self, event: Any) -> None:
        event.assoc.dul.socket.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _closed(self, event: Any) -> None:
        with self._lock:
            self._bytes.pop(id(event.assoc), None)

    def _store(self, event: Any) -> int:
        caller = event.assoc.requestor.ae_title.strip()
        with self._lock:
            self._bytes[id(event.assoc)] = 0
            if not self._has_room(caller):
                return OUT_OF_RESOURCES
        try:
            return self._write(event, caller)
        except OutputNotWritable as error:
            self.say(str(error))
            return OUT_OF_RESOURCES
        except Exception as error:  # whatever a hostile object does to the parser; the sender is told, we go on
            self.say(f"an object of {caller} cannot be read ({type(error).__name__})")
            return NOT_UNDERSTOOD

    def _has_room(self, caller: str) -> bool:
        now, times = time.monotonic(), self._times.setdefault(caller, deque())
        while times and now - times[0] > _MINUTE_S:
            times.popleft()
        if len(times) >= self.settings.per_minute:
            return False
        times.append(now)
        self.settings.folder.mkdir(parents=True, exist_ok=True)
        return shutil.disk_usage(self.settings.folder).free > self.settings.free_mb * 1e6

    def _write(self, event: Any, caller: str) -> int:
        dataset: Dataset = event.dataset
        uid, study = str(event.request.AffectedSOPInstanceUID), text(dataset, "StudyInstanceUID")
        if uid != text(dataset, "SOPInstanceUID") or not (_is_uid(uid) and _is_uid(study)):
            self.say(f"an object of {caller} states no usable UIDs")
            return NOT_UNDERSTOOD
        path = self.settings.folder / study / f"{uid}.dcm"
        content = event.encoded_dataset()
        if path.exists():
            is_same = path.read_bytes().endswith(event.encoded_dataset(include_meta=False))
            return SUCCESS if is_same else DUPLICATE
        with replacing(path) as temporary:
            temporary.write_bytes(content)
        with self._lock:
            self.received += 1
        self.say(f"received {text(dataset, 'Modality')} {uid} from {caller}, {len(content)} bytes")
        return SUCCESS


def _is_uid(text: str) -> bool:
    return re.fullmatch(r"[0-9][0-9.]{0,63}", text) is not None


def _every_syntax() -> list[str]:
    from pynetdicom import ALL_TRANSFER_SYNTAXES

    return [str(syntax) for syntax in ALL_TRANSFER_SYNTAXES]
