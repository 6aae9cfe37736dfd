"""Alembic environment: `oracle.adapters.store.database` hands in an open connection."""

from alembic import context

from oracle.adapters.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
