"""The tables, in SQLAlchemy Core, without anything that only one database knows.

Times are microseconds since 1970 (UTC): they sort and compare the same in every database and across changes
of the clock's zone. The latest message is kept on the history's own row, cut to a preview, so that a list
reads one short row per history along one index, however many messages there are. `opening` is the beginning
of the first thing the visitor said, `title` what somebody called the history, and `deleted_until` is set on one
that was deleted and can be brought back until then. `breaks` of a message: see `layout.py`.

A change here needs a new file in `migrations/versions` and its number in `HEAD`; a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

__all__ = ["HEAD", "histories", "messages", "metadata"]

HEAD = "0003"
"""The newest migration. A file that carries it needs no look at the migrations."""

_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

metadata = MetaData(naming_convention=_NAMES)

# SQLite numbers rows by itself only if the key is a plain INTEGER, which is 64 bits wide there.
_Key = BigInteger().with_variant(Integer(), "sqlite")

histories = Table(
    "histories",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("conf_uid", String(255), nullable=False),
    Column("uid", String(255), nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Column("latest_role", String(6), nullable=False),
    Column("latest_at", BigInteger, nullable=False),
    Column("latest_preview", Text, nullable=False),
    Column("latest_name", Text),
    Column("latest_avatar", Text),
    Column("title", Text),
    Column("opening", Text),
    Column("deleted_until", BigInteger),
    UniqueConstraint("conf_uid", "uid"),
)
Index("ix_histories_newest", histories.c.conf_uid, histories.c.updated.desc(), histories.c.id.desc())
_waits_to_be_deleted = histories.c.deleted_until.is_not(None)
Index(
    "ix_histories_deleted",
    histories.c.deleted_until,
    sqlite_where=_waits_to_be_deleted,
    postgresql_where=_waits_to_be_deleted,
)

messages = Table(
    "messages",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("history_id", _Key, ForeignKey("histories.id", ondelete="CASCADE"), nullable=False),
    Column("role", String(6), nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("content", Text, nullable=False),
    Column("name", Text),
    Column("avatar", Text),
    Column("breaks", Text),
    CheckConstraint("role IN ('human', 'ai', 'system')", name="role"),
)
Index("ix_messages_history", messages.c.history_id, messages.c.id)
