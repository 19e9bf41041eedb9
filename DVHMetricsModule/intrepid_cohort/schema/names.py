"""Names of structures: what centres write, and what it means after TG-263."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, DateTime, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from intrepid_cohort.schema.base import Base, column


class StructureName(Base):
    """One name as written at one centre. Confirmed names are the memory of the centre."""

    __tablename__ = "names"
    __table_args__ = (UniqueConstraint("centre", "roi_name"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    centre: Mapped[str] = column("Centre; empty if none was given at import", index=True)
    roi_name: Mapped[str] = column("ROIName (3006,0026), as written", index=True)
    standard_name: Mapped[str | None] = column("Name after TG-263; empty if it has none or is not known", index=True)
    category: Mapped[str | None] = column(
        "organ, target, external, helper (for planning), device, dose or unknown", index=True
    )
    target_dose_gy: Mapped[float | None] = column("Dose level in the name of a target")
    status: Mapped[str] = column(
        "confirmed by a person; confident: by the rules; unsure: to be reviewed; ignored by a person", index=True
    )
    confidence: Mapped[float | None] = column("Calibrated probability that the proposal is right, 0 to 1")
    candidates: Mapped[list[dict[str, Any]]] = column("Best candidates with their confidence", JSON, default=list)
    reason: Mapped[str] = column("How the proposal came about, or why there is none")
    structure_count: Mapped[int] = column("Number of structures of this name when it was last mapped")
    mapped_by: Mapped[str] = column("Engine and version, or the person who confirmed", time=True)
    mapped_at: Mapped[datetime] = column("When (UTC)", DateTime(timezone=True), time=True)
