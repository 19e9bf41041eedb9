"""Questions that are worth asking again, kept in the database under a name."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from intrepid_cohort.database import translating_errors
from intrepid_cohort.query import SHOWN, query_dvhs, query_groups
from intrepid_cohort.schema import SavedQuery
from intrepid_rt.errors import MissingObject


@dataclass(frozen=True)
class Question:
    """Everything that `query_dvhs` and `query_groups` take; ``groups`` holds conditions by name."""

    conditions: Sequence[str] = ()
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    show: Sequence[str] = SHOWN
    metrics: Sequence[str] = ()
    model_arguments: Mapping[str, Any] = field(default_factory=dict)

    def ask(self, engine: Engine) -> Iterator[dict[str, Any]]:
        """Yield the rows; with groups each has ``group`` in front."""
        asked = {"show": self.show, "metrics": self.metrics, **self.model_arguments}
        if self.groups:
            yield from query_groups(engine, self.groups, self.conditions, **asked)
        else:
            yield from query_dvhs(engine, self.conditions, **asked)

    @property
    def names(self) -> list[str]:
        """Columns of the rows, reasons left out."""
        return [*(["group"] if self.groups else []), *self.show, *self.metrics]


def save(engine: Engine, name: str, question: Question) -> None:
    """Keep a question under a name, in place of an older one."""
    with translating_errors(engine), Session(engine) as session:
        session.merge(
            SavedQuery(
                name=name,
                conditions=list(question.conditions),
                groups={key: list(value) for key, value in question.groups.items()},
                show=list(question.show),
                metrics=list(question.metrics),
                model_arguments=dict(question.model_arguments),
                saved_at=datetime.now(UTC),
            )
        )
        session.commit()


def load(engine: Engine, name: str) -> Question:
    """Return a saved question.

    Raises
    ------
    MissingObject
        There is none of this name.
    """
    with translating_errors(engine), Session(engine) as session:
        row = session.get(SavedQuery, name)
        if row is None:
            known = ", ".join(saved_names(engine)) or "none"
            raise MissingObject(f"No query is saved as {name!r}; saved are: {known}.")
        return Question(row.conditions, row.groups, row.show, row.metrics, row.model_arguments)


def saved_names(engine: Engine) -> list[str]:
    """Names of all saved queries."""
    with translating_errors(engine), Session(engine) as session:
        return list(session.scalars(select(SavedQuery.name).order_by(SavedQuery.name)))


def forget(engine: Engine, name: str) -> None:
    """Remove a saved question; harmless if there is none of this name."""
    with translating_errors(engine), Session(engine) as session:
        row = session.get(SavedQuery, name)
        if row is not None:
            session.delete(row)
            session.commit()
