"""Alembic's environment: it runs on the connection that `store.schema.upgrade` gives it."""

from alembic import context

from barnstorm_server.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
