"""The store against a plain model: whatever is done in whatever order, both must say the same."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from greenroom.history import HistoryPage, HistoryStore, HistorySummary, StoredMessage
from greenroom.history.records import local_iso, micros

EPOCH = datetime(2025, 1, 1)

names = st.sampled_from(["a", "b", "'; DROP TABLE histories; --"])
uids = st.sampled_from(["1", "2", "3", "ß"])
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
moments = st.integers(0, 3).map(lambda seconds: EPOCH + timedelta(seconds=seconds))  # few: ties are the point

appends = st.tuples(
    st.just("append"),
    names,
    uids,
    st.sampled_from(["human", "ai", "system"]),
    texts,
    st.none() | texts,
    moments,
)
changes = st.tuples(st.sampled_from(["delete", "discard", "restore", "rename"]), names, uids)
groups = st.lists(st.lists(st.one_of(appends, appends, appends, changes), max_size=6), max_size=8)
LATER = 4_000_000_000.0


@dataclass
class ModelHistory:
    """One history as the model sees it; `row` is the order of creation."""

    row: int
    created: int
    updated: int
    messages: list[StoredMessage] = field(default_factory=list)
    title: str | None = None
    opening: str | None = None
    hidden: bool = False


class Model:
    """What the store promises, in dictionaries."""

    def __init__(self) -> None:
        self.histories: dict[tuple[str, str], ModelHistory] = {}
        self.rows = 0

    def append(self, conf: str, uid: str, role: Any, content: str, name: str | None, at: int) -> None:
        """Store a message."""
        self.rows += 1
        found = self.histories.setdefault((conf, uid), ModelHistory(self.rows, at, at))
        found.updated = max(found.updated, at)
        found.hidden = False
        if role == "human":
            found.opening = found.opening or content.strip() or None
        found.messages.append(StoredMessage(role, local_iso(at), content, name))

    def change(self, what: str, conf: str, uid: str) -> bool:
        """Delete, discard, restore or rename; returns whether there was something to do it to."""
        found = self.histories.get((conf, uid))
        if found is None:
            return False
        if what == "delete":
            del self.histories[conf, uid]
        elif found.hidden != (what == "restore"):
            return False
        elif what == "rename":
            found.title = "title"
        else:
            found.hidden = what == "discard"
        return True

    def shown(self, conf: str, uid: str) -> list[StoredMessage]:
        """The messages of a history that is to be seen."""
        found = self.histories.get((conf, uid))
        return found.messages if found and not found.hidden else []

    def list(self, conf: str) -> list[HistorySummary]:
        """Return all of a character's histories, newest first."""
        own = [(uid, one) for (owner, uid), one in self.histories.items() if owner == conf and not one.hidden]
        own.sort(key=lambda pair: (pair[1].updated, pair[1].row), reverse=True)
        return [
            HistorySummary(
                uid,
                local_iso(one.created),
                local_iso(one.updated),
                _latest(one.messages),
                one.title,
                one.opening,
            )
            for uid, one in own
        ]


def _latest(messages: list[StoredMessage]) -> StoredMessage:
    """The line a list shows: the last one somebody said, the first one if nobody did."""
    said = [message for message in messages if message.role != "system"]
    return said[-1] if said else messages[0]


@settings(max_examples=40, deadline=None)
@given(groups=groups, limit=st.integers(1, 4))
def test_the_store_does_what_the_model_does(groups: list[list[tuple[Any, ...]]], limit: int) -> None:
    """After any mix of grouped appends and changes, lists, messages and counts equal the model's."""

    async def run() -> None:
        store = await HistoryStore.open(None)
        model = Model()
        for group in groups:
            expected: list[bool | None] = []
            calls = []
            for what, conf, uid, *rest in group:
                if what == "append":
                    role, content, name, moment = rest
                    model.append(conf, uid, role, content, name, micros(moment))
                    calls.append(store.append(conf, uid, role, content, name=name, created=moment))
                    expected.append(None)
                else:
                    expected.append(model.change(what, conf, uid))
                    call = {
                        "delete": lambda c, u: store.delete(c, u),
                        "discard": lambda c, u: store.discard(c, u, LATER),
                        "restore": lambda c, u: store.restore(c, u),
                        "rename": lambda c, u: store.rename(c, u, "title"),
                    }[what]
                    calls.append(call(conf, uid))
            assert await asyncio.gather(*calls) == expected
            for conf in ("a", "b"):
                assert await _all_pages(store, conf, limit) == model.list(conf)
        for conf in ("a", "b"):
            assert await store.count(conf) == len(model.list(conf))
            for uid in ("1", "2", "3", "ß"):
                assert await store.messages(conf, uid) == tuple(model.shown(conf, uid))
        await store.aclose()

    asyncio.run(run())


async def _all_pages(store: HistoryStore, conf: str, limit: int) -> list[HistorySummary]:
    entries: list[HistorySummary] = []
    page = HistoryPage((), None)
    while True:
        page = await store.list(conf, limit=limit, before=page.next)
        assert len(page.entries) <= limit
        entries += page.entries
        if page.next is None:
            return entries
