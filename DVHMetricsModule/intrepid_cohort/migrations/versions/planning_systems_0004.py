"""Planning systems recognised; missing CT slices."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_SYSTEM = ("plans", "structure_sets", "doses")


def upgrade() -> None:
    """Add the columns, and have the next import read the positions of all CT slices."""
    for table in _SYSTEM:
        op.add_column(table, sa.Column("planning_system", sa.String(), nullable=True))
    op.add_column("series", sa.Column("slice_spacing_mm", sa.Double(), nullable=True))
    for table in ("series", "structure_sets"):
        op.add_column(table, sa.Column("missing_image_count", sa.Integer(), nullable=True))
    # No file has this time of change, so it counts as changed.
    op.execute("UPDATE files SET modified_ns = -1 WHERE modality = 'CT'")


def downgrade() -> None:
    """Drop the columns."""
    for table in ("series", "structure_sets"):
        op.drop_column(table, "missing_image_count")
    op.drop_column("series", "slice_spacing_mm")
    for table in _SYSTEM:
        op.drop_column(table, "planning_system")
