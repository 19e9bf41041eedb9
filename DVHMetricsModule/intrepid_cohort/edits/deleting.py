"""Taking a patient out of the database for good, with a line in the log that does not say who it was."""

import hashlib
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, Select, delete, func, select, update
from sqlalchemy.orm import Session

from intrepid_cohort.database import translating_errors
from intrepid_cohort.edits.log import log_edit
from intrepid_cohort.schema import (
    Dose,
    DoseVolumeHistogram,
    Edit,
    EpidResult,
    File,
    Patient,
    Plan,
    Setting,
    StructureSet,
    Study,
    Treatment,
)
from intrepid_rt.errors import InvalidSetting, MissingObject

_KEPT_OUT = "kept out: "


def delete_patient(
    engine: Engine, pseudonym: str, *, reason: str, edited_by: str, keep_out: bool = False, apply: bool = False
) -> dict[str, int]:
    """Delete all rows of a patient, and the entries of the files; return how many rows of each kind that is.

    The files themselves stay. An import that finds them brings the patient back, unless ``keep_out``: then a hash of
    the pseudonym stays behind, by which imports pass the files over. Earlier edits stay in the log without pseudonym,
    keys and values. Without ``apply`` nothing is written. It cannot be undone.

    Raises
    ------
    InvalidSetting
        No reason is given.
    MissingObject
        The database holds no such patient.
    OutputNotWritable
    """
    if not reason.strip():
        raise InvalidSetting("No reason is given; deleting a patient needs one, for the log.")
    with translating_errors(engine), Session(engine) as session, session.begin():
        patient = session.scalar(select(Patient).where(Patient.pseudonym == pseudonym))
        if patient is None:
            raise MissingObject(f"The database holds no patient {pseudonym}; expected a pseudonym as in its tables.")
        counts = {name: session.scalar(query) or 0 for name, query in _counts(patient.id).items()}
        if apply:
            _delete(session, patient)
            if keep_out:
                session.merge(Setting(name=_key(pseudonym), value=datetime.now(UTC).date().isoformat()))
            log_edit(
                session, table="patients", row_key="a deleted patient", column="*", old=counts, new=None,
                reason=reason, edited_by=edited_by,
            )  # fmt: skip
    return counts


def kept_out(session: Session) -> set[str]:
    """Return the hashes of all pseudonyms that no import may bring back."""
    names = session.scalars(select(Setting.name).where(Setting.name.startswith(_KEPT_OUT)))
    return {name.removeprefix(_KEPT_OUT) for name in names}


def hashed(pseudonym: str) -> str:
    """Return the hash under which a pseudonym is kept out."""
    return hashlib.sha256(pseudonym.encode()).hexdigest()


def _key(pseudonym: str) -> str:
    return _KEPT_OUT + hashed(pseudonym)


def _counts(patient_id: int) -> dict[str, Select[Any]]:
    def of_studies(model: Any) -> Select[Any]:
        """Return how to count rows that belong to the patient's studies."""
        query: Select[Any] = select(func.count()).select_from(model).join(Study, model.study_id == Study.id)
        return query.where(Study.patient_id == patient_id)

    def of_patient(model: Any) -> Select[Any]:
        """Return how to count rows that belong to the patient."""
        return select(func.count()).select_from(model).where(model.patient_id == patient_id)

    return {
        "files": of_patient(File), "studies": of_patient(Study), "structure_sets": of_studies(StructureSet),
        "plans": of_studies(Plan), "doses": of_studies(Dose),
        "dvhs": of_studies(Dose).join(DoseVolumeHistogram, DoseVolumeHistogram.dose_id == Dose.id),
        "treatments": of_patient(Treatment), "epid_results": of_patient(EpidResult),
    }  # fmt: skip


def _delete(session: Session, patient: Patient) -> None:
    blank = {"pseudonym": None, "row_key": "of a deleted patient", "old_value": None, "new_value": None,
             "active": False}  # fmt: skip
    session.execute(update(Edit).where(Edit.pseudonym == patient.pseudonym).values(**blank))
    session.execute(delete(File).where(File.patient_id == patient.id))
    # All that hangs on a patient goes with it, by the database's own foreign keys.
    session.execute(delete(Patient).where(Patient.id == patient.id))
