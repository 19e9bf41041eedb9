"""The names of a whole database: read per centre, reviewed by people as CSV, remembered, and written to structures."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from intrepid_cohort.database import translating_errors
from intrepid_cohort.dose_facts import software_version
from intrepid_cohort.edits.log import log_edit
from intrepid_cohort.names.lexicon import standard_names
from intrepid_cohort.names.proposal import Proposal, language_of, propose
from intrepid_cohort.names.targets import target_type
from intrepid_cohort.names.words import words
from intrepid_cohort.schema import Patient, Structure, StructureName, StructureSet, Study
from intrepid_rt.errors import InvalidSetting

BY_PEOPLE = ("confirmed", "ignored")
_USED = ("confirmed", "confident")


@dataclass(frozen=True)
class NameDecision:
    """What a person decided about a name: a name after TG-263, or that it has none (``standard_name`` None)."""

    centre: str
    roi_name: str
    standard_name: str | None
    category: str | None = None


def map_names(engine: Engine) -> Counter:
    """Read all names of the database that no person has decided; return how many are of which status.

    Names of a centre that differ from a confirmed one only in case, order or punctuation follow it.

    Raises
    ------
    OutputNotWritable
    """
    with translating_errors(engine), Session(engine) as session:
        for centre, found in _written_names(session).items():
            _map_centre(session, centre, found)
        apply_names(session)
        session.commit()
        return Counter(session.scalars(select(StructureName.status)))


def confirm_names(engine: Engine, decisions: Iterable[NameDecision], *, edited_by: str) -> int:
    """Store what a person decided about names, with a line in the log for each change; return the number of changes.

    Raises
    ------
    InvalidSetting
        A decision names what TG-263 does not know, or a name that the database does not hold.
    OutputNotWritable
    """
    changed = 0
    with translating_errors(engine), Session(engine) as session:
        for decision in decisions:
            changed += _confirm(session, decision, edited_by)
        apply_names(session)
        session.commit()
    return changed


def apply_names(session: Session) -> None:
    """Write the mapping to ``structures.institutional_category``: names that are confirmed or confident."""
    sets = select(StructureSet.id).join(Study).join(Patient)
    names = select(StructureName.centre, StructureName.roi_name, StructureName.standard_name, StructureName.status)
    for row in session.execute(names).all():
        used = row.standard_name if row.status in _USED else None
        session.execute(
            update(Structure)
            .where(Structure.roi_name == row.roi_name)
            .where(Structure.structure_set_id.in_(sets.where(Patient.centre == row.centre)))
            .values(institutional_category=used)
            .execution_options(synchronize_session=False)
        )


def name_structures(session: Session, centre: str, structures: Iterable[Structure]) -> None:
    """Give new structures of a centre the names that its mapping knows."""
    names = select(StructureName.roi_name, StructureName.standard_name).where(
        StructureName.centre == centre, StructureName.status.in_(_USED)
    )
    known = {row.roi_name: row.standard_name for row in session.execute(names)}
    for structure in structures:
        structure.institutional_category = known.get(structure.roi_name)


def is_valid_standard(name: str) -> bool:
    """Whether a name is one of TG-263, or follows its pattern for PRVs.

    >>> is_valid_standard("Lung_L"), is_valid_standard("Parotid_PRV05_L"), is_valid_standard("Lunge")
    (True, True, False)
    """
    base = "_".join(part for part in name.split("_") if not part.startswith("PRV"))
    return name in standard_names() or base in standard_names()


def _written_names(session: Session) -> dict[str, dict[str, Counter]]:
    """Centre -> name as written -> how often it is of which type."""
    query = (
        select(Patient.centre, Structure.roi_name, Structure.rt_roi_interpreted_type)
        .select_from(Structure)
        .join(StructureSet, Structure.structure_set_id == StructureSet.id)
        .join(Study, StructureSet.study_id == Study.id)
        .join(Patient, Study.patient_id == Patient.id)
    )
    found: dict[str, dict[str, Counter]] = defaultdict(lambda: defaultdict(Counter))
    for centre, name, kind in session.execute(query):
        found[centre][name][kind or ""] += 1
    return found


def _map_centre(session: Session, centre: str, found: dict[str, Counter]) -> None:
    known = {row.roi_name: row for row in session.scalars(select(StructureName).where(StructureName.centre == centre))}
    decided = {_key(row.roi_name): row for row in known.values() if row.status in BY_PEOPLE}
    language = language_of(sorted(found))
    for name, kinds in sorted(found.items()):
        row = known.get(name)
        if row is not None and row.status in BY_PEOPLE:
            row.structure_count = sum(kinds.values())
            continue
        if row is None:
            row = StructureName(centre=centre, roi_name=name)
            session.add(row)
        proposal = propose(name, interpreted_type=kinds.most_common(1)[0][0], language=language)
        _fill(row, _follow(decided.get(_key(name)), proposal), sum(kinds.values()))


def _key(name: str) -> tuple[str, ...]:
    return tuple(sorted(words(name)))


def _follow(like: StructureName | None, proposal: Proposal) -> Proposal:
    if like is None:
        return proposal
    return Proposal(
        proposal.roi_name, like.standard_name, like.category or proposal.category, 0.99,
        f"It is {like.roi_name!r}, which a person decided, written differently.", proposal.target_dose_gy,
    )  # fmt: skip


def _fill(row: StructureName, proposal: Proposal, count: int) -> None:
    row.standard_name, row.category = proposal.standard_name, proposal.category
    row.target_dose_gy, row.confidence = proposal.target_dose_gy, round(proposal.confidence, 4)
    row.status = "confident" if proposal.is_confident else "unsure"
    row.candidates = [{"standard_name": name, "confidence": sure} for name, sure in proposal.candidates]
    row.reason, row.structure_count = proposal.reason, count
    row.mapped_by, row.mapped_at = f"intrepid_cohort.names {software_version()}", datetime.now(UTC)


def _confirm(session: Session, decision: NameDecision, edited_by: str) -> bool:
    row = session.scalar(
        select(StructureName).where(
            StructureName.centre == decision.centre, StructureName.roi_name == decision.roi_name
        )
    )  # fmt: skip
    if row is None:
        raise InvalidSetting(
            f"{decision.roi_name!r} of centre {decision.centre!r} is no name of this database. Map the names first, "
            "and leave the columns centre and roi_name as they were written."
        )
    if decision.standard_name is not None and not is_valid_standard(decision.standard_name):
        raise InvalidSetting(
            f"{decision.standard_name!r}, given for {decision.roi_name!r}, is no name of TG-263. Correct its spelling; "
            "for what TG-263 does not name, write - ."
        )
    before = _decided(row)
    row.standard_name = decision.standard_name
    row.category = decision.category or _category(decision.standard_name, row.category)
    row.status, row.confidence = ("confirmed" if decision.standard_name else "ignored"), 1.0
    row.mapped_by, row.mapped_at, row.reason = edited_by, datetime.now(UTC), "A person decided."
    if before == _decided(row):
        return False
    log_edit(
        session, table="names", row_key=f"{row.centre}/{row.roi_name}", column="*", old=before, new=_decided(row),
        reason="name decided", edited_by=edited_by,
    )  # fmt: skip
    return True


def _decided(row: StructureName) -> dict[str, Any]:
    return {"standard_name": row.standard_name, "category": row.category, "status": row.status}


def _category(standard_name: str | None, before: str | None) -> str:
    if standard_name is None:
        return before if before in ("helper", "device", "dose") else "helper"
    return "target" if target_type(standard_name.lower()) else "external" if standard_name == "External" else "organ"
