"""Plans, fraction groups, prescriptions, beams and control points."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING

from sqlalchemy import JSON, DateTime, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from intrepid_cohort.schema.base import Base, column, parent

if TYPE_CHECKING:
    from intrepid_cohort.schema.identity import Study


class Plan(Base):
    """One RTPLAN or RT ION PLAN object."""

    __tablename__ = "plans"
    __table_args__ = (UniqueConstraint("study_id", "sop_instance_uid"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = parent("studies", "Study")
    sop_instance_uid: Mapped[str] = column("SOPInstanceUID (0008,0018)", index=True)
    file_sha256: Mapped[str] = column("SHA-256 of the file it was read from")
    rt_plan_label: Mapped[str | None] = column("RTPlanLabel (300A,0002)", index=True)
    rt_plan_name: Mapped[str | None] = column("RTPlanName (300A,0003)")
    rt_plan_timestamp: Mapped[datetime | None] = column(
        "RTPlanDate and RTPlanTime (300A,0006 and 0007), local time as stated", DateTime
    )
    plan_intent: Mapped[str | None] = column("PlanIntent (300A,000A)")
    approval_status: Mapped[str | None] = column("ApprovalStatus (300E,0002)")
    age_at_study_date_years: Mapped[int | None] = column("Completed years from PatientBirthDate to StudyDate")
    is_baseline: Mapped[bool | None] = column("Whether this is the baseline plan; set by a person, never by an import")
    physician: Mapped[str | None] = column("PhysiciansOfRecord (0008,1048), else ReferringPhysicianName (0008,0090)")
    sim_study_date: Mapped[date | None] = column("Date of the planning image series")
    structure_set_timestamp: Mapped[datetime | None] = column("Time of the structure set it references", DateTime)
    dose_timestamp: Mapped[datetime | None] = column("Creation of the plan dose", DateTime)
    dose_grid_x_mm: Mapped[float | None] = column("Resolution of the plan dose along its columns")
    dose_grid_y_mm: Mapped[float | None] = column("Resolution of the plan dose along its rows")
    dose_grid_z_mm: Mapped[float | None] = column("Resolution of the plan dose along its frames")
    tissue_heterogeneity_correction: Mapped[str | None] = column(
        "TissueHeterogeneityCorrection (3004,0014) of the plan dose: IMAGE, ROI_OVERRIDE, WATER"
    )
    fractions_planned: Mapped[int | None] = column("NumberOfFractionsPlanned (300A,0078); empty if several groups")
    prescription_dose_gy: Mapped[float | None] = column(
        "Highest TargetPrescriptionDose (300A,0026), to a point only if to no volume or site"
    )
    meterset_mu: Mapped[float | None] = column("Sum of BeamMeterset (300A,0086) of the treatment beams, one fraction")
    patient_position: Mapped[str | None] = column("PatientPosition (0018,5100): the patient's orientation")
    treatment_modality: Mapped[str | None] = column("Kind of radiation and technique, from all beams")
    treatment_sites: Mapped[str | None] = column("TreatmentSites (3010,0077) or TreatmentSite; empty if not stated")
    treatment_time_s: Mapped[float | None] = column("Brachytherapy: sum of ChannelTotalTime (300A,0286)")
    manufacturer: Mapped[str | None] = column("Manufacturer (0008,0070) of the planning system")
    manufacturer_model_name: Mapped[str | None] = column("ManufacturerModelName (0008,1090): planning software")
    software_versions: Mapped[str | None] = column("SoftwareVersions (0018,1020) of the planning software")
    institution_name: Mapped[str | None] = column("InstitutionName (0008,0080)")
    planning_system: Mapped[str | None] = column("Eclipse, Oncentra or Pinnacle, where it was recognised")
    frame_of_reference_uid: Mapped[str | None] = column("FrameOfReferenceUID (0020,0052)")
    referenced_structure_set_uid: Mapped[str | None] = column("Structure set it was planned on", index=True)
    notes: Mapped[list[str]] = column("What is missing, was concluded or is unusual", JSON, default=list)
    study: Mapped[Study] = relationship(back_populates="plans")
    fraction_groups: Mapped[list[FractionGroup]] = relationship(back_populates="plan", passive_deletes=True)
    prescriptions: Mapped[list[Prescription]] = relationship(back_populates="plan", passive_deletes=True)
    beams: Mapped[list[Beam]] = relationship(back_populates="plan", passive_deletes=True)


class FractionGroup(Base):
    """One fraction group of a plan."""

    __tablename__ = "fraction_groups"
    __table_args__ = (UniqueConstraint("plan_id", "fraction_group_number"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    plan_id: Mapped[int] = parent("plans", "Plan")
    fraction_group_number: Mapped[int] = column("FractionGroupNumber (300A,0071)")
    fraction_group_description: Mapped[str | None] = column("FractionGroupDescription (300A,0072): the group's name")
    number_of_fractions_planned: Mapped[int | None] = column("NumberOfFractionsPlanned (300A,0078)")
    number_of_beams: Mapped[int | None] = column("NumberOfBeams (300A,0080)")
    number_of_brachy_application_setups: Mapped[int | None] = column("NumberOfBrachyApplicationSetups (300A,00A0)")
    plan: Mapped[Plan] = relationship(back_populates="fraction_groups")


class Prescription(Base):
    """One dose reference of a fraction group that prescribes a dose."""

    __tablename__ = "prescriptions"
    __table_args__ = (UniqueConstraint("plan_id", "fraction_group_number", "dose_reference_number"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    plan_id: Mapped[int] = parent("plans", "Plan")
    fraction_group_number: Mapped[int] = column("FractionGroupNumber (300A,0071)")
    fraction_group_name: Mapped[str | None] = column("FractionGroupDescription (300A,0072)")
    fraction_group_count: Mapped[int] = column("Number of fraction groups of the plan")
    dose_reference_number: Mapped[int] = column("DoseReferenceNumber (300A,0012)")
    normalization_method: Mapped[str | None] = column("DoseReferenceStructureType (300A,0014): what the dose is set to")
    normalization_object: Mapped[str | None] = column("ROI name, else DoseReferenceDescription (300A,0016)")
    fractions: Mapped[int | None] = column("NumberOfFractionsPlanned (300A,0078)")
    fraction_dose_gy: Mapped[float | None] = column("Prescription dose over fractions, for a single fraction group")
    prescription_dose_gy: Mapped[float] = column("TargetPrescriptionDose (300A,0026)")
    prescription_percent: Mapped[float | None] = column(
        "Isodose to which the prescription refers; DICOM states none: from a point of Pinnacle"
    )
    plan: Mapped[Plan] = relationship(back_populates="prescriptions")


class Beam(Base):
    """One beam of a plan; angles in degrees after IEC 61217, over all its control points."""

    __tablename__ = "beams"
    __table_args__ = (UniqueConstraint("plan_id", "beam_number"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    plan_id: Mapped[int] = parent("plans", "Plan")
    beam_number: Mapped[int] = column("BeamNumber (300A,00C0)")
    beam_name: Mapped[str | None] = column("BeamName (300A,00C2)")
    beam_type: Mapped[str | None] = column("BeamType (300A,00C4)")
    radiation_type: Mapped[str | None] = column("RadiationType (300A,00C6)")
    treatment_delivery_type: Mapped[str | None] = column("TreatmentDeliveryType (300A,00CE)")
    treatment_machine_name: Mapped[str | None] = column("TreatmentMachineName (300A,00B2)")
    fraction_group_number: Mapped[int | None] = column("Fraction group that delivers it; empty if none or several")
    fraction_group_beam_count: Mapped[int | None] = column("Number of beams of that group")
    fractions: Mapped[int | None] = column("NumberOfFractionsPlanned (300A,0078) of that group")
    beam_dose_gy: Mapped[float | None] = column("BeamDose (300A,0084), one fraction")
    beam_meterset_mu: Mapped[float | None] = column("BeamMeterset (300A,0086), one fraction; only if in MU")
    control_point_count: Mapped[int] = column("Number of control points")
    mu_per_degree: Mapped[float | None] = column("Meterset over gantry travel, for arcs")
    mu_per_control_point: Mapped[float | None] = column("Meterset over control points")
    energy_min: Mapped[float | None] = column("Lowest NominalBeamEnergy (300A,0114): MV, for particles MeV (per u)")
    energy_max: Mapped[float | None] = column("Highest NominalBeamEnergy")
    gantry_angle_start_deg: Mapped[float | None] = column("GantryAngle (300A,011E), first control point")
    gantry_angle_end_deg: Mapped[float | None] = column("GantryAngle, last control point")
    gantry_angle_min_deg: Mapped[float | None] = column("Lowest gantry angle, 0 to 360")
    gantry_angle_max_deg: Mapped[float | None] = column("Highest gantry angle, 0 to 360")
    gantry_range_deg: Mapped[float | None] = column("Gantry travel; 0 for a static beam")
    gantry_rotation_direction: Mapped[str | None] = column("CW, CC, CW/CC or NONE")
    collimator_angle_start_deg: Mapped[float | None] = column("BeamLimitingDeviceAngle (300A,0120), first")
    collimator_angle_end_deg: Mapped[float | None] = column("BeamLimitingDeviceAngle, last")
    collimator_angle_min_deg: Mapped[float | None] = column("Lowest collimator angle, 0 to 360")
    collimator_angle_max_deg: Mapped[float | None] = column("Highest collimator angle, 0 to 360")
    collimator_range_deg: Mapped[float | None] = column("Collimator travel")
    collimator_rotation_direction: Mapped[str | None] = column("CW, CC, CW/CC or NONE")
    couch_angle_start_deg: Mapped[float | None] = column("PatientSupportAngle (300A,0122), first")
    couch_angle_end_deg: Mapped[float | None] = column("PatientSupportAngle, last")
    couch_angle_min_deg: Mapped[float | None] = column("Lowest couch angle, 0 to 360")
    couch_angle_max_deg: Mapped[float | None] = column("Highest couch angle, 0 to 360")
    couch_range_deg: Mapped[float | None] = column("Couch travel")
    couch_rotation_direction: Mapped[str | None] = column("CW, CC, CW/CC or NONE")
    isocentre_x_mm: Mapped[float | None] = column("IsocenterPosition (300A,012C), LPS x; empty if it moves")
    isocentre_y_mm: Mapped[float | None] = column("The same, LPS y")
    isocentre_z_mm: Mapped[float | None] = column("The same, LPS z")
    ssd_mean_mm: Mapped[float | None] = column("SourceToSurfaceDistance (300A,0130), mean over control points")
    scan_mode: Mapped[str | None] = column("ScanMode (300A,0308)")
    scan_spot_count: Mapped[int | None] = column("Sum of NumberOfScanSpotPositions (300A,0392)")
    mlc_area_mean_cm2: Mapped[float | None] = column("Open area between leaves within the jaws, mean by meterset")
    mlc_perimeter_mean_mm: Mapped[float | None] = column("Outline of the open area, mean by meterset")
    edge_metric_per_mm: Mapped[float | None] = column(
        "Leaf side edges over open area, mean by meterset (Younge et al., doi 10.1118/1.4762566)"
    )
    modulation_complexity_score: Mapped[float | None] = column(
        "0 to 1, 1 for an open field (McNiven et al., doi 10.1118/1.3276775; arcs: Masi et al., 10.1118/1.4810969)"
    )
    complexity_reason: Mapped[str | None] = column("Why there is no complexity; empty if there is")
    plan: Mapped[Plan] = relationship(back_populates="beams")
    control_points: Mapped[list[ControlPoint]] = relationship(back_populates="beam", passive_deletes=True)


class ControlPoint(Base):
    """One control point, inherited values filled in."""

    __tablename__ = "control_points"
    __table_args__ = (UniqueConstraint("beam_id", "control_point_index"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    beam_id: Mapped[int] = parent("beams", "Beam")
    control_point_index: Mapped[int] = column("Place in the ControlPointSequence, from 0")
    cumulative_meterset_weight: Mapped[float | None] = column("CumulativeMetersetWeight (300A,0134)")
    meterset_mu: Mapped[float | None] = column("MU from this control point to the next")
    gantry_angle_deg: Mapped[float | None] = column("GantryAngle (300A,011E)")
    collimator_angle_deg: Mapped[float | None] = column("BeamLimitingDeviceAngle (300A,0120)")
    couch_angle_deg: Mapped[float | None] = column("PatientSupportAngle (300A,0122)")
    nominal_beam_energy: Mapped[float | None] = column("NominalBeamEnergy (300A,0114)")
    mlc_area_cm2: Mapped[float | None] = column("Open area between leaves within the jaws at the isocentre plane")
    mlc_perimeter_mm: Mapped[float | None] = column("Length of the outline of the open area")
    edge_metric_per_mm: Mapped[float | None] = column("Leaf side edges over open area")
    beam: Mapped[Beam] = relationship(back_populates="control_points")
