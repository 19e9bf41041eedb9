"""Dose objects and the dose-volume histograms made from them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, DateTime, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from intrepid_cohort.schema.base import Base, column, parent

if TYPE_CHECKING:
    from intrepid_cohort.schema.anatomy import Structure
    from intrepid_cohort.schema.asking import Endpoint
    from intrepid_cohort.schema.identity import Study


class Dose(Base):
    """One RTDOSE object, or the dose of a curated treatment, which is a sum of such objects."""

    __tablename__ = "doses"
    __table_args__ = (UniqueConstraint("study_id", "sop_instance_uid"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = parent("studies", "Study")
    sop_instance_uid: Mapped[str] = column("SOPInstanceUID (0008,0018)", index=True)
    file_sha256: Mapped[str] = column("SHA-256 of the file it was read from; of the components for a treatment")
    referenced_plan_uid: Mapped[str | None] = column(
        "Plan whose dose it is; empty if not stated, and for a sum of plans", index=True
    )
    referenced_beam_number: Mapped[int | None] = column("Beam whose dose it is, if of one beam")
    referenced_structure_set_uid: Mapped[str | None] = column("Structure set used for its DVHs")
    dose_summation_type: Mapped[str] = column(
        "DoseSummationType (3004,000A); TREATMENT for the dose of a curated treatment, which is no file"
    )
    components: Mapped[list[dict[str, Any]]] = column(
        "What a treatment's dose is the sum of: SOP instance UID, SHA-256 of the file, factor", JSON, default=list
    )
    dose_type: Mapped[str] = column("DoseType (3004,0004)")
    dose_comment: Mapped[str | None] = column("DoseComment (3004,0006)")
    tissue_heterogeneity_correction: Mapped[str | None] = column("TissueHeterogeneityCorrection (3004,0014)")
    dose_timestamp: Mapped[datetime | None] = column(
        "InstanceCreationDate and Time, else ContentDate and Time, local time as stated", DateTime
    )
    planning_system: Mapped[str | None] = column("Eclipse, Oncentra or Pinnacle, where it was recognised")
    frame_of_reference_uid: Mapped[str] = column("FrameOfReferenceUID (0020,0052)")
    grid_x_mm: Mapped[float] = column("Distance between columns")
    grid_y_mm: Mapped[float] = column("Distance between rows")
    grid_z_mm: Mapped[float] = column("Distance between frames")
    grid_columns: Mapped[int] = column("Number of columns")
    grid_rows: Mapped[int] = column("Number of rows")
    grid_frames: Mapped[int] = column("Number of frames")
    max_gy: Mapped[float] = column("Maximum of the grid")
    dvh_reason: Mapped[str | None] = column("Why there are no DVHs of this dose; empty if there are")
    notes: Mapped[list[str]] = column("What was repaired or is unusual", JSON, default=list)
    study: Mapped[Study] = relationship(back_populates="doses")
    dvhs: Mapped[list[DoseVolumeHistogram]] = relationship(back_populates="dose", passive_deletes=True)


class DoseVolumeHistogram(Base):
    """The dose in one structure: exact moments, and the cumulative curve in bins of 1 cGy."""

    __tablename__ = "dvhs"
    __table_args__ = (UniqueConstraint("dose_id", "structure_id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    dose_id: Mapped[int] = parent("doses", "Dose")
    structure_id: Mapped[int] = parent("structures", "Structure")
    volume_cc: Mapped[float | None] = column("Volume of the structure in cm3")
    volume_outside_dose_cc: Mapped[float | None] = column("Part of it beyond the dose grid, whose dose is unknown")
    min_gy: Mapped[float | None] = column("Minimum dose, before binning")
    max_gy: Mapped[float | None] = column("Maximum dose, before binning")
    mean_gy: Mapped[float | None] = column("Mean dose, before binning")
    sd_gy: Mapped[float | None] = column("Standard deviation of the dose, before binning")
    median_gy: Mapped[float | None] = column("Dose to the hotter half, before binning")
    integral_dose_gy_cc: Mapped[float | None] = column("Mean dose times the volume that has a dose")
    bin_width_gy: Mapped[float | None] = column("Width of a bin of the curve")
    cumulative_volume_cc: Mapped[bytes | None] = column(
        "zlib of little-endian float32: volume in cm3 that gets at least k bin widths, k = 0, 1, ...", LargeBinary
    )
    reason: Mapped[str | None] = column("Why there is no DVH; empty if there is one")
    warnings: Mapped[list[str]] = column("What a reader of the numbers must know", JSON, default=list)
    engine: Mapped[str] = column("Name and version of what computed the numbers")
    engine_settings: Mapped[dict[str, Any]] = column("Its settings", JSON)
    dose_sha256: Mapped[str] = column("SHA-256 of the dose file")
    structure_set_sha256: Mapped[str] = column("SHA-256 of the structure set file")
    dose: Mapped[Dose] = relationship(back_populates="dvhs")
    structure: Mapped[Structure] = relationship(back_populates="dvhs")
    endpoints: Mapped[list[Endpoint]] = relationship(back_populates="dvh", passive_deletes=True)
