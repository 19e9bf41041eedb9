"""Synthetic patients whose identifiers stand wherever a planning system or a person may have put them."""

import random
import re
from dataclasses import dataclass
from pathlib import Path

import pydicom

import builders
from builders import BeamSpec, Ids, Lattice, Roi, item, linear_field, ring

_SYLLABLES = ("ka", "rim", "bel", "tus", "von", "hei", "gra", "mol", "zen", "dra", "lis", "quo", "pef", "nax")


@dataclass(frozen=True)
class Person:
    """Invented identifiers of one patient."""

    family: str
    given: str
    patient_id: str
    birth_date: str
    physician: str
    hospital: str
    phone: str
    accession: str

    @property
    def all(self) -> list[str]:
        return [self.family, self.given, f"{self.family}^{self.given}", self.patient_id, self.birth_date,
                self.physician, self.hospital, self.phone, self.accession]  # fmt: skip


def person(seed: int) -> Person:
    rng = random.Random(seed)

    def word(count: int) -> str:
        return "".join(rng.choice(_SYLLABLES) for _ in range(count)).capitalize()

    return Person(
        family=word(3),
        given=word(2),
        patient_id=rng.choice(["{}{}", "{}-{}", "H{}/{}"]).format(rng.randint(1000, 9999), rng.randint(10000, 99999)),
        birth_date=f"{rng.randint(1930, 1999)}{rng.randint(1, 12):02d}{rng.randint(1, 28):02d}",
        physician=word(4),
        hospital=f"Klinik {word(3)}",
        phone=f"+{rng.randint(10, 99)} {rng.randint(100, 999)} {rng.randint(100000, 999999)}",
        accession=f"A{rng.randint(100000, 999999)}",
    )


def plant(dataset: pydicom.Dataset, who: Person) -> pydicom.Dataset:
    """Put identifiers into names, labels, comments, sequences and private elements of any object."""
    dataset.PatientName = f"{who.family}^{who.given}"
    dataset.PatientID, dataset.PatientBirthDate = who.patient_id, who.birth_date
    dataset.PatientAge, dataset.PatientWeight = "093Y", "71.5"
    dataset.OtherPatientIDs = [who.patient_id, who.accession]
    dataset.PatientTelephoneNumbers, dataset.PatientAddress = who.phone, f"Weg 7, {who.hospital}"
    dataset.InstitutionName, dataset.AccessionNumber = who.hospital, who.accession
    dataset.ReferringPhysicianName = f"{who.physician}^^^Dr."
    dataset.StudyDescription = (
        f"{who.family.upper()} boost {who.birth_date[6:]}.{who.birth_date[4:6]}.{who.birth_date[:4]}"
    )
    dataset.SeriesDescription = f"plan of {who.physician}"
    dataset.RequestAttributesSequence = [
        item(RequestedProcedureID=who.accession, ScheduledProcedureStepDescription=who.family)
    ]
    dataset.ReferencedPatientSequence = [
        item(ReferencedSOPClassUID="1.2.840.10008.3.1.2.1.1", ReferencedSOPInstanceUID="1.2.3.4")
    ]
    dataset.ContentSequence = [item(TextValue=f"for {who.given}")]
    block = dataset.private_block(0x0029, "HOSPITAL SYSTEM", create=True)
    block.add_new(0x10, "LO", who.family)
    block.add_new(0x11, "SQ", [item(PatientName=who.family, ImageComments=who.phone)])
    elekta = dataset.private_block(0x0021, "Elekta: Portal image", create=True)
    elekta.add_new(0x07, "LO", who.physician)
    dataset.preamble = who.family.encode().ljust(128, b"\0")
    return dataset


def write_patient(folder: Path, seed: int, *, is_complete: bool = True) -> tuple[Person, Ids]:
    """Write structures, plan and image, if complete CT and dose too, of one patient under names that tell who it is."""
    who = person(seed)
    ids = Ids(patient=who.patient_id)
    folder = folder / f"{who.family}_{re.sub('[^0-9A-Za-z]', '_', who.patient_id)}"
    lattice = Lattice((2, 4, 5))
    dose = linear_field(lattice.pixel_positions())
    rois = [
        Roi(name, [ring((0, 0), 14, -40.25)])
        for name in (f"PTV_{who.family}", "Lung_R", f"{who.given} {who.birth_date}")
    ]
    structures = builders.rtstruct(rois, ids)
    structures.StructureSetLabel, structures.ROIContourSequence[0].ContourSequence[0].ContourNumber = who.family[:16], 1
    structures.StructureSetROISequence[0].ROIDescription = f"drawn by {who.physician}"
    structures.RTROIObservationsSequence[0].ROIInterpreter = who.physician
    plan = builders.rtplan([BeamSpec(f"AP {who.family}"), BeamSpec(f"PA {who.family}")], ids)
    plan.RTPlanLabel, plan.ApprovalStatus, plan.ReviewerName = who.given[:16], "APPROVED", who.physician
    total = builders.rtdose(dose, lattice, ids)
    total.DoseComment = f"call {who.phone}"
    image = builders.rtimage(builders.elekta_pixels(builders.field_signal(), 3e4), ids, elekta_factor=31234.5)
    image.RTImageDescription = f"Averaged Frames: 12, for {who.given}"
    image.OperatorsName = who.physician
    objects = [structures, plan, image]
    objects += [*builders.ct_slices(dose, lattice, ids), total] if is_complete else []
    for number, made in enumerate(objects):
        builders.save(plant(made, who), folder / f"{who.family}_{made.Modality}_{number}.dcm")
    return who, ids


def bounded_hits(content: bytes, identifiers: list[str]) -> list[bytes]:
    """Identifiers of four or more characters in some bytes, bounded by what is neither letter nor digit."""
    encoded = {
        text.encode(code, "replace").lower() for text in identifiers if len(text) >= 4 for code in ("utf8", "latin1")
    }
    anyone = b"|".join(map(re.escape, sorted(encoded, key=len, reverse=True)))
    return re.findall(rb"(?<![0-9a-z])(?:" + anyone + rb")(?![0-9a-z])", content.lower())
