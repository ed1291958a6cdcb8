"""Histories and their messages.

The tables are written out here again, not taken from `schema`: a migration says what was true on its day.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create both tables and their indexes."""
    op.create_table(
        "histories",
        sa.Column("id", _key, nullable=False),
        sa.Column("conf_uid", sa.String(255), nullable=False),
        sa.Column("uid", sa.String(255), nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("updated", sa.BigInteger, nullable=False),
        sa.Column("latest_role", sa.String(6), nullable=False),
        sa.Column("latest_at", sa.BigInteger, nullable=False),
        sa.Column("latest_preview", sa.Text, nullable=False),
        sa.Column("latest_name", sa.Text),
        sa.Column("latest_avatar", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_histories"),
        sa.UniqueConstraint("conf_uid", "uid", name="uq_histories_conf_uid_uid"),
    )
    op.create_index(
        "ix_histories_newest", "histories", ["conf_uid", sa.text("updated DESC"), sa.text("id DESC")]
    )
    op.create_table(
        "messages",
        sa.Column("id", _key, nullable=False),
        sa.Column("history_id", _key, nullable=False),
        sa.Column("role", sa.String(6), nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("name", sa.Text),
        sa.Column("avatar", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_messages"),
        sa.ForeignKeyConstraint(
            ["history_id"], ["histories.id"], name="fk_messages_history_id_histories", ondelete="CASCADE"
        ),
        sa.CheckConstraint("role IN ('human', 'ai', 'system')", name="ck_messages_role"),
    )
    op.create_index("ix_messages_history", "messages", ["history_id", "id"])


def downgrade() -> None:
    """Drop both tables with everything in them."""
    op.drop_table("messages")
    op.drop_table("histories")
