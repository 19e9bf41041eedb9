"""Reading an output again: no identifier of the input may be left, and the pixels must be those of the input."""

import hashlib
import io
from collections.abc import Iterator

from pydicom import dcmread
from pydicom.dataset import Dataset

from intrepid_rt.deidentify.elements import WELL_KNOWN_ROOT, values, walk
from intrepid_rt.deidentify.identifiers import Identifiers
from intrepid_rt.deidentify.profile import Action, Options, action
from intrepid_rt.deidentify.secret_key import SecretKey

_TEXT = frozenset(("AE", "AS", "DA", "DT", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"))
_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


def leaks(content: bytes, identifiers: Identifiers, key: SecretKey, options: Options) -> list[str]:
    """Look for identifiers in a written file; pixel data aside.

    Returns
    -------
    list of str
        What was found, one line each: where it stands and how many identifiers, never the identifier itself.
    """
    file = io.BytesIO(content)
    dataset = dcmread(file, stop_before_pixels=True)
    found = list(_in_elements(dataset, identifiers, key, options))
    in_bytes = identifiers.in_bytes(content[: file.tell()])
    if in_bytes:
        found.append(f"{in_bytes} identifier(s) in the bytes of the file")
    return found


def _in_elements(dataset: Dataset, identifiers: Identifiers, key: SecretKey, options: Options) -> Iterator[str]:
    for place, tag, vr in walk(dataset):
        if vr == "UI":
            strange = [
                uid for uid in values(place, tag) if not uid.startswith(WELL_KNOWN_ROOT) and not key.made_uid(uid)
            ]
            if strange and action(tag, vr, options) is not Action.KEEP:
                yield f"an original UID in {tag}"
        elif vr in _TEXT:
            number = sum(identifiers.in_text(text) for text in values(place, tag) if not key.made_pseudonym(text))
            # Software names and the like may hold common terms; the search through the bytes has looked at them.
            if number and action(tag, vr, options) is not Action.CODE and "Deidentification" not in place[tag].keyword:
                yield f"{number} identifier(s) in {tag}"


def pixel_digest(dataset: Dataset) -> str:
    """Hash of the stored pixels, to compare input and output; empty without pixels."""
    pixels = next((dataset[keyword].value for keyword in _PIXELS if keyword in dataset), None)
    return "" if pixels is None else hashlib.sha256(pixels).hexdigest()
