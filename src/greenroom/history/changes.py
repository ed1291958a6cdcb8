"""What can be done to a history as a whole, each as one statement: delete, discard, bring back, name, purge."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, delete, select, update

from greenroom.history.records import Append, Change, Delete, Discard, Purge, Rename
from greenroom.history.schema import histories

__all__ = ["change", "make_room"]

_h = histories.c
_this = (_h.conf_uid == bindparam("of_conf"), _h.uid == bindparam("of_uid"))

_DELETE = delete(histories).where(*_this)
_DISCARD = update(histories).where(*_this, _h.deleted_until.is_(None))
_RESTORE = update(histories).where(*_this, _h.deleted_until.is_not(None))
_RENAME = update(histories).where(*_this, _h.deleted_until.is_(None))
_DUE = (
    select(_h.id)
    .where(_h.deleted_until.is_not(None), _h.deleted_until <= bindparam("now"))
    .order_by(_h.deleted_until)
    .limit(bindparam("most"))
)
_PURGE = delete(histories).where(_h.id.in_(_DUE))
_OLDEST_IN_BIN = (
    select(_h.id)
    .where(_h.conf_uid == bindparam("of_conf"), _h.deleted_until.is_not(None))
    .order_by(_h.deleted_until)
    .limit(bindparam("most"))
)
_MAKE_ROOM = delete(histories).where(_h.id.in_(_OLDEST_IN_BIN))


def make_room(connection: Connection, conf_uid: str, most: int) -> int:
    """Delete so many of a character's discarded histories, the oldest first; returns how many there were."""
    return connection.execute(_MAKE_ROOM, {"of_conf": conf_uid, "most": most}).rowcount


def change(connection: Connection, one: Change) -> int:
    """Do it, inside the caller's transaction; returns how many histories it concerned."""
    assert not isinstance(one, Append), "messages are stored together, by the database itself"
    if isinstance(one, Purge):
        return connection.execute(_PURGE, {"now": one.now, "most": one.most}).rowcount
    this = {"of_conf": one.conf_uid, "of_uid": one.uid}
    if isinstance(one, Delete):
        return connection.execute(_DELETE, this).rowcount
    if isinstance(one, Discard):
        return connection.execute(_DISCARD.values(deleted_until=one.until), this).rowcount
    if isinstance(one, Rename):
        return connection.execute(_RENAME.values(title=one.title), this).rowcount
    return connection.execute(_RESTORE.values(deleted_until=None), this).rowcount
