"""RTRECORD to its row: which beams of which fraction were delivered, and how much of them."""

from pydicom.dataset import Dataset

from intrepid_cohort.schema import TreatmentRecord
from intrepid_cohort.values import date_of
from intrepid_rt.dicom_file import integer, items, number, referenced_uid, text

_TREATING = ("", "TREATMENT", "CONTINUATION")


def record_row(dataset: Dataset, *, file_sha256: str) -> TreatmentRecord:
    """Return a treatment record of photon, electron or ion beams, not yet in any database.

    Images, set-up and verification beams do not count as treatment.
    """
    beams = items(dataset, "TreatmentSessionBeamSequence") or items(dataset, "TreatmentSessionIonBeamSequence")
    treating = [beam for beam in beams if text(beam, "TreatmentDeliveryType").upper() in _TREATING]
    return TreatmentRecord(
        sop_instance_uid=text(dataset, "SOPInstanceUID"),
        file_sha256=file_sha256,
        referenced_plan_uid=referenced_uid(dataset, "ReferencedRTPlanSequence") or None,
        treatment_date=date_of(text(dataset, "TreatmentDate")),
        fraction_group_number=integer(dataset, "ReferencedFractionGroupNumber"),
        fraction_numbers=sorted({n for beam in treating if (n := integer(beam, "CurrentFractionNumber")) is not None}),
        beam_numbers=sorted(n for beam in treating if (n := integer(beam, "ReferencedBeamNumber")) is not None),
        delivered_meterset=_sum(treating, "DeliveredPrimaryMeterset"),
        specified_meterset=_sum(treating, "SpecifiedPrimaryMeterset"),
        is_complete=bool(treating) and all(text(b, "TreatmentTerminationStatus").upper() == "NORMAL" for b in treating),
    )


def _sum(beams: list[Dataset], keyword: str) -> float | None:
    values = [number(beam, keyword) for beam in beams]
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None
