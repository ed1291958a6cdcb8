"""Tests of history_requests.py: naming, searching, deleting with a way back, as a page asks for it."""

from __future__ import annotations

import asyncio

import pytest
from tests.helpers.loop import settle
from tests.helpers.stage import Client, Stage, staged

from greenroom.history import SearchPage
from greenroom.sessions.history_requests import tidy_title


async def talk(stage: Stage, client: Client, text: str, answer: str = "Yes.") -> None:
    """One exchange; counts as seen."""
    await client.say(text)
    (await stage.stream()).token(answer).end()
    await stage.settle()
    client.new()


async def ask(client: Client, kind: str, **fields: object) -> dict[str, object]:
    """The one answer to a message."""
    await client.send(kind, **fields)
    (answer,) = client.new()
    return answer


@staged
async def test_a_deletion_is_undone(stage: Stage) -> None:
    """Hidden at once and told for how long it can be had back; then it is listed, opened and remembered."""
    client = await stage.open()
    await talk(stage, client, "I am Ann.")
    uid = client.context.history_uid
    deleted = await ask(client, "delete-history", history_uid=uid, undo=True)
    assert deleted == {"type": "history-deleted", "success": True, "history_uid": uid, "undo_seconds": 600.0}
    assert client.context.history_uid is None
    listed = await ask(client, "fetch-history-list", deleted=True)
    assert listed["histories"] == []
    assert [one["uid"] for one in listed["deleted"]] == [uid]  # type: ignore[attr-defined, index]
    assert await ask(client, "fetch-and-set-history", history_uid=uid) == {
        "type": "history-data",
        "messages": [],
        "history_uid": uid,
    }
    restored = await ask(client, "restore-history", history_uid=uid)
    assert restored == {"type": "history-restored", "success": True, "history_uid": uid}
    data = await ask(client, "fetch-and-set-history", history_uid=uid)
    assert [line["content"] for line in data["messages"]] == ["I am Ann.", "Yes."]  # type: ignore[attr-defined, index]
    assert client.memory == [("user", "I am Ann."), ("assistant", "Yes.")]
    assert (await ask(client, "restore-history", history_uid="nobody"))["success"] is False


@staged
async def test_two_tabs_undo_the_same(stage: Stage) -> None:
    """The conversation is there for both; the slower one is not told that it is lost."""
    first, second = await stage.open(), await stage.open()
    await talk(stage, first, "I am Ann.")
    uid = first.context.history_uid
    assert (await ask(first, "delete-history", history_uid=uid, undo=True))["success"] is True
    assert (await ask(second, "restore-history", history_uid=uid))["success"] is True
    assert (await ask(first, "restore-history", history_uid=uid))["success"] is True


@staged
async def test_an_older_client_deletes_for_good(stage: Stage) -> None:
    """Without `undo` the conversation is gone, and the answer has the original fields only."""
    client = await stage.open()
    await talk(stage, client, "Hello?")
    uid = client.context.history_uid
    deleted = await ask(client, "delete-history", history_uid=uid)
    assert deleted == {"type": "history-deleted", "success": True, "history_uid": uid}
    assert (await ask(client, "restore-history", history_uid=uid))["success"] is False


@staged(history_undo_seconds=0)
async def test_without_a_bin(stage: Stage) -> None:
    """A server that keeps nothing says so, and deletes at once whatever is asked."""
    client = stage.connect()
    await client.context.open()
    await stage.settle()
    (model,) = [one for one in client.new() if one["type"] == "set-model-and-conf"]
    assert "history-undo" not in model["features"]
    await client.send("create-new-history")
    await talk(stage, client, "Hello?")
    uid = client.context.history_uid
    deleted = await ask(client, "delete-history", history_uid=uid, undo=True)
    assert deleted == {"type": "history-deleted", "success": True, "history_uid": uid}


@staged
async def test_a_title(stage: Stage) -> None:
    """Tidied, told as it was kept, listed, and taken away again by an empty one."""
    client = await stage.open()
    await talk(stage, client, "Hello?")
    uid = client.context.history_uid
    named = await ask(client, "rename-history", history_uid=uid, title="  My \n talk ")
    assert named == {"type": "history-renamed", "success": True, "history_uid": uid, "title": "My talk"}
    entry = (await ask(client, "fetch-history-list"))["histories"][0]  # type: ignore[index]
    assert (entry["title"], entry["opening"]) == ("My talk", "Hello?")
    unnamed = await ask(client, "rename-history", history_uid=uid, title="")
    assert unnamed["title"] is None
    assert (await ask(client, "rename-history", history_uid="nobody", title="x"))["success"] is False


@staged
async def test_a_search(stage: Stage) -> None:
    """The answer names the query, so that a page knows which one it belongs to, and shows where it was found."""
    client = await stage.open()
    await talk(stage, client, "I like tea.", "With milk?")
    found = await ask(client, "search-histories", query="MILK")
    assert found["query"] == "MILK"
    (entry,) = found["histories"]  # type: ignore[misc]
    assert entry["found"]["content"] == "With milk?"
    assert (await ask(client, "search-histories", query="coffee"))["histories"] == []
    error = await ask(client, "search-histories", query="milk", before="yesterday")
    assert (error["code"], error["request"]) == ("history", "search-histories")
    too_long = await ask(client, "search-histories", query="x" * 300)
    assert (too_long["type"], too_long["field"]) == ("error", "query")


@staged
async def test_searches_do_not_hold_up_pages(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many search, one of the store's threads does it; the others wait, and one that goes lets go."""
    histories = stage.services.histories
    running, most, go_on = 0, 0, asyncio.Event()

    async def slow(*args: object, **kwargs: object) -> SearchPage:
        nonlocal running, most
        running += 1
        most = max(most, running)
        try:
            await go_on.wait()
        finally:
            running -= 1
        return SearchPage((), None)

    monkeypatch.setattr(histories, "search", slow)
    clients = [await stage.open() for _ in range(3)]
    tasks = [client.send_soon({"type": "search-histories", "query": "tea"}) for client in clients]
    await settle()
    assert running == 1
    tasks[0].cancel()
    await settle()
    assert running == 1
    go_on.set()
    await settle()
    assert most == 1
    assert [len(client.new()) for client in clients] == [0, 1, 1]


@staged
async def test_characters_do_not_find_each_others(stage: Stage) -> None:
    """A search looks at the conversations of the character on stage only."""
    first = await stage.open()
    await talk(stage, first, "I like tea.")
    second = await stage.open("beta.yaml")
    assert (await ask(second, "search-histories", query="tea"))["histories"] == []


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("  a \t b\n", "a b"),
        ("a\x00\x1bb", "a b"),
        ("家👨‍👩‍👧", "家👨‍👩‍👧"),
        ("x" * 500, "x" * 200),
        (" \n", ""),
    ],
)
def test_tidy_title(given: str, kept: str) -> None:
    """One line, no control characters, 200 characters; what belongs to an emoji stays."""
    assert tidy_title(given) == kept
