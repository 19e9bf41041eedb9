"""Structure sets, structures and their geometry."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import JSON, DateTime, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from intrepid_cohort.schema.base import Base, column, parent

if TYPE_CHECKING:
    from intrepid_cohort.schema.dose import DoseVolumeHistogram
    from intrepid_cohort.schema.identity import Study


class StructureSet(Base):
    """One RTSTRUCT object."""

    __tablename__ = "structure_sets"
    __table_args__ = (UniqueConstraint("study_id", "sop_instance_uid"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = parent("studies", "Study")
    sop_instance_uid: Mapped[str] = column("SOPInstanceUID (0008,0018)", index=True)
    file_sha256: Mapped[str] = column("SHA-256 of the file it was read from")
    structure_set_label: Mapped[str | None] = column("StructureSetLabel (3006,0002)")
    structure_set_name: Mapped[str | None] = column("StructureSetName (3006,0004)")
    structure_set_timestamp: Mapped[datetime | None] = column(
        "StructureSetDate and StructureSetTime (3006,0008 and 0009), local time as stated", DateTime
    )
    approval_status: Mapped[str | None] = column("ApprovalStatus (300E,0002)")
    manufacturer: Mapped[str | None] = column("Manufacturer (0008,0070)")
    manufacturer_model_name: Mapped[str | None] = column("ManufacturerModelName (0008,1090)")
    software_versions: Mapped[str | None] = column("SoftwareVersions (0018,1020)")
    planning_system: Mapped[str | None] = column("Eclipse, Oncentra or Pinnacle, where it was recognised")
    frame_of_reference_uid: Mapped[str] = column("FrameOfReferenceUID of its ROIs")
    referenced_series_uid: Mapped[str] = column("Series on which it was drawn; empty if not stated")
    missing_image_count: Mapped[int | None] = column("Images it names that were not imported; empty if it names none")
    ptv_roi_numbers: Mapped[list[int]] = column("ROI numbers whose union is the total PTV", JSON, default=list)
    notes: Mapped[list[str]] = column("What was left out, is unusual or went wrong", JSON, default=list)
    study: Mapped[Study] = relationship(back_populates="structure_sets")
    structures: Mapped[list[Structure]] = relationship(back_populates="structure_set", passive_deletes=True)


class Structure(Base):
    """One ROI, with its geometry as a pile of prisms (each contour up to half way to its neighbours)."""

    __tablename__ = "structures"
    __table_args__ = (UniqueConstraint("structure_set_id", "roi_number"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    structure_set_id: Mapped[int] = parent("structure_sets", "Structure set")
    roi_number: Mapped[int] = column("ROINumber (3006,0022)")
    roi_name: Mapped[str] = column("ROIName (3006,0026), as written", index=True)
    rt_roi_interpreted_type: Mapped[str | None] = column("RTROIInterpretedType (3006,00A4): the ROI type", index=True)
    institutional_category: Mapped[str | None] = column(
        "Name after TG-263, from the centre's mapping of names", index=True
    )
    physician_category: Mapped[str | None] = column("Name used by the physician, if a person gave one")
    contour_count: Mapped[int] = column("Number of closed contours")
    volume_cc: Mapped[float | None] = column("Volume in cm3")
    centroid_x_mm: Mapped[float | None] = column("Centroid, LPS x")
    centroid_y_mm: Mapped[float | None] = column("Centroid, LPS y")
    centroid_z_mm: Mapped[float | None] = column("Centroid, LPS z")
    spread_x_mm: Mapped[float | None] = column("Extent along LPS x")
    spread_y_mm: Mapped[float | None] = column("Extent along LPS y")
    spread_z_mm: Mapped[float | None] = column("Extent along LPS z, end caps included")
    cross_section_max_cm2: Mapped[float | None] = column("Largest area of a contour plane")
    cross_section_median_cm2: Mapped[float | None] = column("Median area of the contour planes")
    surface_area_cm2: Mapped[float | None] = column("Surface, with walls slanting from plane to plane")
    geometry_reason: Mapped[str | None] = column("Why there is no geometry")
    geometry_warnings: Mapped[list[str]] = column("What had to be decided about the contours", JSON, default=list)
    structure_set: Mapped[StructureSet] = relationship(back_populates="structures")
    contours: Mapped[StructureContours | None] = relationship(back_populates="structure", passive_deletes=True)
    target_geometry: Mapped[TargetGeometry | None] = relationship(back_populates="structure", passive_deletes=True)
    dvhs: Mapped[list[DoseVolumeHistogram]] = relationship(back_populates="structure", passive_deletes=True)


class StructureContours(Base):
    """The coordinates of a structure: in a table of their own, so that queries do not carry them along."""

    __tablename__ = "structure_contours"
    structure_id: Mapped[int] = parent("structures", "Structure", primary_key=True)
    contours_lps_mm: Mapped[bytes] = column(
        "zlib of little-endian int32 contour and point counts, then float32 x, y, z in LPS mm; see packing",
        LargeBinary,
    )
    structure: Mapped[Structure] = relationship(back_populates="contours")


class TargetGeometry(Base):
    """How a structure lies to the total PTV, the union of all PTVs of its structure set."""

    __tablename__ = "target_geometry"
    structure_id: Mapped[int] = parent("structures", "Structure", primary_key=True)
    ptv_overlap_cc: Mapped[float] = column("Volume common with the total PTV in cm3")
    ptv_distance_min_mm: Mapped[float] = column("Signed distance surface to PTV surface, negative inside: minimum")
    ptv_distance_q25_mm: Mapped[float] = column("The same: first quartile")
    ptv_distance_median_mm: Mapped[float] = column("The same: median")
    ptv_distance_mean_mm: Mapped[float] = column("The same: mean")
    ptv_distance_q75_mm: Mapped[float] = column("The same: third quartile")
    ptv_distance_max_mm: Mapped[float] = column("The same: maximum")
    ptv_centroid_distance_mm: Mapped[float] = column("Distance between the centroids of structure and total PTV")
    overlap_volume_histogram: Mapped[list[list[float]]] = column(
        "[distance mm, percent of the structure's volume at most that far from the PTV surface (inside < 0)]", JSON
    )
    distance_to_target_histogram: Mapped[list[list[float]]] = column(
        "[distance mm, percent of the structure's surface within 1 mm from there]", JSON
    )
    structure: Mapped[Structure] = relationship(back_populates="target_geometry")
