"""What is to be sent, and the small file that remembers what a peer has taken."""

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from intrepid_rt.dicom_file import collecting, read_dataset, text
from intrepid_rt.errors import MissingObject, OutputNotWritable, UnusableInput
from intrepid_rt.small_files import entries_below, read_small_bytes


@dataclass(frozen=True)
class Parcel:
    """One DICOM file to be sent."""

    path: Path
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    sha256: str


def parcels(paths: Iterable[Path]) -> tuple[list[Parcel], list[tuple[Path, str]]]:
    """Find the DICOM files among files and below folders.

    Returns
    -------
    parcels, and the files that are none with the reason; of two files with one SOP Instance UID the second is left.

    Raises
    ------
    MissingObject
        There is no DICOM file.
    """
    found: dict[str, Parcel] = {}
    left: list[tuple[Path, str]] = []
    for path in [one for given in paths for one in _files(Path(given))]:
        try:
            one = _parcel(path)
        except UnusableInput as error:
            left.append((path, str(error)))
            continue
        if found.setdefault(one.sop_instance_uid, one) is not one:
            left.append((path, f"{found[one.sop_instance_uid].path.name} has the same SOP Instance UID"))
    if not found:
        raise MissingObject("There is no DICOM file to send. Check the paths.")
    return list(found.values()), left


def _files(path: Path) -> list[Path]:
    return entries_below(path) if path.is_dir() else [path]


def _parcel(path: Path) -> Parcel:
    with collecting([]):
        header = read_dataset(path, pixels=False)
        meta = getattr(header, "file_meta", None)
        syntax = text(meta, "TransferSyntaxUID") if meta is not None else ""
        uid, sop_class = text(header, "SOPInstanceUID"), text(header, "SOPClassUID")
    if not syntax or not uid:
        raise MissingObject(f"{path.name} states no transfer syntax or SOP Instance UID. Export it again.")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Parcel(path, sop_class, uid, syntax, digest)


class Receipts:
    """What a peer has taken, one line each, on disk before the next object goes out.

    Parameters
    ----------
    path : Path, optional
        Without one the receipts last as long as the program.
    peer : str
        Receipts of other peers in the file do not count.
    """

    def __init__(self, peer: str, path: Path | None = None) -> None:
        self.peer, self.path = peer, path
        self._taken: set[tuple[str, str]] = set()
        if path is not None and path.exists():
            for line in read_small_bytes(path).splitlines():
                self._read(line)

    def _read(self, line: bytes) -> None:
        # The last line may be cut short by a loss of power: what it stood for is sent again.
        try:
            entry = json.loads(line)
            if entry["peer"] == self.peer:
                self._taken.add((entry["uid"], entry["sha256"]))
        except (ValueError, KeyError, TypeError, RecursionError):
            return

    def __contains__(self, parcel: Parcel) -> bool:
        return (parcel.sop_instance_uid, parcel.sha256) in self._taken

    def add(self, parcel: Parcel) -> None:
        """Note that the peer has taken an object.

        Raises
        ------
        OutputNotWritable
            The state file cannot be written.
        """
        self._taken.add((parcel.sop_instance_uid, parcel.sha256))
        if self.path is None:
            return
        line = json.dumps({"peer": self.peer, "uid": parcel.sop_instance_uid, "sha256": parcel.sha256})
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                # A line that a crash cut short is ended first, lest the new one is lost with it.
                file.write((b"\n" if _ends_inside_a_line(self.path) else b"") + line.encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise OutputNotWritable(
                f"{self.path} could not be written: {error.strerror}. Name another file."
            ) from error


def _ends_inside_a_line(path: Path) -> bool:
    size = path.stat().st_size
    if not size:
        return False
    with path.open("rb") as file:
        file.seek(size - 1)
        return file.read(1) != b"\n"
