"""Curation: collections of treatments, what each is made of, why, and every change that a person or a rule made.

Rows here refer to DICOM objects by UID, not by key: an import replaces a patient's rows, and curation outlives that.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from intrepid_cohort.schema.base import Base, column, parent


class Collection(Base):
    """A set of treatments curated by one file of rules: one treatment per patient."""

    __tablename__ = "collections"
    __table_args__ = (UniqueConstraint("name"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = column("Name of the collection")
    description: Mapped[str | None] = column("What it is for, from the rules")
    rules: Mapped[dict[str, Any]] = column("The rules as read, defaults filled in", JSON)
    rules_sha256: Mapped[str] = column("SHA-256 of the rules")
    created_at: Mapped[datetime] = column("When it was first curated (UTC)", DateTime(timezone=True), time=True)
    treatments: Mapped[list[Treatment]] = relationship(back_populates="collection", passive_deletes=True)


class Treatment(Base):
    """What one patient of a collection received, or the reason why the patient is excluded."""

    __tablename__ = "treatments"
    __table_args__ = (UniqueConstraint("collection_id", "patient_id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    collection_id: Mapped[int] = parent("collections", "Collection")
    patient_id: Mapped[int] = parent("patients", "Patient")
    status: Mapped[str] = column("included, excluded, or review if a person must decide", index=True)
    exclusion_step: Mapped[str | None] = column("Step of the flow at which it was excluded or held for review")
    exclusion_reason: Mapped[str | None] = column("Why, in words")
    main_plan_uid: Mapped[str | None] = column("SOPInstanceUID of the main plan", index=True)
    main_plan_rule: Mapped[str | None] = column("Rule that chose it: only, approved, delivered, first, by hand")
    laterality: Mapped[str | None] = column("left, right, bilateral or midline; empty if not asked or not certain")
    laterality_evidence: Mapped[dict[str, Any]] = column("Numbers that decided the laterality", JSON, default=dict)
    prescription_dose_gy: Mapped[float | None] = column("Prescribed dose of all its plans, as delivered")
    fractions_planned: Mapped[int | None] = column("Sum over its plans")
    fractions_delivered: Mapped[float | None] = column("Sum over its plans; empty if not known")
    outside_factor: Mapped[float | None] = column(
        "Factor by which the dose was scaled for plans that lie on another image set; 1 if there are none"
    )
    dose_id: Mapped[int | None] = mapped_column(
        ForeignKey("doses.id", ondelete="SET NULL"), index=True, comment="Its dose, a row of its own in doses"
    )
    dose_reason: Mapped[str | None] = column("Why it has no dose; empty if it has one")
    decisions: Mapped[list[dict[str, Any]]] = column(
        "Each decision: step, outcome, reason, evidence, in the order they were taken", JSON, default=list
    )
    warnings: Mapped[list[str]] = column("What a reader of its numbers must know", JSON, default=list)
    content_digest: Mapped[str] = column("Hash of the patient's rows, rules and edits that it was made from")
    curated_at: Mapped[datetime] = column("When it was made (UTC)", DateTime(timezone=True), time=True)
    collection: Mapped[Collection] = relationship(back_populates="treatments")
    plans: Mapped[list[TreatmentPlan]] = relationship(back_populates="treatment", passive_deletes=True)
    structure_sets: Mapped[list[TreatmentStructureSet]] = relationship(back_populates="treatment", passive_deletes=True)


class TreatmentPlan(Base):
    """One plan of the patient and what the curation made of it; plans that are left out are listed too."""

    __tablename__ = "treatment_plans"
    __table_args__ = (UniqueConstraint("treatment_id", "plan_uid"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    treatment_id: Mapped[int] = parent("treatments", "Treatment")
    plan_uid: Mapped[str] = column("SOPInstanceUID of the plan", index=True)
    role: Mapped[str] = column("main, boost, adaptation, boost elsewhere (on another image set), or left out")
    fractions_planned: Mapped[int | None] = column("NumberOfFractionsPlanned (300A,0078)")
    fractions_delivered: Mapped[float | None] = column("Delivered fractions; empty if not known")
    fractions_source: Mapped[str | None] = column("Where that is known from: RTRECORD, CSV, or assumed as planned")
    dose_factor: Mapped[float | None] = column("Factor on the plan's dose in the sum; empty if it is not in the sum")
    dose_uids: Mapped[list[str]] = column("SOPInstanceUIDs of the doses that enter the sum", JSON, default=list)
    reason: Mapped[str] = column("Why it has this role")
    treatment: Mapped[Treatment] = relationship(back_populates="plans")


class TreatmentStructureSet(Base):
    """A structure set whose structures have DVHs in the treatment's dose."""

    __tablename__ = "treatment_structure_sets"
    __table_args__ = (UniqueConstraint("treatment_id", "structure_set_uid"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    treatment_id: Mapped[int] = parent("treatments", "Treatment")
    structure_set_uid: Mapped[str] = column("SOPInstanceUID of the structure set", index=True)
    role: Mapped[str] = column("clinical: the main plan's; augmented: drawn later, e.g. by automatic segmentation")
    source: Mapped[str | None] = column("Name of the augmented set in the rules")
    treatment: Mapped[Treatment] = relationship(back_populates="structure_sets")


class DeliveredFractions(Base):
    """Delivered fractions of a plan as a person or a record-and-verify export states them."""

    __tablename__ = "delivered_fractions"
    __table_args__ = (UniqueConstraint("patient_id", "plan_uid"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[int] = parent("patients", "Patient")
    plan_uid: Mapped[str] = column("SOPInstanceUID of the plan", index=True)
    fractions: Mapped[float] = column("Delivered fractions")
    first_day: Mapped[date | None] = column("Date of the first fraction, if stated")
    last_day: Mapped[date | None] = column("Date of the last fraction, if stated")
    source: Mapped[str] = column("File it comes from, and its SHA-256")


class Finding(Base):
    """One thing that a quality check found."""

    __tablename__ = "findings"
    __table_args__ = (UniqueConstraint("patient_id", "collection", "check_name", "subject"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[int] = parent("patients", "Patient")
    collection: Mapped[str] = column("Collection in which it was looked for; empty for the whole database")
    check_name: Mapped[str] = column("Name of the check", index=True)
    subject: Mapped[str] = column("What it is about: a UID, a ROI, a plan")
    severity: Mapped[str] = column("note, warning or error")
    message: Mapped[str] = column("What was found, what was expected, what to do")
    evidence: Mapped[dict[str, Any]] = column("The numbers", JSON, default=dict)
    found_at: Mapped[datetime] = column("When (UTC)", DateTime(timezone=True), time=True)


class Edit(Base):
    """One change of one value: who, when, what it was, what it is. Edits are never deleted, only undone by another."""

    __tablename__ = "edits"
    id: Mapped[int] = mapped_column(primary_key=True)
    edited_at: Mapped[datetime] = column("When (UTC)", DateTime(timezone=True), time=True)
    edited_by: Mapped[str] = column("Who: name given by the user, or the account", time=True)
    job_id: Mapped[int | None] = column("Run that made it; undoing a run undoes all its edits", time=True, index=True)
    pseudonym: Mapped[str | None] = column("Patient it is about; empty if of the whole database", index=True)
    table_name: Mapped[str] = column("Table")
    row_key: Mapped[str] = column("What identifies the row: UID, number, name; parts separated by /")
    column_name: Mapped[str] = column("Column; * for a whole row")
    old_value: Mapped[Any] = column("Value before", JSON, nullable=True)
    new_value: Mapped[Any] = column("Value after", JSON, nullable=True)
    reason: Mapped[str] = column("Why, in words")
    undoes: Mapped[int | None] = column("Number of the edit that this one takes back", time=True)
    active: Mapped[bool] = column("Whether it still holds: not undone, not overtaken", index=True)
