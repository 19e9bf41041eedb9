"""The paragraph for the methods section of a paper: what the database holds, and what computed it."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from intrepid_cohort.database import translating_errors
from intrepid_cohort.dose_facts import software_version
from intrepid_cohort.schema import (
    Collection,
    Dose,
    DoseVolumeHistogram,
    File,
    Patient,
    Plan,
    Structure,
    StructureName,
    StructureSet,
    Study,
    Treatment,
)


def methods_paragraph(engine: Engine) -> str:
    """Return a few sentences with counts, dates, settings and versions, all read from the database."""
    with translating_errors(engine), Session(engine) as session:
        parts = [_content(session), _files(session), _dvhs(session), *_collections(session), *_names(session)]
    return " ".join(parts)


def _count(session: Session, model: Any, *where: Any) -> int:
    return session.scalar(select(func.count()).select_from(model).where(*where)) or 0


def _content(session: Session) -> str:
    centres = session.scalar(select(func.count(func.distinct(Patient.centre)))) or 0
    first, last = session.execute(select(func.min(Study.study_date), func.max(Study.study_date))).one()
    period = f" with studies from {first} to {last}" if first else ""
    return (
        f"The cohort holds {_count(session, Patient):,} patients of {_plural(centres, 'centre')}{period}: "
        f"{_count(session, Plan):,} treatment plans, {_count(session, StructureSet):,} structure sets with "
        f"{_count(session, Structure):,} structures, and {_count(session, Dose):,} dose distributions "
        f"(InTrEPID {software_version()})."
    )


def _files(session: Session) -> str:
    used, unused = _count(session, File, File.status == "used"), _count(session, File, File.status == "unused")
    return f"Of {used + unused:,} files {unused:,} were not used, each for a recorded reason."


def _dvhs(session: Session) -> str:
    known = _count(session, DoseVolumeHistogram, DoseVolumeHistogram.reason.is_(None))
    lacking = _count(session, DoseVolumeHistogram, DoseVolumeHistogram.reason.is_not(None))
    engines = sorted(session.scalars(select(DoseVolumeHistogram.engine).distinct()))
    settings = session.scalars(select(DoseVolumeHistogram.engine_settings).limit(1)).first() or {}
    stated = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in sorted(settings.items()))
    return (
        f"{known:,} dose-volume histograms were computed from contours and dose grids by {_listed(engines)} "
        f"({stated}); for {lacking:,} structures none could be computed, each for a recorded reason."
    )


def _collections(session: Session) -> list[str]:
    told = []
    for collection in session.scalars(select(Collection).order_by(Collection.name)):
        counts = dict(
            session.execute(
                select(Treatment.status, func.count())
                .where(Treatment.collection_id == collection.id)
                .group_by(Treatment.status)
            ).all()
        )
        reasons = session.execute(
            select(Treatment.exclusion_step, func.count())
            .where(Treatment.collection_id == collection.id, Treatment.status == "excluded")
            .group_by(Treatment.exclusion_step)
            .order_by(Treatment.exclusion_step)
        ).all()
        why = f" ({', '.join(f'{step}: {n}' for step, n in reasons)})" if reasons else ""
        told.append(
            f"Curation '{collection.name}' (rules {collection.rules_sha256[:12]}) included "
            f"{counts.get('included', 0):,} treatments, excluded {counts.get('excluded', 0):,}{why} and left "
            f"{counts.get('review', 0):,} for review."
        )
    return told


def _names(session: Session) -> list[str]:
    states = dict(session.execute(select(StructureName.status, func.count()).group_by(StructureName.status)).all())
    if not states:
        return []
    return [
        f"Structure names were mapped to TG-263: {sum(states.values()):,} different names, of which "
        f"{states.get('confirmed', 0):,} confirmed by a person, {states.get('confident', 0):,} mapped by rules and "
        f"{states.get('unsure', 0):,} left open."
    ]


def _plural(number: int, word: str) -> str:
    return f"{number} {word}" + ("" if number == 1 else "s")


def _listed(items: Sequence[str]) -> str:
    return " and ".join(items) or "no engine"
