"""Patients from a DICOM node: what it has, and its objects as files in a folder, from where an import takes them."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydicom.dataset import Dataset

from intrepid_cohort.headers import USED_MODALITIES
from intrepid_rt.atomic import replacing
from intrepid_rt.dicom_file import text
from intrepid_rt.errors import InvalidSetting, MissingObject
from intrepid_rt.network.peer import ConnectionLost, Peer, PeerFailure, application, association

if TYPE_CHECKING:
    from intrepid_rt.network.web import WebPeer

Progress = Callable[[str, int, int], None]

# Study Root query/retrieve, PS3.4 C.6.2.
FIND, MOVE, GET = (f"1.2.840.10008.5.1.4.1.2.2.{number}" for number in (1, 2, 3))
_PENDING, _DONE = (0xFF00, 0xFF01), 0x0000
# CT; RT dose, structure set, beams record, plan, brachy record, ion plan, ion beams record.
_STORAGE = (
    "1.2.840.10008.5.1.4.1.1.2",
    *(f"1.2.840.10008.5.1.4.1.1.481.{number}" for number in (2, 3, 4, 5, 6, 8, 9)),
)
KEYS = ("PatientID", "StudyDate", "StudyInstanceUID", "AccessionNumber")


@dataclass
class Fetched:
    """What came; ``missing`` has a line for each series that did not come whole, or object without a valid UID."""

    studies: int = 0
    series: int = 0
    files: int = 0
    known: int = 0  # already there, not fetched again
    missing: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Series:
    study_uid: str
    series_uid: str
    modality: str
    count: int | None


def query_keys(texts: Iterable[str]) -> dict[str, str]:
    """Read keys such as ``StudyDate=20240101-20240630``.

    Raises
    ------
    InvalidSetting
        A key that this version does not ask by, or none: a whole archive is not fetched by accident.
    """
    keys: dict[str, str] = {}
    for one in texts:
        name, _, value = one.partition("=")
        if name not in KEYS or not value:
            raise InvalidSetting(f"{one!r} is no key; expected {', '.join(KEYS)}, such as StudyDate=20240101-20240630.")
        keys[name] = value
    if not keys:
        raise InvalidSetting(f"Name what is wanted: {', '.join(KEYS)}, such as PatientID=*.")
    return keys


def fetch(
    peer: Peer,
    keys: Mapping[str, str],
    folder: str | Path,
    *,
    move_port: int | None = None,
    progress: Progress = lambda stage, done, total: None,
) -> Fetched:
    """Find the studies that match (C-FIND) and fetch the series that an import uses.

    Files go to ``folder/<study>/<instance>.dcm``. A series whose files are all there is not fetched again, so that a
    fetch that was broken off goes on where it stopped.

    Parameters
    ----------
    move_port : without it objects come on the same connection (C-GET); with it the node sends them to this port
        (C-MOVE), which needs the node to know our title and address.

    Raises
    ------
    PeerFailure
        The node does not answer or refuses.
    MissingObject
        Nothing matches.
    """
    folder = Path(folder)
    result = Fetched()
    found = _find_series(peer, keys, result.missing)
    if not found:
        raise MissingObject(f"{peer} has no radiotherapy series that matches. Loosen the keys.")
    result.studies, result.series = len({one.study_uid for one in found}), len(found)
    for number, one in enumerate(found, 1):
        place = folder / one.study_uid
        before = _instances(place, one)
        if one.count is not None and len(before) >= one.count:
            result.known += len(before)
        else:
            _retrieve(peer, one, place, move_port)
            after = _instances(place, one)
            result.files += len(after - before)
            result.known += len(before)
            if one.count is not None and len(after) < one.count:
                result.missing.append(
                    f"{one.modality} series {one.series_uid}: {len(after)} of {one.count} objects came."
                )
        progress("fetching series", number, len(found))
    return result


def _find_series(peer: Peer, keys: Mapping[str, str], missing: list[str]) -> list[_Series]:
    query = Dataset()
    query.QueryRetrieveLevel = "STUDY"
    query.StudyInstanceUID = query.NumberOfStudyRelatedSeries = ""
    for name, value in keys.items():
        setattr(query, name, value)
    studies = {text(answer, "StudyInstanceUID"): answer for answer in _find(peer, query)}
    found = []
    for study_uid in sorted(set(studies) - {""}):
        try:
            _safe(study_uid)
        except MissingObject as reason:
            missing.append(str(reason))
            continue
        wanted = Dataset()
        wanted.QueryRetrieveLevel = "SERIES"
        wanted.StudyInstanceUID = study_uid
        wanted.SeriesInstanceUID = wanted.Modality = wanted.NumberOfSeriesRelatedInstances = ""
        answers = list(_find(peer, wanted))
        stated = _count(studies[study_uid], "NumberOfStudyRelatedSeries")
        if stated is not None and len(answers) < stated:
            missing.append(f"Study {study_uid}: the node named {len(answers)} of {stated} series. Run again.")
        found += [
            _Series(study_uid, text(answer, "SeriesInstanceUID"), text(answer, "Modality"),
                    _count(answer, "NumberOfSeriesRelatedInstances"))
            for answer in answers if text(answer, "Modality") in USED_MODALITIES
        ]  # fmt: skip
    return sorted(found, key=lambda one: (one.study_uid, one.series_uid))


def _count(answer: Dataset, keyword: str) -> int | None:
    stated = text(answer, keyword)
    return int(stated) if stated.isdigit() else None


def _find(peer: Peer, query: Dataset) -> Iterator[Dataset]:
    # An association for each query: pynetdicom 3.0.4 can lose the first answer to the second query of one, when its
    # reading thread has not yet gone to sleep; seen on a busy machine.
    with _opened(peer, [(FIND, None)]) as opened:
        yield from _answers(peer, opened.send_c_find(query, FIND))


def _answers(peer: Peer, responses: Iterable[tuple[Dataset, Dataset | None]]) -> Iterable[Dataset]:
    for status, answer in responses:
        code = status.get("Status") if status else None
        if code in _PENDING and answer is not None:
            yield answer
        elif code not in (*_PENDING, _DONE):
            raise PeerFailure(f"{peer} answered a query with status {code}; expected 0. Check what it allows.")


def _retrieve(peer: Peer, one: _Series, place: Path, move_port: int | None) -> None:
    wanted = Dataset()
    wanted.QueryRetrieveLevel = "SERIES"
    wanted.StudyInstanceUID, wanted.SeriesInstanceUID = one.study_uid, one.series_uid
    if move_port is None:
        _get(peer, wanted, place)
    else:
        _move(peer, wanted, place, move_port)


def _get(peer: Peer, wanted: Dataset, place: Path) -> None:
    from pynetdicom import build_role, evt

    roles = [build_role(uid, scp_role=True) for uid in _STORAGE]
    contexts: list[tuple[str, str | None]] = [(GET, None), *((uid, None) for uid in _STORAGE)]
    with _opened(peer, contexts, [(evt.EVT_C_STORE, _stores(place))], roles) as opened:
        for status, _ in opened.send_c_get(wanted, GET):
            _check(peer, status)


def _move(peer: Peer, wanted: Dataset, place: Path, port: int) -> None:
    from pynetdicom import evt

    entity = application(peer.our_ae_title)
    for uid in _STORAGE:
        entity.add_supported_context(uid)
    server = entity.start_server(("", port), block=False, evt_handlers=[(evt.EVT_C_STORE, _stores(place))])
    try:
        with _opened(peer, [(MOVE, None)]) as opened:
            for status, _ in opened.send_c_move(wanted, peer.our_ae_title, MOVE):
                _check(peer, status)
    finally:
        server.shutdown()


def _check(peer: Peer, status: Dataset | None) -> None:
    code = status.get("Status") if status else None
    # 0xB000: some objects failed; which ones is seen by what is there afterwards.
    if code not in (*_PENDING, _DONE, 0xB000):
        raise PeerFailure(
            f"{peer} answered a retrieval with status {code if code is None else format(code, '04X')}; expected 0. For "
            "C-MOVE it must know our title, host and port."
        )


def _stores(place: Path) -> Callable[[Any], int]:
    def store(event: Any) -> int:
        """Write the object that came; returns the DIMSE status."""
        dataset = event.dataset
        dataset.file_meta = event.file_meta
        _write(dataset, place)
        return _DONE

    return store


def _write(dataset: Dataset, place: Path) -> None:
    with replacing(place / f"{_safe(text(dataset, 'SOPInstanceUID'))}.dcm") as temporary:
        dataset.save_as(temporary, enforce_file_format=True)


def _safe(uid: str) -> str:
    """Return a UID that may become the name of a file or folder: a node may send anything, also ``..``."""
    if not re.fullmatch(r"[0-9][0-9.]{0,63}", uid):
        raise MissingObject("An object or study came without a valid UID; it is left out.")
    return uid


def _instances(place: Path, one: _Series) -> set[str]:
    from pydicom import dcmread

    found = set()
    for path in place.glob("*.dcm") if place.is_dir() else ():
        if text(dcmread(path, specific_tags=["SeriesInstanceUID"]), "SeriesInstanceUID") == one.series_uid:
            found.add(path.name)
    return found


@contextmanager
def _opened(
    peer: Peer, contexts: list[tuple[str, str | None]], handlers: Sequence[Any] = (), roles: Sequence[Any] = ()
) -> Iterator[Any]:
    """Open an association whose loss is told as what it is for the user."""
    try:
        with association(peer, contexts, handlers, roles) as opened:
            yield opened
    except ConnectionLost as error:
        raise PeerFailure(f"{error}. Check host, port and whether it wants TLS; then run again.") from error


def fetch_by_web(
    peer: "WebPeer", keys: Mapping[str, str], folder: str | Path,
    *, progress: Progress = lambda stage, done, total: None,
) -> Fetched:  # fmt: skip
    """Fetch the same by DICOMweb (QIDO-RS and WADO-RS), object by object; what is there is not fetched again.

    Raises
    ------
    InvalidSetting
        A value with a wildcard in it.
    PeerFailure
        The service does not answer or refuses.
    MissingObject
        Nothing matches.
    """
    folder, result = Path(folder), Fetched()
    # dicomweb-client 0.60 encodes * so that servers look for the star itself; alone it means: any.
    keys = {name: value for name, value in keys.items() if value != "*"}
    partial = [f"{name}={value}" for name, value in keys.items() if "*" in value or "?" in value]
    if partial:
        raise InvalidSetting(f"{', '.join(partial)}: by DICOMweb a value is whole, or * for any.")
    wanted = [
        uids for modality in USED_MODALITIES for answer in peer.search(**keys, Modality=modality)
        if (uids := [_value(answer, tag) for tag in ("0020000D", "0020000E", "00080018")])[2]
    ]  # fmt: skip
    if not wanted:
        raise MissingObject(f"{peer.url} has no radiotherapy object that matches. Loosen the keys.")
    result.studies, result.series = len({one[0] for one in wanted}), len({one[1] for one in wanted})
    for number, (study_uid, series_uid, instance_uid) in enumerate(wanted, 1):
        try:
            place = folder / _safe(study_uid)
            is_known = (place / f"{_safe(instance_uid)}.dcm").is_file()
            if not is_known:
                _write(peer.retrieve(study_uid, series_uid, instance_uid), place)
        except MissingObject as reason:
            result.missing.append(str(reason))
            continue
        result.known += is_known
        result.files += not is_known
        progress("fetching objects", number, len(wanted))
    return result


def _value(answer: Mapping[str, Any], tag: str) -> str:
    values = answer.get(tag, {}).get("Value") or [""]
    return str(values[0])
