"""What happens to each DICOM element: table E.1-1 of PS3.15 and its options.

The table of the Basic Application Level Confidentiality Profile comes from the package dicom-anonymizer (edition
2026c of the standard). The options are those of PS3.15 E.3: retain safe private (by the list below), retain
longitudinal temporal information with modified dates, clean descriptors, retain device identity, retain patient
characteristics. Where the table leaves a choice (X/Z, X/D ...) the one is taken that keeps the object valid.
"""

import re
from dataclasses import dataclass
from enum import Enum
from functools import cache

from pydicom.datadict import keyword_for_tag
from pydicom.tag import BaseTag

from intrepid_rt.errors import MissingObject

EDITION = "2026c"


class Action(Enum):
    """What is done to an element."""

    KEEP = "keep"
    REMOVE = "remove"
    EMPTY = "empty"
    REPLACE = "replace"
    NEW_UID = "new UID"
    SHIFT = "shift date"
    CLEAN = "clean text"
    CODE = "keep code"
    PSEUDONYM = "pseudonym"
    FRAMES = "keep the number of frames"


@dataclass(frozen=True)
class Options:
    """Options of PS3.15 E.3; all on unless switched off."""

    shifted_dates: bool = True
    device: bool = True
    patient_characteristics: bool = True
    clean_descriptors: bool = True
    safe_private: bool = True

    def codes(self) -> list[tuple[str, str]]:
        """Code values and meanings of context group CID 7050."""
        chosen = (
            (True, "113100", "Basic Application Confidentiality Profile"),
            (self.clean_descriptors, "113105", "Clean Descriptors Option"),
            (self.shifted_dates, "113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
            (self.patient_characteristics, "113108", "Retain Patient Characteristics Option"),
            (self.device, "113109", "Retain Device Identity Option"),
            (self.safe_private, "113111", "Retain Safe Private Option"),
        )
        return [(code, meaning) for is_on, code, meaning in chosen if is_on]


# Group and creator: offsets in its block. Without its pixel factor an Elekta portal image is relative.
SAFE_PRIVATE = {(0x0021, "elekta: portal image"): frozenset({0x02})}

_DEVICE = frozenset(
    re.findall(
        r"\w+",
        """
        StationName DeviceSerialNumber DeviceUID ManufacturerDeviceClassUID TreatmentMachineName DetectorID GantryID
        GeneratorID CassetteID PlateID XRayDetectorID XRayDetectorLabel XRaySourceID SourceSerialNumber
        SourceManufacturer DeviceLabel DeviceDescription LongDeviceDescription DateOfLastCalibration
        TimeOfLastCalibration
        """,
    )
)
_CHARACTERISTICS = frozenset(
    re.findall(
        r"\w+",
        """
        PatientSex PatientAge PatientSize PatientWeight PregnancyStatus SmokingStatus PatientSexNeutered
        """,
    )
)
# Names of plans, series, beams and structures: what they say is needed, so identifiers are cut out of them.
_LABELS = frozenset(
    re.findall(
        r"\w+",
        """
        StudyDescription SeriesDescription ProtocolName RTPlanLabel RTPlanName StructureSetLabel StructureSetName
        ROIName ROIObservationLabel DoseReferenceDescription FractionGroupDescription EntityLabel UserContentLabel
        ContentLabel TreatmentSite
        """,
    )
)
_PRODUCT = frozenset(("Manufacturer", "ManufacturerModelName", "SoftwareVersions"))  # tells how pixels are coded
_DATES, _TEXTS = frozenset(("DA", "DT", "TM")), frozenset(("LO", "SH", "AE"))
_FREE_TEXTS = frozenset(("ST", "LT", "UT", "UC", "UR"))
_NUMBERS = frozenset(("AT", "DS", "IS", "FL", "FD", "SL", "SS", "SV", "UL", "US", "UV", "SQ"))
_BIRTH = frozenset(("PatientBirthDate", "PatientBirthTime", "PatientBirthDateInAlternativeCalendar"))
# Pixels, look-up tables, deformation grids, surfaces. Any other block of bytes may hold a document.
_BINARY_GROUPS = frozenset((0x7FE0, 0x0028, 0x0064, 0x0066))
_CATEGORIES = {
    "X_TAGS": Action.REMOVE,
    "Z_TAGS": Action.EMPTY,
    "D_TAGS": Action.REPLACE,
    "Z_D_TAGS": Action.EMPTY,
    "X_Z_TAGS": Action.EMPTY,
    "X_D_TAGS": Action.REPLACE,
    "X_Z_D_TAGS": Action.EMPTY,
    "X_Z_U_STAR_TAGS": Action.KEEP,  # references between images, which get their new UIDs
}
_IDENTITY = re.compile(
    r"ID$|IDs$|Identifi|Number|Address|Name$|Names$|Phone|Telecom|Locat|Institution|Department|Organization|Occupation"
    r"|Rank|Branch|Residence|AETitle|Issuer|Religious"
)


@cache
def _table() -> dict[int, Action]:
    try:
        from dicomanonymizer.dicomfields_selector import dicom_anonymization_database_selector
    except ImportError as error:
        raise MissingObject(
            "De-identification takes its table from the package dicom-anonymizer. Install slicer-intrepid[privacy]."
        ) from error
    categories = dicom_anonymization_database_selector(f"dicomfields_{EDITION}")
    # Entries of four numbers are masks for repeating groups, which are dealt with by their groups.
    return {tag[0] << 16 | tag[1]: action for name, action in _CATEGORIES.items() for tag in categories[name]
            if len(tag) == 2}  # fmt: skip


@cache
def action(tag: BaseTag, vr: str, options: Options) -> Action:
    """Return what the profile does to a public element.

    Parameters
    ----------
    tag, vr : tag and value representation of the element; VR "UN" for a public tag that no dictionary knows.
    """
    keyword = keyword_for_tag(tag)
    if keyword in ("PatientName", "PatientID"):
        return Action.PSEUDONYM
    if not keyword or tag.group & 0xFF00 in (0x5000, 0x6000) or vr == "UN":
        return Action.REMOVE
    if keyword in _DEVICE and options.device and vr not in _DATES:
        return Action.KEEP if vr == "UI" else Action.CLEAN
    if keyword in _CHARACTERISTICS and options.patient_characteristics:
        return Action.KEEP
    if keyword in _LABELS and options.clean_descriptors:
        return Action.CLEAN
    return _by_representation(tag, keyword, vr, options)


def _by_representation(tag: BaseTag, keyword: str, vr: str, options: Options) -> Action:
    if vr == "UI":
        return Action.NEW_UID
    if vr in _DATES and keyword not in _BIRTH and options.shifted_dates:
        return Action.SHIFT
    if tag in _table():
        return _table()[tag]
    if vr in _DATES or vr == "PN":
        return Action.EMPTY
    if keyword == "RTImageDescription":
        return Action.FRAMES
    if vr in _FREE_TEXTS or re.search("Comments?$", keyword):
        return Action.REMOVE
    if vr == "CS" or keyword in _PRODUCT:
        return Action.CODE
    if vr in _TEXTS:
        return Action.CLEAN
    return Action.KEEP if vr in _NUMBERS or vr == "AS" or tag.group in _BINARY_GROUPS else Action.REMOVE


@cache
def is_identity(tag: BaseTag, vr: str, options: Options) -> bool:
    """Whether what stands in an element names somebody or some place, so that it may occur nowhere in the output."""
    done = action(tag, vr, options)
    if done in (Action.PSEUDONYM, Action.NEW_UID, Action.SHIFT) or vr == "PN":
        return vr != "TM"
    if done in (Action.KEEP, Action.CLEAN, Action.CODE):
        return False
    return vr in ("DA", "DT") or (
        vr in ("LO", "SH", "AE", "UC", "ST", "LT") and bool(_IDENTITY.search(keyword_for_tag(tag)))
    )
