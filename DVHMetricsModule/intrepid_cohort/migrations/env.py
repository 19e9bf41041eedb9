"""Run by Alembic: applies the versions to the connection that `intrepid_cohort.database` hands over."""

from alembic import context

from intrepid_cohort.schema import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite changes a table by copying it
)
with context.begin_transaction():
    context.run_migrations()
