"""Treatments, collections, edits, names, delivered fractions and EPID results; complexity of beams."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the tables of curation and add its columns to those that exist."""
    op.create_table(
        "collections",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.Column("rules_sha256", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_collections")),
        sa.UniqueConstraint("name", name=op.f("uq_collections_name")),
    )
    op.create_table(
        "edits",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("edited_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("edited_by", sa.String(), nullable=False),
        sa.Column("job_id", sa.Integer(), nullable=True),
        sa.Column("pseudonym", sa.String(), nullable=True),
        sa.Column("table_name", sa.String(), nullable=False),
        sa.Column("row_key", sa.String(), nullable=False),
        sa.Column("column_name", sa.String(), nullable=False),
        sa.Column("old_value", sa.JSON(), nullable=True),
        sa.Column("new_value", sa.JSON(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("undoes", sa.Integer(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_edits")),
    )
    op.create_index(op.f("ix_edits_active"), "edits", ["active"], unique=False)
    op.create_index(op.f("ix_edits_job_id"), "edits", ["job_id"], unique=False)
    op.create_index(op.f("ix_edits_pseudonym"), "edits", ["pseudonym"], unique=False)
    op.create_table(
        "names",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("centre", sa.String(), nullable=False),
        sa.Column("roi_name", sa.String(), nullable=False),
        sa.Column("standard_name", sa.String(), nullable=True),
        sa.Column("category", sa.String(), nullable=True),
        sa.Column("target_dose_gy", sa.Double(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("confidence", sa.Double(), nullable=True),
        sa.Column("candidates", sa.JSON(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("structure_count", sa.Integer(), nullable=False),
        sa.Column("mapped_by", sa.String(), nullable=False),
        sa.Column("mapped_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_names")),
        sa.UniqueConstraint("centre", "roi_name", name=op.f("uq_names_centre_roi_name")),
    )
    op.create_index(op.f("ix_names_category"), "names", ["category"], unique=False)
    op.create_index(op.f("ix_names_centre"), "names", ["centre"], unique=False)
    op.create_index(op.f("ix_names_roi_name"), "names", ["roi_name"], unique=False)
    op.create_index(op.f("ix_names_standard_name"), "names", ["standard_name"], unique=False)
    op.create_index(op.f("ix_names_status"), "names", ["status"], unique=False)
    op.create_table(
        "delivered_fractions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("patient_id", sa.Integer(), nullable=False),
        sa.Column("plan_uid", sa.String(), nullable=False),
        sa.Column("fractions", sa.Double(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=True),
        sa.Column("last_day", sa.Date(), nullable=True),
        sa.Column("source", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patients.id"], name=op.f("fk_delivered_fractions_patient_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivered_fractions")),
        sa.UniqueConstraint("patient_id", "plan_uid", name=op.f("uq_delivered_fractions_patient_id_plan_uid")),
    )
    op.create_index(op.f("ix_delivered_fractions_patient_id"), "delivered_fractions", ["patient_id"], unique=False)
    op.create_index(op.f("ix_delivered_fractions_plan_uid"), "delivered_fractions", ["plan_uid"], unique=False)
    op.create_table(
        "epid_results",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("patient_id", sa.Integer(), nullable=False),
        sa.Column("plan_uid", sa.String(), nullable=False),
        sa.Column("course", sa.String(), nullable=True),
        sa.Column("fraction_number", sa.Integer(), nullable=True),
        sa.Column("treatment_date", sa.Date(), nullable=True),
        sa.Column("beam_number", sa.Integer(), nullable=False),
        sa.Column("beam_name", sa.String(), nullable=True),
        sa.Column("gamma_dose_percent", sa.Double(), nullable=False),
        sa.Column("gamma_distance_mm", sa.Double(), nullable=False),
        sa.Column("gamma_norm_gy", sa.Double(), nullable=True),
        sa.Column("gamma_cutoff_percent", sa.Double(), nullable=True),
        sa.Column("gamma_region", sa.String(), nullable=True),
        sa.Column("gamma_pass_rate_percent", sa.Double(), nullable=True),
        sa.Column("gamma_mean", sa.Double(), nullable=True),
        sa.Column("gamma_max", sa.Double(), nullable=True),
        sa.Column("gamma_points", sa.Integer(), nullable=True),
        sa.Column("gamma_reason", sa.String(), nullable=True),
        sa.Column("dose_ratio", sa.Double(), nullable=True),
        sa.Column("verdict", sa.String(), nullable=True),
        sa.Column("machine_profile", sa.String(), nullable=True),
        sa.Column("dose_unit", sa.String(), nullable=True),
        sa.Column("warnings", sa.JSON(), nullable=False),
        sa.Column("results_path", sa.String(), nullable=False),
        sa.Column("results_sha256", sa.String(), nullable=False),
        sa.Column("software_version", sa.String(), nullable=True),
        sa.Column("computed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patients.id"], name=op.f("fk_epid_results_patient_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_epid_results")),
        sa.UniqueConstraint(
            "results_sha256",
            "beam_number",
            "gamma_dose_percent",
            "gamma_distance_mm",
            name=op.f("uq_epid_results_results_sha256_beam_number_gamma_dose_percent_gamma_distance_mm"),
        ),
    )
    op.create_index(op.f("ix_epid_results_patient_id"), "epid_results", ["patient_id"], unique=False)
    op.create_index(op.f("ix_epid_results_plan_uid"), "epid_results", ["plan_uid"], unique=False)
    op.create_index(op.f("ix_epid_results_results_sha256"), "epid_results", ["results_sha256"], unique=False)
    op.create_table(
        "findings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("patient_id", sa.Integer(), nullable=False),
        sa.Column("collection", sa.String(), nullable=False),
        sa.Column("check_name", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patients.id"], name=op.f("fk_findings_patient_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_findings")),
        sa.UniqueConstraint(
            "patient_id",
            "collection",
            "check_name",
            "subject",
            name=op.f("uq_findings_patient_id_collection_check_name_subject"),
        ),
    )
    op.create_index(op.f("ix_findings_check_name"), "findings", ["check_name"], unique=False)
    op.create_index(op.f("ix_findings_patient_id"), "findings", ["patient_id"], unique=False)
    op.create_table(
        "treatments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("collection_id", sa.Integer(), nullable=False),
        sa.Column("patient_id", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("exclusion_step", sa.String(), nullable=True),
        sa.Column("exclusion_reason", sa.String(), nullable=True),
        sa.Column("main_plan_uid", sa.String(), nullable=True),
        sa.Column("main_plan_rule", sa.String(), nullable=True),
        sa.Column("laterality", sa.String(), nullable=True),
        sa.Column("laterality_evidence", sa.JSON(), nullable=False),
        sa.Column("prescription_dose_gy", sa.Double(), nullable=True),
        sa.Column("fractions_planned", sa.Integer(), nullable=True),
        sa.Column("fractions_delivered", sa.Double(), nullable=True),
        sa.Column("outside_factor", sa.Double(), nullable=True),
        sa.Column("dose_id", sa.Integer(), nullable=True),
        sa.Column("dose_reason", sa.String(), nullable=True),
        sa.Column("decisions", sa.JSON(), nullable=False),
        sa.Column("warnings", sa.JSON(), nullable=False),
        sa.Column("content_digest", sa.String(), nullable=False),
        sa.Column("curated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collections.id"], name=op.f("fk_treatments_collection_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patients.id"], name=op.f("fk_treatments_patient_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["dose_id"], ["doses.id"], name=op.f("fk_treatments_dose_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_treatments")),
        sa.UniqueConstraint("collection_id", "patient_id", name=op.f("uq_treatments_collection_id_patient_id")),
    )
    op.create_index(op.f("ix_treatments_dose_id"), "treatments", ["dose_id"], unique=False)
    op.create_index(op.f("ix_treatments_collection_id"), "treatments", ["collection_id"], unique=False)
    op.create_index(op.f("ix_treatments_main_plan_uid"), "treatments", ["main_plan_uid"], unique=False)
    op.create_index(op.f("ix_treatments_patient_id"), "treatments", ["patient_id"], unique=False)
    op.create_index(op.f("ix_treatments_status"), "treatments", ["status"], unique=False)
    op.create_table(
        "treatment_plans",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("treatment_id", sa.Integer(), nullable=False),
        sa.Column("plan_uid", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("fractions_planned", sa.Integer(), nullable=True),
        sa.Column("fractions_delivered", sa.Double(), nullable=True),
        sa.Column("fractions_source", sa.String(), nullable=True),
        sa.Column("dose_factor", sa.Double(), nullable=True),
        sa.Column("dose_uids", sa.JSON(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["treatment_id"], ["treatments.id"], name=op.f("fk_treatment_plans_treatment_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_treatment_plans")),
        sa.UniqueConstraint("treatment_id", "plan_uid", name=op.f("uq_treatment_plans_treatment_id_plan_uid")),
    )
    op.create_index(op.f("ix_treatment_plans_plan_uid"), "treatment_plans", ["plan_uid"], unique=False)
    op.create_index(op.f("ix_treatment_plans_treatment_id"), "treatment_plans", ["treatment_id"], unique=False)
    op.create_table(
        "treatment_records",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("sop_instance_uid", sa.String(), nullable=False),
        sa.Column("file_sha256", sa.String(), nullable=False),
        sa.Column("referenced_plan_uid", sa.String(), nullable=True),
        sa.Column("treatment_date", sa.Date(), nullable=True),
        sa.Column("fraction_group_number", sa.Integer(), nullable=True),
        sa.Column("fraction_numbers", sa.JSON(), nullable=False),
        sa.Column("beam_numbers", sa.JSON(), nullable=False),
        sa.Column("delivered_meterset", sa.Double(), nullable=True),
        sa.Column("specified_meterset", sa.Double(), nullable=True),
        sa.Column("is_complete", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["study_id"], ["studies.id"], name=op.f("fk_treatment_records_study_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_treatment_records")),
        sa.UniqueConstraint(
            "study_id", "sop_instance_uid", name=op.f("uq_treatment_records_study_id_sop_instance_uid")
        ),
    )
    op.create_index(
        op.f("ix_treatment_records_referenced_plan_uid"), "treatment_records", ["referenced_plan_uid"], unique=False
    )
    op.create_index(
        op.f("ix_treatment_records_sop_instance_uid"), "treatment_records", ["sop_instance_uid"], unique=False
    )
    op.create_index(op.f("ix_treatment_records_study_id"), "treatment_records", ["study_id"], unique=False)
    op.create_table(
        "treatment_structure_sets",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("treatment_id", sa.Integer(), nullable=False),
        sa.Column("structure_set_uid", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["treatment_id"],
            ["treatments.id"],
            name=op.f("fk_treatment_structure_sets_treatment_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_treatment_structure_sets")),
        sa.UniqueConstraint(
            "treatment_id", "structure_set_uid", name=op.f("uq_treatment_structure_sets_treatment_id_structure_set_uid")
        ),
    )
    op.create_index(
        op.f("ix_treatment_structure_sets_structure_set_uid"),
        "treatment_structure_sets",
        ["structure_set_uid"],
        unique=False,
    )
    op.create_index(
        op.f("ix_treatment_structure_sets_treatment_id"), "treatment_structure_sets", ["treatment_id"], unique=False
    )
    op.add_column("beams", sa.Column("mlc_perimeter_mean_mm", sa.Double(), nullable=True))
    op.add_column("beams", sa.Column("edge_metric_per_mm", sa.Double(), nullable=True))
    op.add_column("beams", sa.Column("modulation_complexity_score", sa.Double(), nullable=True))
    op.add_column("beams", sa.Column("complexity_reason", sa.String(), nullable=True))
    op.add_column("control_points", sa.Column("mlc_perimeter_mm", sa.Double(), nullable=True))
    op.add_column("control_points", sa.Column("edge_metric_per_mm", sa.Double(), nullable=True))
    op.add_column("doses", sa.Column("components", sa.JSON(), nullable=False, server_default="[]"))
    op.create_index(
        op.f("ix_structures_institutional_category"), "structures", ["institutional_category"], unique=False
    )
