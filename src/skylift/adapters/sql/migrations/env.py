"""Alembic asks this file for a connection; `migrating` has put it into the configuration."""

from __future__ import annotations

from alembic import context

from skylift.adapters.sql.schema import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
with context.begin_transaction():
    context.run_migrations()
