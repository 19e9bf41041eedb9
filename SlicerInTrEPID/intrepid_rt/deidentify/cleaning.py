"""One DICOM object de-identified in place."""

import re
from datetime import date, timedelta

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.tag import BaseTag
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from intrepid_rt.deidentify.elements import WELL_KNOWN_ROOT, representation, values
from intrepid_rt.deidentify.identifiers import Identifiers
from intrepid_rt.deidentify.profile import EDITION, SAFE_PRIVATE, Action, Options, action
from intrepid_rt.deidentify.secret_key import SecretKey
from intrepid_rt.dicom_file import text

METHOD = f"InTrEPID: DICOM PS3.15 {EDITION} Basic Profile"
_OLDEST_STATED_YEARS = 89  # ages above single a person out
REMOVED = "REMOVED"  # where an element must not be empty
_REPLACED = {"DA": "19000101", "DT": "19000101000000", "TM": "000000", "UI": "", "SQ": (), "AS": "000Y"}


class Cleaner:
    """What is the same for all objects of one patient.

    Parameters
    ----------
    key : SecretKey
    identifiers : Identifiers
        Of the whole input; none of them stays.
    options : Options
    patient : str
        Original patient identifier, from which pseudonym and date shift follow.
    """

    def __init__(self, key: SecretKey, identifiers: Identifiers, options: Options, patient: str) -> None:
        self.key, self.identifiers, self.options = key, identifiers, options
        self.pseudonym, self.days = key.pseudonym(patient), key.days(patient)

    def clean(self, dataset: Dataset) -> Dataset:
        """De-identify a data set as read from a file; returns the same object with new file meta information."""
        syntax = _transfer_syntax(dataset)
        self._clean_items(dataset)
        dataset.PatientName = dataset.PatientID = self.pseudonym
        self._state_what_was_done(dataset)
        dataset.preamble = bytes(128)
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = UID(syntax)
        return dataset

    def _clean_items(self, dataset: Dataset) -> None:
        safe = self._safe_private(dataset)
        for tag in list(dataset.keys()):
            if tag.is_private:
                if tag not in safe:
                    del dataset[tag]
                continue
            vr = representation(dataset, tag)
            self._apply(dataset, tag, vr, action(tag, vr, self.options))
            if vr == "SQ" and tag in dataset:
                for item in dataset[tag].value or ():
                    self._clean_items(item)

    def _safe_private(self, dataset: Dataset) -> set[BaseTag]:
        """Tags of allowed private numbers and of the creators of their blocks."""
        safe: set[BaseTag] = set()
        if not self.options.safe_private:
            return safe
        for tag in dataset.keys():  # noqa: SIM118 - iterating a Dataset parses every element
            if tag.is_private and 0x10 <= tag.element <= 0xFF:
                creator = " ".join(values(dataset, tag)).strip().casefold()
                offsets = SAFE_PRIVATE.get((tag.group, creator), ())
                block = [BaseTag(tag.group << 16 | tag.element << 8 | offset) for offset in offsets]
                kept = [one for one in block if one in dataset and _is_number(dataset[one].value)]
                safe.update(kept and [tag, *kept])
        return safe

    def _apply(self, dataset: Dataset, tag: BaseTag, vr: str, done: Action) -> None:
        if done is Action.REMOVE:
            del dataset[tag]
        elif done is Action.EMPTY:
            _put(dataset, tag, vr, [] if vr == "SQ" else None)
        elif done is Action.REPLACE:
            self._replace(dataset, tag, vr)
        elif done is Action.PSEUDONYM:
            _put(dataset, tag, vr, self.pseudonym)
        elif done is Action.NEW_UID:
            self._set(dataset, tag, vr, [self._new_uid(uid) for uid in values(dataset, tag)])
        elif done is Action.SHIFT:
            self._set(dataset, tag, vr, [self._shifted(value, vr) for value in values(dataset, tag)])
        elif done is Action.CLEAN:
            self._set(dataset, tag, vr, [self.identifiers.cut_from(value) for value in values(dataset, tag)])
        elif done is Action.CODE:
            self._set(dataset, tag, vr, [v if self.identifiers.term(v) else "" for v in values(dataset, tag)])
        elif done is Action.FRAMES:
            frames = re.search(r"Averaged Frames\s*:?\s*\d{1,6}\b", " ".join(values(dataset, tag)), re.IGNORECASE)
            _put(dataset, tag, vr, frames[0] if frames else None)
        elif vr == "AS":
            self._set(dataset, tag, vr, [_capped_age(value) for value in values(dataset, tag)])

    @staticmethod
    def _replace(dataset: Dataset, tag: BaseTag, vr: str) -> None:
        if vr in ("OB", "OW", "UN", "DS", "IS", "US"):
            del dataset[tag]
        else:
            _put(dataset, tag, vr, _REPLACED.get(vr, REMOVED))

    @staticmethod
    def _set(dataset: Dataset, tag: BaseTag, vr: str, changed: list[str]) -> None:
        # Untouched elements keep their bytes; a rewritten one may be padded or encoded in another way.
        if changed != values(dataset, tag):
            _put(dataset, tag, vr, changed if len(changed) > 1 else "".join(changed))

    def _new_uid(self, uid: str) -> str:
        # By its value alone: a Referenced SOP Instance UID that in truth is a Study Instance UID, as in the RT
        # Referenced Study Sequence of structure sets, gets what the Study Instance UID gets.
        return uid if uid.startswith(WELL_KNOWN_ROOT) else self.key.uid(uid.strip("\0 "))

    def _shifted(self, value: str, vr: str) -> str:
        value = value.strip()
        if vr == "TM":
            return value if re.fullmatch(r"[0-9:.]{2,16}", value) else ""
        compact = value.replace(".", "") if vr == "DA" else value
        found = re.fullmatch(r"(\d{4})(\d\d)(\d\d)([\d.]*)(?:[+-]\d{4})?", compact)
        try:
            moved = date(*map(int, found.groups()[:3])) + timedelta(self.days) if found else None
        except (ValueError, OverflowError):
            moved = None
        return f"{moved:%Y%m%d}{found[4]}".rjust(8, "0") if moved and found else ""

    def _state_what_was_done(self, dataset: Dataset) -> None:
        dataset.PatientIdentityRemoved = "YES"
        dataset.DeidentificationMethod = METHOD
        dataset.LongitudinalTemporalInformationModified = "MODIFIED" if self.options.shifted_dates else "REMOVED"
        dataset.DeidentificationMethodCodeSequence = []
        for code, meaning in self.options.codes():
            item = Dataset()
            item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code, "DCM", meaning
            dataset.DeidentificationMethodCodeSequence.append(item)


def _put(dataset: Dataset, tag: BaseTag, vr: str, value: object) -> None:
    # A new element: the one in the file may claim a representation that the value does not fit.
    dataset[tag] = DataElement(tag, vr, value)


def _is_number(value: object) -> bool:
    written = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)
    try:
        float(written.strip(" \0"))
    except ValueError:
        return False
    return True


def _capped_age(value: str) -> str:
    found = re.fullmatch(r"(\d{3})([DWMY])", value.strip())
    if not found:
        return ""
    return "090Y" if found[2] == "Y" and int(found[1]) > _OLDEST_STATED_YEARS else value


def _transfer_syntax(dataset: Dataset) -> str:
    """Transfer syntax to write in: that of the file; a deflated one is inflated so that the check can look inside."""
    stated = text(getattr(dataset, "file_meta", None) or Dataset(), "TransferSyntaxUID")
    if stated:
        return ExplicitVRLittleEndian if stated == DeflatedExplicitVRLittleEndian else stated
    is_implicit, is_little = dataset.original_encoding
    return ImplicitVRLittleEndian if is_implicit else ExplicitVRLittleEndian if is_little else ExplicitVRBigEndian
