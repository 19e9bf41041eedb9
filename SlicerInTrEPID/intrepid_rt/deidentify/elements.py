"""Walking through a data set without parsing what need not be parsed."""

from collections.abc import Iterator

from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

WELL_KNOWN_ROOT = "1.2.840.10008."  # UIDs of the standard itself: classes and transfer syntaxes
_AMBIGUOUS = {"US or SS": "US", "OB or OW": "OW", "US or OW": "OW", "US or SS or OW": "OW"}


def representation(dataset: Dataset, tag: BaseTag) -> str:
    """Value representation of an element: that of the dictionary for public tags, "UN" for unknown ones.

    The dictionary and not the file decides, so that a name does not pass as a number.
    """
    element = dataset.get_item(tag)
    stated = (element.VR if element is not None else None) or "UN"
    if tag.is_private:
        return str(stated)
    try:
        known = dictionary_VR(tag)
    except KeyError:
        return "UN"
    if (known == "SQ") != (stated == "SQ") and (stated != "UN" or not isinstance(element, RawDataElement)):
        return "UN"
    return _AMBIGUOUS.get(known, known)


def values(dataset: Dataset, tag: BaseTag) -> list[str]:
    """Values of an element as text, without empty ones."""
    value = dataset[tag].value
    parts = value if isinstance(value, list | tuple) or type(value).__name__ == "MultiValue" else [value]
    return [str(part) for part in parts if part is not None and str(part).strip()]


def walk(dataset: Dataset) -> Iterator[tuple[Dataset, BaseTag, str]]:
    """Every element of a data set and of the items of its sequences: where it stands, its tag and representation."""
    for tag in list(dataset.keys()):
        vr = representation(dataset, tag)
        yield dataset, tag, vr
        if vr == "SQ" and tag in dataset:
            for item in dataset[tag].value or ():
                yield from walk(item)
