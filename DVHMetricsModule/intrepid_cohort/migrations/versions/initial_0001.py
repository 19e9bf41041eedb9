"""The first version of the tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create all tables."""
    op.create_table(
        "jobs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("arguments", sa.JSON(), nullable=False),
        sa.Column("software_version", sa.String(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("result", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
    )
    op.create_table(
        "patients",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("pseudonym", sa.String(), nullable=False),
        sa.Column("centre", sa.String(), nullable=False),
        sa.Column("patient_sex", sa.String(), nullable=True),
        sa.Column("patient_birth_date", sa.Date(), nullable=True),
        sa.Column("content_digest", sa.String(), nullable=True),
        sa.Column("notes", sa.JSON(), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patients")),
        sa.UniqueConstraint("pseudonym", name=op.f("uq_patients_pseudonym")),
    )
    op.create_index(op.f("ix_patients_centre"), "patients", ["centre"], unique=False)
    op.create_table(
        "settings",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_settings")),
    )
    op.create_table(
        "files",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("centre", sa.String(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("modified_ns", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("patient_id", sa.Integer(), nullable=True),
        sa.Column("modality", sa.String(), nullable=False),
        sa.Column("sop_class_uid", sa.String(), nullable=False),
        sa.Column("sop_instance_uid", sa.String(), nullable=False),
        sa.Column("study_instance_uid", sa.String(), nullable=False),
        sa.Column("series_instance_uid", sa.String(), nullable=False),
        sa.Column("header", sa.JSON(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("indexed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.id"], name=op.f("fk_files_patient_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_files")),
        sa.UniqueConstraint("path", name=op.f("uq_files_path")),
    )
    op.create_index(op.f("ix_files_patient_id"), "files", ["patient_id"], unique=False)
    op.create_index(op.f("ix_files_sha256"), "files", ["sha256"], unique=False)
    op.create_index(op.f("ix_files_sop_instance_uid"), "files", ["sop_instance_uid"], unique=False)
    op.create_index(op.f("ix_files_status"), "files", ["status"], unique=False)
    op.create_table(
        "studies",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("patient_id", sa.Integer(), nullable=False),
        sa.Column("study_instance_uid", sa.String(), nullable=False),
        sa.Column("study_date", sa.Date(), nullable=True),
        sa.Column("study_description", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patients.id"], name=op.f("fk_studies_patient_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_studies")),
        sa.UniqueConstraint("patient_id", "study_instance_uid", name=op.f("uq_studies_patient_id_study_instance_uid")),
    )
    op.create_index(op.f("ix_studies_patient_id"), "studies", ["patient_id"], unique=False)
    op.create_index(op.f("ix_studies_study_instance_uid"), "studies", ["study_instance_uid"], unique=False)
    op.create_table(
        "doses",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("sop_instance_uid", sa.String(), nullable=False),
        sa.Column("file_sha256", sa.String(), nullable=False),
        sa.Column("referenced_plan_uid", sa.String(), nullable=True),
        sa.Column("referenced_beam_number", sa.Integer(), nullable=True),
        sa.Column("referenced_structure_set_uid", sa.String(), nullable=True),
        sa.Column("dose_summation_type", sa.String(), nullable=False),
        sa.Column("dose_type", sa.String(), nullable=False),
        sa.Column("dose_comment", sa.String(), nullable=True),
        sa.Column("tissue_heterogeneity_correction", sa.String(), nullable=True),
        sa.Column("dose_timestamp", sa.DateTime(), nullable=True),
        sa.Column("frame_of_reference_uid", sa.String(), nullable=False),
        sa.Column("grid_x_mm", sa.Double(), nullable=False),
        sa.Column("grid_y_mm", sa.Double(), nullable=False),
        sa.Column("grid_z_mm", sa.Double(), nullable=False),
        sa.Column("grid_columns", sa.Integer(), nullable=False),
        sa.Column("grid_rows", sa.Integer(), nullable=False),
        sa.Column("grid_frames", sa.Integer(), nullable=False),
        sa.Column("max_gy", sa.Double(), nullable=False),
        sa.Column("dvh_reason", sa.String(), nullable=True),
        sa.Column("notes", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], name=op.f("fk_doses_study_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_doses")),
        sa.UniqueConstraint("study_id", "sop_instance_uid", name=op.f("uq_doses_study_id_sop_instance_uid")),
    )
    op.create_index(op.f("ix_doses_referenced_plan_uid"), "doses", ["referenced_plan_uid"], unique=False)
    op.create_index(op.f("ix_doses_sop_instance_uid"), "doses", ["sop_instance_uid"], unique=False)
    op.create_index(op.f("ix_doses_study_id"), "doses", ["study_id"], unique=False)
    op.create_table(
        "plans",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("sop_instance_uid", sa.String(), nullable=False),
        sa.Column("file_sha256", sa.String(), nullable=False),
        sa.Column("rt_plan_label", sa.String(), nullable=True),
        sa.Column("rt_plan_name", sa.String(), nullable=True),
        sa.Column("rt_plan_timestamp", sa.DateTime(), nullable=True),
        sa.Column("plan_intent", sa.String(), nullable=True),
        sa.Column("approval_status", sa.String(), nullable=True),
        sa.Column("age_at_study_date_years", sa.Integer(), nullable=True),
        sa.Column("is_baseline", sa.Boolean(), nullable=True),
        sa.Column("physician", sa.String(), nullable=True),
        sa.Column("sim_study_date", sa.Date(), nullable=True),
        sa.Column("structure_set_timestamp", sa.DateTime(), nullable=True),
        sa.Column("dose_timestamp", sa.DateTime(), nullable=True),
        sa.Column("dose_grid_x_mm", sa.Double(), nullable=True),
        sa.Column("dose_grid_y_mm", sa.Double(), nullable=True),
        sa.Column("dose_grid_z_mm", sa.Double(), nullable=True),
        sa.Column("tissue_heterogeneity_correction", sa.String(), nullable=True),
        sa.Column("fractions_planned", sa.Integer(), nullable=True),
        sa.Column("prescription_dose_gy", sa.Double(), nullable=True),
        sa.Column("meterset_mu", sa.Double(), nullable=True),
        sa.Column("patient_position", sa.String(), nullable=True),
        sa.Column("treatment_modality", sa.String(), nullable=True),
        sa.Column("treatment_sites", sa.String(), nullable=True),
        sa.Column("treatment_time_s", sa.Double(), nullable=True),
        sa.Column("manufacturer", sa.String(), nullable=True),
        sa.Column("manufacturer_model_name", sa.String(), nullable=True),
        sa.Column("software_versions", sa.String(), nullable=True),
        sa.Column("institution_name", sa.String(), nullable=True),
        sa.Column("frame_of_reference_uid", sa.String(), nullable=True),
        sa.Column("referenced_structure_set_uid", sa.String(), nullable=True),
        sa.Column("notes", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], name=op.f("fk_plans_study_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plans")),
        sa.UniqueConstraint("study_id", "sop_instance_uid", name=op.f("uq_plans_study_id_sop_instance_uid")),
    )
    op.create_index(
        op.f("ix_plans_referenced_structure_set_uid"), "plans", ["referenced_structure_set_uid"], unique=False
    )
    op.create_index(op.f("ix_plans_rt_plan_label"), "plans", ["rt_plan_label"], unique=False)
    op.create_index(op.f("ix_plans_sop_instance_uid"), "plans", ["sop_instance_uid"], unique=False)
    op.create_index(op.f("ix_plans_study_id"), "plans", ["study_id"], unique=False)
    op.create_table(
        "series",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("series_instance_uid", sa.String(), nullable=False),
        sa.Column("frame_of_reference_uid", sa.String(), nullable=False),
        sa.Column("modality", sa.String(), nullable=False),
        sa.Column("image_count", sa.Integer(), nullable=False),
        sa.Column("acquisition_date", sa.Date(), nullable=True),
        sa.Column("manufacturer", sa.String(), nullable=True),
        sa.Column("manufacturer_model_name", sa.String(), nullable=True),
        sa.Column("software_versions", sa.String(), nullable=True),
        sa.Column("institution_name", sa.String(), nullable=True),
        sa.Column("kvp_kv", sa.Double(), nullable=True),
        sa.Column("slice_thickness_mm", sa.Double(), nullable=True),
        sa.Column("row_spacing_mm", sa.Double(), nullable=True),
        sa.Column("column_spacing_mm", sa.Double(), nullable=True),
        sa.Column("patient_position", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], name=op.f("fk_series_study_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_series")),
        sa.UniqueConstraint(
            "study_id",
            "series_instance_uid",
            "frame_of_reference_uid",
            name=op.f("uq_series_study_id_series_instance_uid_frame_of_reference_uid"),
        ),
    )
    op.create_index(op.f("ix_series_series_instance_uid"), "series", ["series_instance_uid"], unique=False)
    op.create_index(op.f("ix_series_study_id"), "series", ["study_id"], unique=False)
    op.create_table(
        "structure_sets",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("sop_instance_uid", sa.String(), nullable=False),
        sa.Column("file_sha256", sa.String(), nullable=False),
        sa.Column("structure_set_label", sa.String(), nullable=True),
        sa.Column("structure_set_name", sa.String(), nullable=True),
        sa.Column("structure_set_timestamp", sa.DateTime(), nullable=True),
        sa.Column("approval_status", sa.String(), nullable=True),
        sa.Column("manufacturer", sa.String(), nullable=True),
        sa.Column("manufacturer_model_name", sa.String(), nullable=True),
        sa.Column("software_versions", sa.String(), nullable=True),
        sa.Column("frame_of_reference_uid", sa.String(), nullable=False),
        sa.Column("referenced_series_uid", sa.String(), nullable=False),
        sa.Column("ptv_roi_numbers", sa.JSON(), nullable=False),
        sa.Column("notes", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["study_id"], ["studies.id"], name=op.f("fk_structure_sets_study_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_structure_sets")),
        sa.UniqueConstraint("study_id", "sop_instance_uid", name=op.f("uq_structure_sets_study_id_sop_instance_uid")),
    )
    op.create_index(op.f("ix_structure_sets_sop_instance_uid"), "structure_sets", ["sop_instance_uid"], unique=False)
    op.create_index(op.f("ix_structure_sets_study_id"), "structure_sets", ["study_id"], unique=False)
    op.create_table(
        "beams",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("plan_id", sa.Integer(), nullable=False),
        sa.Column("beam_number", sa.Integer(), nullable=False),
        sa.Column("beam_name", sa.String(), nullable=True),
        sa.Column("beam_type", sa.String(), nullable=True),
        sa.Column("radiation_type", sa.String(), nullable=True),
        sa.Column("treatment_delivery_type", sa.String(), nullable=True),
        sa.Column("treatment_machine_name", sa.String(), nullable=True),
        sa.Column("fraction_group_number", sa.Integer(), nullable=True),
        sa.Column("fraction_group_beam_count", sa.Integer(), nullable=True),
        sa.Column("fractions", sa.Integer(), nullable=True),
        sa.Column("beam_dose_gy", sa.Double(), nullable=True),
        sa.Column("beam_meterset_mu", sa.Double(), nullable=True),
        sa.Column("control_point_count", sa.Integer(), nullable=False),
        sa.Column("mu_per_degree", sa.Double(), nullable=True),
        sa.Column("mu_per_control_point", sa.Double(), nullable=True),
        sa.Column("energy_min", sa.Double(), nullable=True),
        sa.Column("energy_max", sa.Double(), nullable=True),
        sa.Column("gantry_angle_start_deg", sa.Double(), nullable=True),
        sa.Column("gantry_angle_end_deg", sa.Double(), nullable=True),
        sa.Column("gantry_angle_min_deg", sa.Double(), nullable=True),
        sa.Column("gantry_angle_max_deg", sa.Double(), nullable=True),
        sa.Column("gantry_range_deg", sa.Double(), nullable=True),
        sa.Column("gantry_rotation_direction", sa.String(), nullable=True),
        sa.Column("collimator_angle_start_deg", sa.Double(), nullable=True),
        sa.Column("collimator_angle_end_deg", sa.Double(), nullable=True),
        sa.Column("collimator_angle_min_deg", sa.Double(), nullable=True),
        sa.Column("collimator_angle_max_deg", sa.Double(), nullable=True),
        sa.Column("collimator_range_deg", sa.Double(), nullable=True),
        sa.Column("collimator_rotation_direction", sa.String(), nullable=True),
        sa.Column("couch_angle_start_deg", sa.Double(), nullable=True),
        sa.Column("couch_angle_end_deg", sa.Double(), nullable=True),
        sa.Column("couch_angle_min_deg", sa.Double(), nullable=True),
        sa.Column("couch_angle_max_deg", sa.Double(), nullable=True),
        sa.Column("couch_range_deg", sa.Double(), nullable=True),
        sa.Column("couch_rotation_direction", sa.String(), nullable=True),
        sa.Column("isocentre_x_mm", sa.Double(), nullable=True),
        sa.Column("isocentre_y_mm", sa.Double(), nullable=True),
        sa.Column("isocentre_z_mm", sa.Double(), nullable=True),
        sa.Column("ssd_mean_mm", sa.Double(), nullable=True),
        sa.Column("scan_mode", sa.String(), nullable=True),
        sa.Column("scan_spot_count", sa.Integer(), nullable=True),
        sa.Column("mlc_area_mean_cm2", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_beams_plan_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_beams")),
        sa.UniqueConstraint("plan_id", "beam_number", name=op.f("uq_beams_plan_id_beam_number")),
    )
    op.create_index(op.f("ix_beams_plan_id"), "beams", ["plan_id"], unique=False)
    op.create_table(
        "fraction_groups",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("plan_id", sa.Integer(), nullable=False),
        sa.Column("fraction_group_number", sa.Integer(), nullable=False),
        sa.Column("fraction_group_description", sa.String(), nullable=True),
        sa.Column("number_of_fractions_planned", sa.Integer(), nullable=True),
        sa.Column("number_of_beams", sa.Integer(), nullable=True),
        sa.Column("number_of_brachy_application_setups", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_fraction_groups_plan_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fraction_groups")),
        sa.UniqueConstraint(
            "plan_id", "fraction_group_number", name=op.f("uq_fraction_groups_plan_id_fraction_group_number")
        ),
    )
    op.create_index(op.f("ix_fraction_groups_plan_id"), "fraction_groups", ["plan_id"], unique=False)
    op.create_table(
        "prescriptions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("plan_id", sa.Integer(), nullable=False),
        sa.Column("fraction_group_number", sa.Integer(), nullable=False),
        sa.Column("fraction_group_name", sa.String(), nullable=True),
        sa.Column("fraction_group_count", sa.Integer(), nullable=False),
        sa.Column("dose_reference_number", sa.Integer(), nullable=False),
        sa.Column("normalization_method", sa.String(), nullable=True),
        sa.Column("normalization_object", sa.String(), nullable=True),
        sa.Column("fractions", sa.Integer(), nullable=True),
        sa.Column("fraction_dose_gy", sa.Double(), nullable=True),
        sa.Column("prescription_dose_gy", sa.Double(), nullable=False),
        sa.Column("prescription_percent", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_prescriptions_plan_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prescriptions")),
        sa.UniqueConstraint(
            "plan_id",
            "fraction_group_number",
            "dose_reference_number",
            name=op.f("uq_prescriptions_plan_id_fraction_group_number_dose_reference_number"),
        ),
    )
    op.create_index(op.f("ix_prescriptions_plan_id"), "prescriptions", ["plan_id"], unique=False)
    op.create_table(
        "structures",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("structure_set_id", sa.Integer(), nullable=False),
        sa.Column("roi_number", sa.Integer(), nullable=False),
        sa.Column("roi_name", sa.String(), nullable=False),
        sa.Column("rt_roi_interpreted_type", sa.String(), nullable=True),
        sa.Column("institutional_category", sa.String(), nullable=True),
        sa.Column("physician_category", sa.String(), nullable=True),
        sa.Column("contour_count", sa.Integer(), nullable=False),
        sa.Column("volume_cc", sa.Double(), nullable=True),
        sa.Column("centroid_x_mm", sa.Double(), nullable=True),
        sa.Column("centroid_y_mm", sa.Double(), nullable=True),
        sa.Column("centroid_z_mm", sa.Double(), nullable=True),
        sa.Column("spread_x_mm", sa.Double(), nullable=True),
        sa.Column("spread_y_mm", sa.Double(), nullable=True),
        sa.Column("spread_z_mm", sa.Double(), nullable=True),
        sa.Column("cross_section_max_cm2", sa.Double(), nullable=True),
        sa.Column("cross_section_median_cm2", sa.Double(), nullable=True),
        sa.Column("surface_area_cm2", sa.Double(), nullable=True),
        sa.Column("geometry_reason", sa.String(), nullable=True),
        sa.Column("geometry_warnings", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["structure_set_id"], ["structure_sets.id"], name=op.f("fk_structures_structure_set_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_structures")),
        sa.UniqueConstraint("structure_set_id", "roi_number", name=op.f("uq_structures_structure_set_id_roi_number")),
    )
    op.create_index(op.f("ix_structures_roi_name"), "structures", ["roi_name"], unique=False)
    op.create_index(
        op.f("ix_structures_rt_roi_interpreted_type"), "structures", ["rt_roi_interpreted_type"], unique=False
    )
    op.create_index(op.f("ix_structures_structure_set_id"), "structures", ["structure_set_id"], unique=False)
    op.create_table(
        "control_points",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("beam_id", sa.Integer(), nullable=False),
        sa.Column("control_point_index", sa.Integer(), nullable=False),
        sa.Column("cumulative_meterset_weight", sa.Double(), nullable=True),
        sa.Column("meterset_mu", sa.Double(), nullable=True),
        sa.Column("gantry_angle_deg", sa.Double(), nullable=True),
        sa.Column("collimator_angle_deg", sa.Double(), nullable=True),
        sa.Column("couch_angle_deg", sa.Double(), nullable=True),
        sa.Column("nominal_beam_energy", sa.Double(), nullable=True),
        sa.Column("mlc_area_cm2", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["beam_id"], ["beams.id"], name=op.f("fk_control_points_beam_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_control_points")),
        sa.UniqueConstraint(
            "beam_id", "control_point_index", name=op.f("uq_control_points_beam_id_control_point_index")
        ),
    )
    op.create_index(op.f("ix_control_points_beam_id"), "control_points", ["beam_id"], unique=False)
    op.create_table(
        "dvhs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("dose_id", sa.Integer(), nullable=False),
        sa.Column("structure_id", sa.Integer(), nullable=False),
        sa.Column("volume_cc", sa.Double(), nullable=True),
        sa.Column("volume_outside_dose_cc", sa.Double(), nullable=True),
        sa.Column("min_gy", sa.Double(), nullable=True),
        sa.Column("max_gy", sa.Double(), nullable=True),
        sa.Column("mean_gy", sa.Double(), nullable=True),
        sa.Column("sd_gy", sa.Double(), nullable=True),
        sa.Column("median_gy", sa.Double(), nullable=True),
        sa.Column("integral_dose_gy_cc", sa.Double(), nullable=True),
        sa.Column("bin_width_gy", sa.Double(), nullable=True),
        sa.Column("cumulative_volume_cc", sa.LargeBinary(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("warnings", sa.JSON(), nullable=False),
        sa.Column("engine", sa.String(), nullable=False),
        sa.Column("engine_settings", sa.JSON(), nullable=False),
        sa.Column("dose_sha256", sa.String(), nullable=False),
        sa.Column("structure_set_sha256", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["dose_id"], ["doses.id"], name=op.f("fk_dvhs_dose_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["structure_id"], ["structures.id"], name=op.f("fk_dvhs_structure_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dvhs")),
        sa.UniqueConstraint("dose_id", "structure_id", name=op.f("uq_dvhs_dose_id_structure_id")),
    )
    op.create_index(op.f("ix_dvhs_dose_id"), "dvhs", ["dose_id"], unique=False)
    op.create_index(op.f("ix_dvhs_structure_id"), "dvhs", ["structure_id"], unique=False)
    op.create_table(
        "structure_contours",
        sa.Column("structure_id", sa.Integer(), nullable=False),
        sa.Column("contours_lps_mm", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["structure_id"], ["structures.id"], name=op.f("fk_structure_contours_structure_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("structure_id", name=op.f("pk_structure_contours")),
    )
    op.create_table(
        "target_geometry",
        sa.Column("structure_id", sa.Integer(), nullable=False),
        sa.Column("ptv_overlap_cc", sa.Double(), nullable=False),
        sa.Column("ptv_distance_min_mm", sa.Double(), nullable=False),
        sa.Column("ptv_distance_q25_mm", sa.Double(), nullable=False),
        sa.Column("ptv_distance_median_mm", sa.Double(), nullable=False),
        sa.Column("ptv_distance_mean_mm", sa.Double(), nullable=False),
        sa.Column("ptv_distance_q75_mm", sa.Double(), nullable=False),
        sa.Column("ptv_distance_max_mm", sa.Double(), nullable=False),
        sa.Column("ptv_centroid_distance_mm", sa.Double(), nullable=False),
        sa.Column("overlap_volume_histogram", sa.JSON(), nullable=False),
        sa.Column("distance_to_target_histogram", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["structure_id"], ["structures.id"], name=op.f("fk_target_geometry_structure_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("structure_id", name=op.f("pk_target_geometry")),
    )


def downgrade() -> None:
    """Drop all tables."""
    op.drop_table("target_geometry")
    op.drop_table("structure_contours")
    op.drop_index(op.f("ix_dvhs_structure_id"), table_name="dvhs")
    op.drop_index(op.f("ix_dvhs_dose_id"), table_name="dvhs")
    op.drop_table("dvhs")
    op.drop_index(op.f("ix_control_points_beam_id"), table_name="control_points")
    op.drop_table("control_points")
    op.drop_index(op.f("ix_structures_structure_set_id"), table_name="structures")
    op.drop_index(op.f("ix_structures_rt_roi_interpreted_type"), table_name="structures")
    op.drop_index(op.f("ix_structures_roi_name"), table_name="structures")
    op.drop_table("structures")
    op.drop_index(op.f("ix_prescriptions_plan_id"), table_name="prescriptions")
    op.drop_table("prescriptions")
    op.drop_index(op.f("ix_fraction_groups_plan_id"), table_name="fraction_groups")
    op.drop_table("fraction_groups")
    op.drop_index(op.f("ix_beams_plan_id"), table_name="beams")
    op.drop_table("beams")
    op.drop_index(op.f("ix_structure_sets_study_id"), table_name="structure_sets")
    op.drop_index(op.f("ix_structure_sets_sop_instance_uid"), table_name="structure_sets")
    op.drop_table("structure_sets")
    op.drop_index(op.f("ix_series_study_id"), table_name="series")
    op.drop_index(op.f("ix_series_series_instance_uid"), table_name="series")
    op.drop_table("series")
    op.drop_index(op.f("ix_plans_study_id"), table_name="plans")
    op.drop_index(op.f("ix_plans_sop_instance_uid"), table_name="plans")
    op.drop_index(op.f("ix_plans_rt_plan_label"), table_name="plans")
    op.drop_index(op.f("ix_plans_referenced_structure_set_uid"), table_name="plans")
    op.drop_table("plans")
    op.drop_index(op.f("ix_doses_study_id"), table_name="doses")
    op.drop_index(op.f("ix_doses_sop_instance_uid"), table_name="doses")
    op.drop_index(op.f("ix_doses_referenced_plan_uid"), table_name="doses")
    op.drop_table("doses")
    op.drop_index(op.f("ix_studies_study_instance_uid"), table_name="studies")
    op.drop_index(op.f("ix_studies_patient_id"), table_name="studies")
    op.drop_table("studies")
    op.drop_index(op.f("ix_files_status"), table_name="files")
    op.drop_index(op.f("ix_files_sop_instance_uid"), table_name="files")
    op.drop_index(op.f("ix_files_sha256"), table_name="files")
    op.drop_index(op.f("ix_files_patient_id"), table_name="files")
    op.drop_table("files")
    op.drop_table("settings")
    op.drop_index(op.f("ix_patients_centre"), table_name="patients")
    op.drop_table("patients")
    op.drop_table("jobs")
