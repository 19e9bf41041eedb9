"""What questions to the cohort leave behind: endpoints read off the curves, and queries worth asking again."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, DateTime
from sqlalchemy.orm import Mapped, relationship

from intrepid_cohort.schema.base import Base, column, parent

if TYPE_CHECKING:
    from intrepid_cohort.schema.dose import DoseVolumeHistogram


class Endpoint(Base):
    """One metric of one DVH, read off its curve once so that a query need not; made anew whenever it is missing."""

    __tablename__ = "endpoints"
    # Without row numbers all endpoints of a DVH lie side by side on the disk.
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012 - read by SQLAlchemy in this form
    dvh_id: Mapped[int] = parent("dvhs", "DVH", primary_key=True)
    metric: Mapped[str] = column("Metric in its canonical form, model parameters behind it", primary_key=True)
    value: Mapped[float | None] = column("Its value in the unit of the metric; empty if it cannot be computed")
    prescription_gy: Mapped[float | None] = column("Prescription that percents of dose refer to")
    reason: Mapped[str | None] = column("Why there is no value, or what to mind about it")
    dvh: Mapped[DoseVolumeHistogram] = relationship(back_populates="endpoints")


class SavedQuery(Base):
    """A question with a name."""

    __tablename__ = "saved_queries"
    name: Mapped[str] = column("Name of the query", primary_key=True)
    conditions: Mapped[list[str]] = column("Conditions that must all hold", JSON, default=list)
    groups: Mapped[dict[str, list[str]]] = column("Further conditions by name of a group", JSON, default=dict)
    show: Mapped[list[str]] = column("Columns", JSON, default=list)
    metrics: Mapped[list[str]] = column("Metrics", JSON, default=list)
    model_arguments: Mapped[dict[str, Any]] = column("Parameters of DEUD, DNTCP and DTCP", JSON, default=dict)
    saved_at: Mapped[datetime] = column("When it was saved (UTC)", DateTime(timezone=True), time=True)
