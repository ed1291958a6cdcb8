"""The SQL layer: migrations, the plan of the queries, and ten thousand histories."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Select, text

from greenroom.history import HistoryError, HistoryStore, database
from greenroom.history.database import Database
from greenroom.history.records import Append, read_place
from greenroom.history.schema import HEAD, metadata
from greenroom.history.sqlite import Sqlite

MIGRATIONS = Path(database.__file__).with_name("migrations")


def dialect(path: Path | None) -> Sqlite:
    """Return SQLite at a path with the usual settings."""
    return Sqlite(path, synchronous="NORMAL", lock_timeout=1, max_bytes=None)


@pytest.fixture
def memory() -> Iterator[Database]:
    """Open a database in memory, in this thread."""
    opened = Database.open_for_writing(dialect(None))
    yield opened
    opened.close()


def fill(opened: Database, count: int, conf_uid: str = "mao") -> None:
    """Store histories h0, h1, … with one message each; three share each moment."""
    opened.write([Append(conf_uid, f"h{n}", "human", n // 3, f"text {n}", None, None) for n in range(count)])


def test_head_is_the_newest_migration() -> None:
    """The number the fast path looks for is that of the last migration, and there is one line of them."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_the_migrations_make_what_the_schema_says(memory: Database) -> None:
    """Migrating an empty database gives exactly the tables and indexes of schema.py."""
    context = MigrationContext.configure(memory._connection)
    assert compare_metadata(context, metadata) == []
    sql = "\n".join(
        row[0]
        for row in memory._connection.execute(text("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL"))
    )
    assert "updated DESC, id DESC" in sql
    assert "ON DELETE CASCADE" in sql


def test_the_database_itself_checks_roles(memory: Database) -> None:
    """A role that slipped past the program is refused by the table."""
    with pytest.raises(HistoryError, match="CHECK constraint failed") as caught:
        memory.write([Append("mao", "h", "robot", 1, "x", None, None)])  # type: ignore[arg-type]
    assert caught.value.kind == "row"
    assert memory.count("mao") == 0


@pytest.mark.parametrize(
    ("query", "values", "index"),
    [
        (database._LIST, {"conf_uid": "mao", "limit": 9}, "ix_histories_newest (conf_uid=?)"),
        (
            database._LIST_BEFORE,
            {"conf_uid": "mao", "limit": 9, "updated": 5, "id": 5},
            "ix_histories_newest (conf_uid=? AND updated<?)",
        ),
        (
            database._MESSAGES,
            {"conf_uid": "mao", "uid": "h", "limit": 9},
            "ix_messages_history (history_id=?)",
        ),
        (database._COUNT, {"conf_uid": "mao"}, "(conf_uid=?)"),
    ],
    ids=["list", "list-before", "messages", "count"],
)
def test_every_question_is_answered_along_an_index(
    memory: Database, query: Select[tuple[object, ...]], values: dict[str, object], index: str
) -> None:
    """No question scans a table or sorts: its plan names the index, and nothing is sorted aside."""
    fill(memory, 100)
    compiled = query.compile(dialect=memory._engine.dialect)
    parameters = compiled.construct_params(values)
    assert compiled.positiontup is not None
    plan = memory._connection.exec_driver_sql(
        f"EXPLAIN QUERY PLAN {compiled}", tuple(parameters[name] for name in compiled.positiontup)
    ).all()
    memory._connection.rollback()
    steps = "\n".join(row[-1] for row in plan)
    assert index in steps
    assert "SCAN" not in steps
    assert "TEMP B-TREE" not in steps


def test_ten_thousand_histories_page_without_a_gap(memory: Database) -> None:
    """A hundred pages of a hundred show each of ten thousand histories once, in order."""
    fill(memory, 10_000)
    fill(memory, 50, conf_uid="other")
    seen: list[str] = []
    before = None
    pages = 0
    while True:
        page = memory.list("mao", before, 100)
        pages += 1
        seen += [entry.uid for entry in page.entries]
        if page.next is None:
            break
        before = read_place(page.next)
    assert pages == 100
    assert seen == [f"h{n}" for n in range(9_999, -1, -1)]
    assert memory.count("mao") == 10_000


def test_a_batch_is_stored_wholly_or_not_at_all(memory: Database) -> None:
    """When one entry of a batch fails, none of it is there."""
    bad = Append("mao", "b", "human", 1, "\ud800", None, None)
    with pytest.raises(HistoryError) as caught:
        memory.write([Append("mao", "a", "human", 1, "x", None, None), bad])
    assert caught.value.kind == "row"
    assert memory.count("mao") == 0


async def test_a_file_of_a_later_version_is_refused(file: Path) -> None:
    """A file written by a later program is not touched, and the error says what to do."""
    await (await HistoryStore.open(file)).aclose()
    with sqlite3.connect(file) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
    raw.close()
    with pytest.raises(HistoryError, match=r"version 9999.*up to " + HEAD + ".*update the program") as caught:
        await HistoryStore.open(file)
    assert caught.value.kind == "newer"
    assert str(file) in str(caught.value)


async def test_a_failed_migration_leaves_nothing_behind(file: Path) -> None:
    """If a step of the migration fails, the file is as it was."""
    file.parent.mkdir()
    with sqlite3.connect(file) as raw:
        raw.execute("CREATE TABLE messages (x)")
    with pytest.raises(HistoryError, match="table messages already exists"):
        await HistoryStore.open(file)
    names = raw.execute("SELECT name FROM sqlite_master").fetchall()
    raw.close()
    assert names == [("messages",)]


def test_an_up_to_date_file_needs_no_alembic(file: Path) -> None:
    """Alembic is imported for the first opening of a file only."""
    code = (
        "import asyncio, sys; from pathlib import Path; from greenroom.history import HistoryStore\n"
        "async def main():\n"
        "    store = await HistoryStore.open(Path(sys.argv[1])); await store.aclose()\n"
        "asyncio.run(main()); print('alembic' in sys.modules)"
    )
    Database.open_for_writing(dialect(file)).close()
    run = subprocess.run([sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


def test_the_migrations_have_no_command_line() -> None:
    """Run by hand, without a connection, the migrations say where they belong."""
    from alembic import command

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with pytest.raises(RuntimeError, match="when a store is opened"):
        command.upgrade(config, "head")


def test_the_first_migration_can_be_undone(memory: Database) -> None:
    """Downgrading drops what upgrading made."""
    from alembic import command

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with memory._transaction():
        config.attributes["connection"] = memory._connection
        command.downgrade(config, "base")
    left = memory._connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'")).all()
    memory._connection.rollback()
    assert left == [("alembic_version",)]
