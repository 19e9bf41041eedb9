"""Patients under pseudonym, studies, series, files, and the runs that brought them in."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, BigInteger, DateTime, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from intrepid_cohort.schema.base import Base, column, parent

if TYPE_CHECKING:
    from intrepid_cohort.schema.anatomy import StructureSet
    from intrepid_cohort.schema.delivery import TreatmentRecord
    from intrepid_cohort.schema.dose import Dose
    from intrepid_cohort.schema.planning import Plan


class Setting(Base):
    """A value that holds for the whole database."""

    __tablename__ = "settings"
    name: Mapped[str] = mapped_column(primary_key=True, comment="Name of the setting")
    value: Mapped[str] = column("Its value")


class Patient(Base):
    """One person at one centre. The patient identifier itself is not stored."""

    __tablename__ = "patients"
    id: Mapped[int] = mapped_column(primary_key=True)
    pseudonym: Mapped[str] = column("Keyed hash of centre and PatientID (0010,0020); stands for the MRN", unique=True)
    centre: Mapped[str] = column("Centre as given at import; empty if none was", index=True)
    patient_sex: Mapped[str | None] = column("PatientSex (0010,0040)")
    patient_birth_date: Mapped[date | None] = column("PatientBirthDate (0010,0030)")
    content_digest: Mapped[str | None] = column("Hash of the files and rules that the rows below were made from")
    notes: Mapped[list[str]] = column("What was concluded, is unusual or went wrong", JSON, default=list)
    imported_at: Mapped[datetime | None] = column(
        "When the rows below were written (UTC)", DateTime(timezone=True), time=True
    )
    studies: Mapped[list[Study]] = relationship(back_populates="patient", passive_deletes=True)


class Study(Base):
    """One DICOM study."""

    __tablename__ = "studies"
    __table_args__ = (UniqueConstraint("patient_id", "study_instance_uid"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[int] = parent("patients", "Patient")
    study_instance_uid: Mapped[str] = column("StudyInstanceUID (0020,000D)", index=True)
    study_date: Mapped[date | None] = column("StudyDate (0008,0020)")
    study_description: Mapped[str | None] = column("StudyDescription (0008,1030)")
    patient: Mapped[Patient] = relationship(back_populates="studies")
    series: Mapped[list[Series]] = relationship(back_populates="study", passive_deletes=True)
    structure_sets: Mapped[list[StructureSet]] = relationship(back_populates="study", passive_deletes=True)
    plans: Mapped[list[Plan]] = relationship(back_populates="study", passive_deletes=True)
    doses: Mapped[list[Dose]] = relationship(back_populates="study", passive_deletes=True)
    treatment_records: Mapped[list[TreatmentRecord]] = relationship(back_populates="study", passive_deletes=True)


class Series(Base):
    """One image series; what its first slice states."""

    __tablename__ = "series"
    __table_args__ = (UniqueConstraint("study_id", "series_instance_uid", "frame_of_reference_uid"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = parent("studies", "Study")
    series_instance_uid: Mapped[str] = column("SeriesInstanceUID (0020,000E)", index=True)
    frame_of_reference_uid: Mapped[str] = column("FrameOfReferenceUID (0020,0052)")
    modality: Mapped[str] = column("Modality (0008,0060)")
    image_count: Mapped[int] = column("Number of images, copies not counted")
    slice_spacing_mm: Mapped[float | None] = column("Usual distance between its slices; empty if it cannot be told")
    missing_image_count: Mapped[int | None] = column("Slices that seem to be missing: gaps over the usual distance")
    acquisition_date: Mapped[date | None] = column("AcquisitionDate (0008,0022), else SeriesDate (0008,0021)")
    manufacturer: Mapped[str | None] = column("Manufacturer (0008,0070)")
    manufacturer_model_name: Mapped[str | None] = column("ManufacturerModelName (0008,1090)")
    software_versions: Mapped[str | None] = column("SoftwareVersions (0018,1020)")
    institution_name: Mapped[str | None] = column("InstitutionName (0008,0080)")
    kvp_kv: Mapped[float | None] = column("KVP (0018,0060) in kV")
    slice_thickness_mm: Mapped[float | None] = column("SliceThickness (0018,0050)")
    row_spacing_mm: Mapped[float | None] = column("First value of PixelSpacing (0028,0030)")
    column_spacing_mm: Mapped[float | None] = column("Second value of PixelSpacing (0028,0030)")
    patient_position: Mapped[str | None] = column("PatientPosition (0018,5100)")
    study: Mapped[Study] = relationship(back_populates="series")


class File(Base):
    """One file that an import has seen. Files are referenced where they lie, never moved or changed."""

    __tablename__ = "files"
    id: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str] = column("Absolute path", unique=True)
    centre: Mapped[str] = column("Centre as given at import")
    size_bytes: Mapped[int] = column("Size", BigInteger)
    modified_ns: Mapped[int] = column("Time of last change, nanoseconds since 1970", BigInteger, time=True)
    sha256: Mapped[str] = column("SHA-256 of the content; empty if it could not be read", index=True)
    patient_id: Mapped[int | None] = mapped_column(
        ForeignKey("patients.id", ondelete="SET NULL"), index=True, comment="Patient, if the file can be used"
    )
    modality: Mapped[str] = column("Modality (0008,0060); empty if unknown")
    sop_class_uid: Mapped[str] = column("SOPClassUID (0008,0016)")
    sop_instance_uid: Mapped[str] = column("SOPInstanceUID (0008,0018)", index=True)
    study_instance_uid: Mapped[str] = column("StudyInstanceUID (0020,000D)")
    series_instance_uid: Mapped[str] = column("SeriesInstanceUID (0020,000E)")
    header: Mapped[dict[str, Any]] = column("Further header values that an import needs again", JSON, default=dict)
    status: Mapped[str] = column("used, unused, or pending until the patient's import is complete", index=True)
    reason: Mapped[str] = column("Why the file is not used; empty for used files")
    indexed_at: Mapped[datetime] = column("When the file was read (UTC)", DateTime(timezone=True), time=True)


class Job(Base):
    """One run: an import, a curation, a mapping of names."""

    __tablename__ = "jobs"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = column("What was run: import, curate, names, check, edit")
    arguments: Mapped[dict[str, Any]] = column("Its arguments", JSON)
    software_version: Mapped[str] = column("Version of this software")
    started_at: Mapped[datetime] = column("Start (UTC)", DateTime(timezone=True), time=True)
    finished_at: Mapped[datetime | None] = column(
        "End (UTC); empty if it runs or was broken off", DateTime(timezone=True), time=True
    )
    result: Mapped[dict[str, Any]] = column("Counts of what was done", JSON, default=dict)
