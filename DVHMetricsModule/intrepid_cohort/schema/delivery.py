"""What was delivered: treatment records, and what EPID dosimetry found in single fractions."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING

from sqlalchemy import JSON, DateTime, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from intrepid_cohort.schema.base import Base, column, parent

if TYPE_CHECKING:
    from intrepid_cohort.schema.identity import Study


class TreatmentRecord(Base):
    """One RT beams treatment record (RTRECORD)."""

    __tablename__ = "treatment_records"
    __table_args__ = (UniqueConstraint("study_id", "sop_instance_uid"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = parent("studies", "Study")
    sop_instance_uid: Mapped[str] = column("SOPInstanceUID (0008,0018)", index=True)
    file_sha256: Mapped[str] = column("SHA-256 of the file it was read from")
    referenced_plan_uid: Mapped[str | None] = column("Plan that was delivered; empty if not stated", index=True)
    treatment_date: Mapped[date | None] = column("TreatmentDate (3008,0250)")
    fraction_group_number: Mapped[int | None] = column("ReferencedFractionGroupNumber (300C,0022)")
    fraction_numbers: Mapped[list[int]] = column("CurrentFractionNumber (3008,0022) of its beams", JSON, default=list)
    beam_numbers: Mapped[list[int]] = column("Beams delivered for treatment", JSON, default=list)
    delivered_meterset: Mapped[float | None] = column("Sum of DeliveredPrimaryMeterset (3008,0036) of these beams")
    specified_meterset: Mapped[float | None] = column("Sum of SpecifiedPrimaryMeterset (3008,0032) of these beams")
    is_complete: Mapped[bool] = column("Whether every beam ended with TreatmentTerminationStatus NORMAL")
    study: Mapped[Study] = relationship(back_populates="treatment_records")


class EpidResult(Base):
    """One comparison of one fraction, from ``results.json`` of ``intrepid reconstruct``: of a beam, or of all."""

    __tablename__ = "epid_results"
    __table_args__ = (UniqueConstraint("results_sha256", "beam_number", "gamma_dose_percent", "gamma_distance_mm"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[int] = parent("patients", "Patient")
    plan_uid: Mapped[str] = column("SOPInstanceUID of the verified plan", index=True)
    course: Mapped[str | None] = column("Course, as given when the result was added")
    fraction_number: Mapped[int | None] = column("Fraction, as given or from the images")
    treatment_date: Mapped[date | None] = column("Day of the fraction, as given or from the images")
    beam_number: Mapped[int] = column("BeamNumber (300A,00C0) for gamma of the portal dose; -1: all beams, gamma in 3D")
    beam_name: Mapped[str | None] = column("BeamName (300A,00C2)")
    gamma_dose_percent: Mapped[float] = column("Dose criterion in percent of the norm")
    gamma_distance_mm: Mapped[float] = column("Distance criterion")
    gamma_norm_gy: Mapped[float | None] = column("Norm of the dose criterion")
    gamma_cutoff_percent: Mapped[float | None] = column("Points below this share of the norm do not count")
    gamma_region: Mapped[str | None] = column("Where points count: field, name of a structure")
    gamma_pass_rate_percent: Mapped[float | None] = column("Share of points with gamma at most 1")
    gamma_mean: Mapped[float | None] = column("Mean gamma")
    gamma_max: Mapped[float | None] = column("Maximum gamma")
    gamma_points: Mapped[int | None] = column("Number of points")
    gamma_reason: Mapped[str | None] = column("Why there is no gamma; empty if there is")
    dose_ratio: Mapped[float | None] = column("R: reconstructed over planned dose at the isocentre; for all beams only")
    verdict: Mapped[str | None] = column("pass, fail or what else the verification concluded, for the fraction")
    machine_profile: Mapped[str | None] = column("Name of the machine profile; empty for relative results")
    dose_unit: Mapped[str | None] = column("Gy, or what the doses are relative to")
    warnings: Mapped[list[str]] = column("Warnings of the verification", JSON, default=list)
    results_path: Mapped[str] = column("results.json it was read from")
    results_sha256: Mapped[str] = column("SHA-256 of that file", index=True)
    software_version: Mapped[str | None] = column("Version that computed it")
    computed_at: Mapped[datetime | None] = column("When it was computed, as stated there", DateTime(timezone=True))
