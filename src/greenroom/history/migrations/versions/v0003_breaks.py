"""The white space between the sentences of a reply."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; of earlier replies it is not known."""
    op.add_column("messages", sa.Column("breaks", sa.Text))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("messages", "breaks")
