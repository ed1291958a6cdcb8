"""Alembic's entry: runs the migrations on the connection, and inside the transaction, it is handed.

Only `greenroom.history.database` runs it. The transaction is its caller's, who holds the lock that keeps
other processes out and commits all steps at once or none.
"""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

from greenroom.history.schema import metadata

connection = context.config.attributes.get("connection")
if not isinstance(connection, Connection):
    raise RuntimeError("history migrations run when a store is opened; they have no command line")

context.configure(
    connection=connection, target_metadata=metadata, render_as_batch=True, transactional_ddl=True
)
with context.begin_transaction():
    context.run_migrations()
