"""Bringing along an Open-LLM-VTuber installation's conversations."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from greenroom.history import HistoryError, HistoryStore, StoredMessage
from greenroom.history.olv_import import ImportReport, import_directory

HISTORY: list[dict[str, Any]] = [
    {"role": "metadata", "timestamp": "2025-08-11T12:39:00"},
    {"role": "human", "timestamp": "2025-08-11T12:39:31", "content": "hi", "name": "Ann"},
    {"role": "ai", "timestamp": "2025-08-11T12:39:35", "content": "你好", "name": "Mao", "avatar": "mao.png"},
    {"role": "system", "timestamp": "2025-08-11T12:40:00", "content": "[Interrupted by user]"},
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an empty `chat_history`."""
    made = tmp_path / "chat_history"
    made.mkdir()
    return made


def put(folder: Path, conf_uid: str, uid: str, data: object) -> Path:
    """Write a history file as the other program does."""
    (folder / conf_uid).mkdir(exist_ok=True)
    file = folder / conf_uid / f"{uid}.json"
    file.write_text(data if isinstance(data, str) else json.dumps(data, ensure_ascii=False), encoding="utf-8")
    return file


async def test_histories_come_along_with_everything_in_them(folder: Path, store: HistoryStore) -> None:
    """Every message arrives with its role, time, name and avatar, under the same names."""
    put(folder, "mao_pro", "2025-08-11_12-39-00_ab", HISTORY)
    put(folder, "other", "x", HISTORY[:2])
    assert await import_directory(folder, store) == ImportReport(imported=2, messages=4)
    assert await store.messages("mao_pro", "2025-08-11_12-39-00_ab") == (
        StoredMessage("human", "2025-08-11T12:39:31", "hi", "Ann"),
        StoredMessage("ai", "2025-08-11T12:39:35", "你好", "Mao", "mao.png"),
        StoredMessage("system", "2025-08-11T12:40:00", "[Interrupted by user]"),
    )
    (entry,) = (await store.list("mao_pro")).entries
    assert entry.updated == "2025-08-11T12:40:00"


async def test_importing_again_changes_nothing(folder: Path, store: HistoryStore) -> None:
    """A second import finds everything present."""
    put(folder, "mao", "a", HISTORY)
    put(folder, "mao", "empty", HISTORY[:1])
    await import_directory(folder, store)
    assert await import_directory(folder, store) == ImportReport(present=1, empty=1)
    assert len(await store.messages("mao", "a")) == 3


async def test_an_interrupted_import_is_completed(folder: Path, store: HistoryStore) -> None:
    """Of a history that is here in part, only what is missing is added."""
    put(folder, "mao", "a", HISTORY)
    await store.append("mao", "a", "human", "hi", name="Ann")
    assert await import_directory(folder, store) == ImportReport(imported=1, messages=2)
    assert [one.content for one in await store.messages("mao", "a")] == [
        "hi",
        "你好",
        "[Interrupted by user]",
    ]


async def test_a_history_continued_here_is_left_alone(folder: Path, store: HistoryStore) -> None:
    """What was said here after the import is neither lost nor doubled."""
    put(folder, "mao", "a", HISTORY)
    await import_directory(folder, store)
    await store.append("mao", "a", "human", "and here")
    assert await import_directory(folder, store) == ImportReport(present=1)
    assert len(await store.messages("mao", "a")) == 4


async def test_a_different_history_is_not_touched(folder: Path, store: HistoryStore) -> None:
    """A file that contradicts what is stored is reported, and nothing is changed."""
    file = put(folder, "mao", "a", HISTORY)
    await store.append("mao", "a", "human", "something else")
    report = await import_directory(folder, store)
    assert [bad.path for bad in report.bad] == [file]
    assert "a different history" in report.bad[0].reason
    assert len(await store.messages("mao", "a")) == 1


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ({"role": "human"}, "no list"),
        (["x"], "entry 1 is no object"),
        ([*HISTORY, {"role": "robot", "content": "x"}], "entry 5: role is 'robot'"),
        ([{"role": ["human"], "content": "x"}], "entry 1: role is"),
        ([{"role": "human"}], "entry 1: content is not text"),
        ([{"role": "human", "content": "x", "name": 7}], "entry 1: name is not text"),
        ('[{"role": "human", "content": "\\ud800"}]', "half a character"),
        ([{"role": "human", "content": "x" * 1_000_001}], "more than 1000000 characters"),
    ],
)
async def test_a_bad_file_is_named_and_does_not_stop_the_others(
    folder: Path, store: HistoryStore, data: object, reason: str
) -> None:
    """A bad file is reported with its reason, nothing of it is stored, and the good ones are."""
    bad = put(folder, "mao", "a", data)
    put(folder, "mao", "b", HISTORY)
    report = await import_directory(folder, store)
    assert (report.imported, report.messages) == (1, 3)
    assert [one.path for one in report.bad] == [bad]
    assert reason in report.bad[0].reason
    assert await store.messages("mao", "a") == ()


async def test_other_encodings_and_other_files(folder: Path, store: HistoryStore) -> None:
    """A byte order mark is fine, other encodings are reported, and files of other kinds are ignored."""
    put(folder, "mao", "bom", "\ufeff" + json.dumps(HISTORY))
    latin = put(folder, "mao", "latin", "")
    latin.write_bytes('[{"role": "human", "content": "é"}]'.encode("latin-1"))
    (folder / "mao" / "notes.txt").write_text("x")
    (folder / "readme.json").write_text("x")
    report = await import_directory(folder, store)
    assert report.imported == 1
    assert [bad.path for bad in report.bad] == [latin]
    assert "not UTF-8" in report.bad[0].reason


async def test_messages_without_a_usable_time_take_the_one_before(folder: Path, store: HistoryStore) -> None:
    """A missing or malformed time does not lose a message; without any, the file's own time is taken."""
    put(
        folder,
        "mao",
        "a",
        [HISTORY[1], {"role": "ai", "content": "x", "timestamp": "soon"}, {"role": "ai", "content": "y"}],
    )
    file = put(folder, "mao", "b", [{"role": "ai", "content": "x", "timestamp": "0001-01-01"}])
    os.utime(file, (1_700_000_000.0, 1_700_000_000.0))
    assert (await import_directory(folder, store)).bad == ()
    assert {one.timestamp for one in await store.messages("mao", "a")} == {"2025-08-11T12:39:31"}
    (only,) = await store.messages("mao", "b")
    assert only.timestamp.startswith("2023-11-1")


async def test_a_missing_folder_is_an_error(tmp_path: Path, store: HistoryStore) -> None:
    """Without the folder there is nothing to report on: the error names it."""
    with pytest.raises(HistoryError, match="nowhere"):
        await import_directory(tmp_path / "nowhere", store)


async def test_a_store_that_fails_is_reported_for_each_file(folder: Path, file: Path) -> None:
    """Errors of the store are reported like those of the file."""
    store = await HistoryStore.open(file)
    put(folder, "mao", "a", HISTORY)
    await store.aclose()
    report = await import_directory(folder, store)
    assert ["store is closed" in bad.reason for bad in report.bad] == [True]
