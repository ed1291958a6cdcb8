"""The store's SQL, without threads: open and migrate, write a batch, answer a question.

A `Database` is one connection and belongs to the thread that opened it. It speaks SQLAlchemy Core; measured,
Core adds about 10 µs to a statement, and a batch has two statements however many messages it holds, so there
is no reason for a second, hand-written path.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from sqlalchemy import (
    Connection,
    Engine,
    bindparam,
    case,
    func,
    inspect,
    select,
    text,
    tuple_,
)
from sqlalchemy.exc import SQLAlchemyError

from greenroom.history.changes import change, make_room
from greenroom.history.dialect import Dialect
from greenroom.history.errors import HistoryError
from greenroom.history.layout import read_breaks
from greenroom.history.records import (
    OPENING,
    PREVIEW,
    Append,
    Change,
    HistoryPage,
    HistorySummary,
    SearchPage,
    StoredMessage,
    local_iso,
    place_of,
)
from greenroom.history.schema import HEAD, histories, messages
from greenroom.history.search import search, summary, summary_columns

__all__ = ["Database"]


_h, _m = histories.c, messages.c

_ADD_MESSAGE = messages.insert().from_select(
    ["history_id", "role", "created", "content", "name", "avatar", "breaks"],
    select(
        _h.id,
        bindparam("role", type_=_m.role.type),
        bindparam("at", type_=_m.created.type),
        bindparam("content", type_=_m.content.type),
        bindparam("name", type_=_m.name.type),
        bindparam("avatar", type_=_m.avatar.type),
        bindparam("breaks", type_=_m.breaks.type),
    ).where(_h.conf_uid == bindparam("conf_uid"), _h.uid == bindparam("uid")),
)
_KNOWN = select(_h.id).where(_h.conf_uid == bindparam("conf_uid"), _h.uid == bindparam("uid"))
_COUNT = (
    select(func.count())
    .select_from(histories)
    .where(_h.conf_uid == bindparam("conf_uid"), _h.deleted_until.is_(None))
)

RECOUNT = 1000
"""New histories of a character after which all are counted again: another process may add some, too."""
MAX_ROOMS = 1000
_ALL = select(func.count()).select_from(histories).where(_h.conf_uid == bindparam("conf_uid"))
_LIST = (
    select(*summary_columns())
    .where(_h.conf_uid == bindparam("conf_uid"), _h.deleted_until.is_(None))
    .order_by(_h.updated.desc(), _h.id.desc())
    .limit(bindparam("limit"))
)
_DISCARDED = (
    select(*summary_columns())
    .where(_h.conf_uid == bindparam("conf_uid"), _h.deleted_until > bindparam("now"))
    .order_by(_h.deleted_until.desc(), _h.id.desc())
    .limit(bindparam("limit"))
)
_NEXT_DUE = select(func.min(_h.deleted_until)).where(_h.deleted_until.is_not(None))
# A row comparison, not `a < x OR (a = x AND b < y)`: this one is a single range of the index, and the
# only rows it reads in vain are those of the very same microsecond.
_LIST_BEFORE = _LIST.where(
    tuple_(_h.updated, _h.id)
    < tuple_(bindparam("updated", type_=_h.updated.type), bindparam("id", type_=_h.id.type))
)
_MESSAGES = (
    select(_m.role, _m.created, _m.content, _m.name, _m.avatar, _m.breaks)
    .join_from(histories, messages, _m.history_id == _h.id)
    .where(_h.conf_uid == bindparam("conf_uid"), _h.uid == bindparam("uid"), _h.deleted_until.is_(None))
    .order_by(_m.id.desc())
    .limit(bindparam("limit"))
)


class Database:
    """One open connection. Every method raises `HistoryError` only."""

    def __init__(self, dialect: Dialect, engine: Engine, connection: Connection) -> None:
        self._dialect = dialect
        self._engine = engine
        self._connection = connection
        self._most_histories = 0
        self._rooms: dict[str, int] = {}
        """By character, how many more are let in before they are counted again."""
        insert = dialect.insert(histories)
        new = insert.excluded
        # What nobody said ("[Interrupted by user]") is no news to show in a list.
        said = new.latest_role != "system"
        latest = ("latest_role", "latest_at", "latest_preview", "latest_name", "latest_avatar")
        self._add_history = insert.on_conflict_do_update(
            index_elements=[_h.conf_uid, _h.uid],
            set_={
                "updated": case((new.updated > _h.updated, new.updated), else_=_h.updated),
                **{name: case((said, new[name]), else_=_h[name]) for name in latest},
                "opening": func.coalesce(_h.opening, new.opening),
                # Somebody goes on with it in another tab: so it is not to be thrown away.
                "deleted_until": None,
            },
        )

    @classmethod
    def open_for_writing(cls, dialect: Dialect, *, most_histories: int = 0) -> Database:
        """Connect, and bring the tables up to date, before anybody else may use them.

        With `most_histories`, a character that has as many begins no more; 0 sets no limit.
        """
        database = cls._connect(dialect, writing=True)
        database._most_histories = most_histories
        try:
            dialect.settle_in(database._connection)
            database._migrate()
        except BaseException as error:
            database.close()
            if isinstance(error, Exception):
                raise dialect.explain(error) from error
            raise
        return database

    @classmethod
    def open_for_reading(cls, dialect: Dialect) -> Database:
        """Connect to what `open_for_writing` has prepared."""
        return cls._connect(dialect, writing=False)

    @classmethod
    def _connect(cls, dialect: Dialect, *, writing: bool) -> Database:
        try:
            engine = dialect.engine(writing=writing)
            return cls(dialect, engine, engine.connect())
        except (SQLAlchemyError, OSError) as error:
            raise dialect.explain(error) from error

    def close(self) -> None:
        """Close the connection. A failure to do so is explained, not raised twice."""
        try:
            self._connection.close()
        except SQLAlchemyError as error:
            raise self._dialect.explain(error) from error
        finally:
            self._engine.dispose()

    def _migrate(self) -> None:
        """Run what is missing. Alembic, slow to import, is left alone where the file is up to date."""
        if self._version() == HEAD:
            return
        with self._transaction():
            self._dialect.keep_others_out(self._connection)
            if self._version() == HEAD:
                return  # another process was faster
            from alembic import command
            from alembic.config import Config
            from alembic.script import ScriptDirectory
            from alembic.util import CommandError

            config = Config()
            scripts = str(Path(__file__).with_name("migrations"))
            config.set_main_option("script_location", scripts.replace("%", "%%"))
            config.attributes["connection"] = self._connection
            found = self._version()
            known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
            if found is not None and found not in known:
                raise HistoryError(
                    f"history {self._dialect.place}: its tables have version {found}, this program knows "
                    f"them up to {HEAD}; update the program, or give it another file",
                    "newer",
                )
            try:
                command.upgrade(config, "head")
            except CommandError as error:
                raise HistoryError(
                    f"history {self._dialect.place}: its tables cannot be updated: {error}"
                ) from error

    def _version(self) -> str | None:
        """Return the number of the last migration this database has seen, or None for an empty one."""
        began = not self._connection.in_transaction()
        try:
            if not inspect(self._connection).has_table("alembic_version"):
                return None
            return self._connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        finally:
            if began:
                self._connection.rollback()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._connection.begin():
            self._dialect.begin(self._connection)
            yield

    def write(self, batch: Sequence[Change]) -> list[int]:
        """Store all of it in one transaction, in order, or nothing of it.

        Returns:
            For each change how many histories it concerned; 1 for each message.
        """
        done: list[int] = []
        appends: list[Append] = []
        try:
            with self._transaction():
                for one in batch:
                    if isinstance(one, Append):
                        appends.append(one)
                        done.append(1)
                    else:
                        self._store(appends)
                        appends = []
                        done.append(change(self._connection, one))
                self._store(appends)
        except Exception as error:
            raise self._dialect.explain(error) from error
        return done

    def _store(self, appends: list[Append]) -> None:
        """Store messages: one row per history that has news, then the messages themselves."""
        if not appends:
            return
        heads: dict[tuple[str, str], dict[str, Any]] = {}
        rows: list[dict[str, Any]] = []
        for one in appends:
            head = heads.get((one.conf_uid, one.uid))
            if head is None:
                head = heads[one.conf_uid, one.uid] = {
                    "conf_uid": one.conf_uid,
                    "uid": one.uid,
                    "created": one.at,
                    "updated": one.at,
                    "opening": None,
                }
            elif one.at > head["updated"]:
                head["updated"] = one.at
            if one.role == "human" and head["opening"] is None:
                head["opening"] = one.content.strip()[:OPENING] or None
            if one.role != "system" or "latest_role" not in head:
                head["latest_role"] = one.role
                head["latest_at"] = one.at
                head["latest_preview"] = one.content[:PREVIEW]
                head["latest_name"] = one.name
                head["latest_avatar"] = one.avatar
            rows.append(
                {
                    "conf_uid": one.conf_uid,
                    "uid": one.uid,
                    "role": one.role,
                    "at": one.at,
                    "content": one.content,
                    "name": one.name,
                    "avatar": one.avatar,
                    "breaks": one.breaks,
                }
            )
        if self._most_histories:
            self._refuse_too_many(list(heads))
        self._connection.execute(self._add_history, list(heads.values()))
        self._connection.execute(_ADD_MESSAGE, rows)

    def _refuse_too_many(self, names: list[tuple[str, str]]) -> None:
        new: Counter[str] = Counter()
        for conf_uid, uid in names:
            known = self._connection.execute(_KNOWN, {"conf_uid": conf_uid, "uid": uid}).first()
            new[conf_uid] += known is None
        for conf_uid, count in new.items():
            if not count:
                continue
            if self._has_room(conf_uid, count):
                continue
            # Those in the bin count as well, or they would be a way around; but they are the first to go.
            there = self._connection.execute(_ALL, {"conf_uid": conf_uid}).scalar_one()
            if there + count > self._most_histories:
                there -= make_room(self._connection, conf_uid, there + count - self._most_histories)
            if there + count > self._most_histories:
                raise HistoryError(
                    f"{conf_uid} has {there} conversations, and {self._most_histories} are the limit "
                    "(history.max_per_character); delete some to keep new ones",
                    "row",
                    public=True,
                )
            if len(self._rooms) >= MAX_ROOMS:
                self._rooms.clear()
            self._rooms[conf_uid] = min(RECOUNT, self._most_histories - there - count)

    def _has_room(self, conf_uid: str, count: int) -> bool:
        """Whether so many fit in any case: counting a hundred thousand for each new one would take its time."""
        room = self._rooms.get(conf_uid, 0) - count
        if room < 0:
            return False
        self._rooms[conf_uid] = room
        return True

    def _all(self, query: Any, values: dict[str, Any]) -> Sequence[Any]:
        """Run a question to its end, so that no read transaction stays open behind it."""
        try:
            try:
                return self._connection.execute(query, values).all()
            finally:
                self._connection.rollback()
        except Exception as error:
            raise self._dialect.explain(error) from error

    def list(self, conf_uid: str, before: tuple[int, int] | None, limit: int) -> HistoryPage:
        """Return up to `limit` histories, newest first, from the given place on."""
        values: dict[str, Any] = {"conf_uid": conf_uid, "limit": limit + 1}
        if before is None:
            rows = self._all(_LIST, values)
        else:
            rows = self._all(_LIST_BEFORE, {**values, "updated": before[0], "id": before[1]})
        more = len(rows) > limit
        shown = rows[:limit]
        return HistoryPage(tuple(map(summary, shown)), place_of(shown[-1][3], shown[-1][0]) if more else None)

    def discarded(self, conf_uid: str, now: int, limit: int) -> tuple[HistorySummary, ...]:
        """Return the histories that can still be brought back, the last deleted first."""
        return tuple(map(summary, self._all(_DISCARDED, {"conf_uid": conf_uid, "now": now, "limit": limit})))

    def next_due(self) -> int | None:
        """Return when the next discarded history is to be deleted, if there is one."""
        return cast("int | None", self._all(_NEXT_DUE, {})[0][0])

    def search(
        self, conf_uid: str, words: Sequence[str], before: tuple[int, int] | None, limit: int
    ) -> SearchPage:
        """See `greenroom.history.search`."""
        return search(lambda question: self._all(question, {}), conf_uid, words, before, limit)

    def messages(self, conf_uid: str, uid: str, limit: int) -> tuple[StoredMessage, ...]:
        """Return the newest `limit` messages of a history, oldest first."""
        rows = self._all(_MESSAGES, {"conf_uid": conf_uid, "uid": uid, "limit": limit})
        return tuple(
            StoredMessage(role, local_iso(at), content, name, avatar, read_breaks(breaks))
            for role, at, content, name, avatar, breaks in rows[::-1]
        )

    def count(self, conf_uid: str) -> int:
        """Return how many histories a character has."""
        return cast(int, self._all(_COUNT, {"conf_uid": conf_uid})[0][0])
