"""Titles, the first thing that was said, and deletions that can be undone for a while.

`opening` is filled in for the histories there are: the first words of the visitor, as a list shows them.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns and the index of what waits to be deleted."""
    op.add_column("histories", sa.Column("title", sa.Text))
    op.add_column("histories", sa.Column("opening", sa.Text))
    op.add_column("histories", sa.Column("deleted_until", sa.BigInteger))
    op.execute(
        sa.text(
            "UPDATE histories SET opening = (SELECT substr(messages.content, 1, 200) FROM messages"
            " WHERE messages.history_id = histories.id AND messages.role = 'human'"
            " ORDER BY messages.id LIMIT 1)"
        )
    )
    where = sa.text("deleted_until IS NOT NULL")
    op.create_index(
        "ix_histories_deleted", "histories", ["deleted_until"], sqlite_where=where, postgresql_where=where
    )


def downgrade() -> None:
    """Drop them; what could still be undone is there again."""
    op.drop_index("ix_histories_deleted", "histories")
    for name in ("deleted_until", "opening", "title"):
        op.drop_column("histories", name)
