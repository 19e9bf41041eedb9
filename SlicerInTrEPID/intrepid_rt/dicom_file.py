"""Safe reading of DICOM files: whole or refused, with the parser's remarks as notes instead of warnings."""

import io
import logging
import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.valuerep import VR

from intrepid_rt.errors import MissingObject, UnreadableFile

SOP_CLASS_UID = {
    "CT": "1.2.840.10008.5.1.4.1.1.2",
    "RTIMAGE": "1.2.840.10008.5.1.4.1.1.481.1",
    "RTDOSE": "1.2.840.10008.5.1.4.1.1.481.2",
    "RTSTRUCT": "1.2.840.10008.5.1.4.1.1.481.3",
    "RTRECORD": "1.2.840.10008.5.1.4.1.1.481.4",  # RT Beams Treatment Record
    "RTPLAN": "1.2.840.10008.5.1.4.1.1.481.5",
}

Source = str | Path | Dataset


class _WholeFile(io.BufferedReader):
    """A file that never reads past its end at the word of a length field, and remembers when it was asked to.

    A value length in a damaged header may claim gigabytes, for which Python would set memory aside before reading;
    and the parser returns a value that the end of the file cuts short as if it were whole.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))
        self._size = path.stat().st_size
        self.cut_short = False

    def read(self, size: int | None = -1, /) -> bytes:
        """Read at most ``size`` bytes, all if it is negative or None."""
        if size is None or size < 0:
            return super().read(size)
        data = super().read(min(size, max(self._size - self.tell(), 0)))
        # Zeros that pad a file to an even or block length end on no element and are harmless.
        self.cut_short |= len(data) < size and bool(data.strip(b"\0"))
        return data


@contextmanager
def collecting(notes: list[str]) -> Iterator[None]:
    """Turn warnings raised inside into lines of ``notes``, each once; they leak neither to the screen nor to tests."""

    def remember(message: Warning | str, *_where: object, **_more: object) -> None:
        """Add a warning to the notes, without what may identify somebody."""
        note = _without_identity(str(message))
        if note not in notes:
            notes.append(note)

    # The parser also logs what it warns about, values included, which must not end up in anybody's log file.
    logger, was_disabled = logging.getLogger("pydicom"), logging.getLogger("pydicom").disabled
    with warnings.catch_warnings():
        logger.disabled = True
        warnings.simplefilter("always")
        # Not recorded and sorted out afterwards: readers put their notes into a result before they leave the block.
        warnings.showwarning = remember
        try:
            yield
        finally:
            logger.disabled = was_disabled


def _without_identity(message: str) -> str:
    # The parser quotes the value it complains about, which may be a name; a UID may be shown.
    message = message.split(" Please see ")[0]
    return message if "VR UI:" in message else re.split(r"['\"]", message, maxsplit=1)[0].rstrip(": ")


def read_dataset(source: Source, *, modality: str | None = None, pixels: bool = True) -> Dataset:
    """Read one DICOM file whole, or refuse it.

    Parameters
    ----------
    source : path or Dataset
        A Dataset is passed through.
    modality : str, optional
        Expected Modality, e.g. "RTDOSE".
    pixels : bool
        False stops before PixelData, for headers.

    Returns
    -------
    pydicom Dataset; ``filename`` holds the path.

    Raises
    ------
    UnreadableFile
        Not DICOM, empty, cut short, or of another modality.
    """
    dataset = source if isinstance(source, Dataset) else _parsed(Path(source), pixels)
    found = text(dataset, "Modality")
    if modality is not None and found != modality:
        raise UnreadableFile(f"{label(dataset)} is {found or 'without Modality'}; expected {modality}.")
    return dataset


def _parsed(path: Path, pixels: bool) -> Dataset:
    if not path.is_file():
        raise UnreadableFile(f"{path} is no file. Check the path.")
    try:
        with _WholeFile(path) as file:
            # force: some record-and-verify systems write no file meta information; the next check catches non-DICOM.
            dataset = dcmread(file, force=True, stop_before_pixels=not pixels)
            cut_short = file.cut_short
    except OSError as error:
        if error.errno is not None:
            raise UnreadableFile(f"{path} cannot be opened: {error.strerror}.") from error
        raise UnreadableFile(f"{path} ends inside a sequence: it is cut short. Export it again.") from error
    except Exception as error:  # whatever the parser trips over in damaged bytes, from struct.error to RecursionError
        raise UnreadableFile(f"{path} cannot be read as DICOM ({type(error).__name__}). Export it again.") from error
    dataset.filename = str(path)
    if "SOPClassUID" not in dataset:
        raise UnreadableFile(f"{path} is not a DICOM object (no SOP Class UID).")
    if cut_short:
        raise UnreadableFile(f"{path} ends inside a data element: it is cut short. Export it again.")
    return dataset


def label(dataset: Dataset) -> str:
    """Name a data set in messages: its file, or modality and SOP Instance UID. Never the patient."""
    filename = getattr(dataset, "filename", None)
    if filename:
        return str(filename)
    return f"{text(dataset, 'Modality') or 'DICOM object'} {text(dataset, 'SOPInstanceUID')}".strip()


def element_value(dataset: Dataset, key: str | tuple[int, int]) -> Any:
    """Value of an element by keyword or tag, None if it is absent or empty.

    Raises
    ------
    UnreadableFile
        The bytes do not form a value: elements are parsed when they are first asked for.
    """
    try:
        # A Dataset gives the value for a keyword, the element for a tag.
        found = dataset.get(key)
        found = found.value if isinstance(found, DataElement) else found
    except Exception as error:  # whatever the parser trips over in damaged bytes
        filename = getattr(dataset, "filename", None) or "DICOM object"
        raise UnreadableFile(f"{filename}: {key} cannot be read ({type(error).__name__}). Export it again.") from error
    return None if found in ("", b"") else found


def text(dataset: Dataset, keyword: str) -> str:
    """Value of a text or UID element without outer blanks; empty if the element is absent or empty."""
    value = element_value(dataset, keyword)
    return "" if value is None else str(value).strip().strip("\0")


def texts(dataset: Dataset, keyword: str) -> list[str]:
    """Values of a text element that may hold several, in capitals; empty if it is absent or empty."""
    value = element_value(dataset, keyword)
    # A wrong value representation makes a text a number or a tag, which are single values as well.
    is_single = isinstance(value, str | bytes) or not isinstance(value, Iterable)
    values = [] if value is None else [value] if is_single else list(value)
    return [str(one).strip().upper() for one in values]


def decimals(dataset: Dataset, keyword: str) -> NDArray:
    """Numbers of an element, (n,) float; n is 0 if the element is absent or empty.

    Parsed from the raw text where possible, which is twenty times as fast for contours as one object per number.

    Raises
    ------
    UnreadableFile
        A component is no finite number.
    """
    try:
        element = dataset.get_item(keyword) if keyword in dataset else None
        is_raw_text = isinstance(element, RawDataElement) and dictionary_VR(keyword) in (VR.DS, VR.IS)
        value = element.value if is_raw_text and element is not None else element_value(dataset, keyword)
        if value is None or (isinstance(value, str | bytes) and not value.strip()):
            return np.empty(0)
        if is_raw_text:
            numbers = np.array([float(part) for part in value.rstrip(b" \0").split(b"\\")])
        else:
            numbers = np.atleast_1d(np.asarray(value, float))
    except (TypeError, ValueError, NotImplementedError) as error:
        raise UnreadableFile(f"{label(dataset)}: {keyword} holds a value that is no number.") from error
    if not np.isfinite(numbers).all():
        raise UnreadableFile(f"{label(dataset)}: {keyword} holds a value that is not finite.")
    return numbers


def vector(dataset: Dataset, keyword: str, length: int) -> NDArray:
    """Numbers (length,) of an element that must hold exactly ``length`` of them.

    Raises
    ------
    MissingObject
        The element is absent, empty or of another length.
    """
    numbers = decimals(dataset, keyword)
    if len(numbers) != length:
        raise MissingObject(
            f"{label(dataset)}: {keyword} holds {len(numbers)} numbers; expected {length}. Export it again with it."
        )
    return numbers


def number(dataset: Dataset, keyword: str) -> float | None:
    """Single number of an element, None if absent or empty.

    Raises
    ------
    UnreadableFile
        The element holds several numbers, of which to take the first would be a guess.
    """
    numbers = decimals(dataset, keyword)
    if len(numbers) > 1:
        raise UnreadableFile(
            f"{label(dataset)}: {keyword} holds {len(numbers)} numbers; expected one. Export it again."
        )
    return float(numbers[0]) if len(numbers) else None


def integer(dataset: Dataset, keyword: str) -> int | None:
    """Single integer of an element, None if absent or empty.

    Raises
    ------
    UnreadableFile
        The element holds several numbers, or one with a fraction.
    """
    found = number(dataset, keyword)
    if found is not None and found != int(found):
        raise UnreadableFile(f"{label(dataset)}: {keyword} is {found:g}; expected a whole number. Export it again.")
    return None if found is None else int(found)


def items(dataset: Dataset, keyword: str) -> list[Dataset]:
    """Items of a sequence, empty if it is absent.

    Raises
    ------
    UnreadableFile : the element is there but no sequence.
    """
    value = element_value(dataset, keyword)
    if value is not None and not isinstance(value, Sequence):
        raise UnreadableFile(f"{label(dataset)}: {keyword} is no sequence. Export it again.")
    return list(value or [])


def referenced_uid(dataset: Dataset, sequence: str) -> str:
    """ReferencedSOPInstanceUID of the first item of a reference sequence, empty if there is none."""
    return next((text(item, "ReferencedSOPInstanceUID") for item in items(dataset, sequence)), "")
