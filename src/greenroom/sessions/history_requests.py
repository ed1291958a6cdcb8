"""What a client's messages about stored conversations do: list, open, begin, search, name, delete, bring back."""

from __future__ import annotations

import unicodedata
from collections.abc import Awaitable, Callable

from greenroom.agents.base import ChatMessage
from greenroom.config.settings import LimitSettings
from greenroom.history import MAX_TITLE, HistorySummary, laid_out, size_of
from greenroom.protocol import Message
from greenroom.protocol import client_messages as c
from greenroom.protocol import server_messages as s
from greenroom.sessions.first_pages import entry_of, history_message
from greenroom.sessions.service_context import ServiceContext

HISTORY_CHARACTERS = 4_000_000
"""The most text of one `history-data`; the newest lines win."""
SEARCH_PAGE = 30


class HistoryRequests:
    """The part of a router that answers them. `HistoryError` is its caller's to report."""

    _context: ServiceContext
    _reply: Callable[[Message], Awaitable[None]]
    _limits: LimitSettings

    async def fetch_history_list(self, message: c.FetchHistoryList) -> None:
        context = self._context
        limit = min(message.limit or self._limits.history_page, self._limits.history_page)
        conf_uid = context.character.conf_uid
        answer = await context.services.first_pages.get(conf_uid, limit, message.before, message.deleted)
        await self._reply(answer)

    async def create_new_history(self, message: c.CreateNewHistory) -> None:
        await self._context.turns.cut("a new conversation was begun")
        await self._reply(s.NewHistoryCreated(self._context.new_history()))

    async def fetch_and_set_history(self, message: c.FetchAndSetHistory) -> None:
        context = self._context
        if message.history_uid == context.history_uid:
            # What was shown of a reply is part of it.
            await context.turns.cut("its conversation was opened again")
        stored = await context.services.histories.messages(context.character.conf_uid, message.history_uid)
        await context.turns.cut("another conversation was opened")
        talk = [line for line in stored if line.role != "system"]
        context.set_history(
            message.history_uid,
            tuple(
                ChatMessage(
                    "user" if line.role == "human" else "assistant", laid_out(line.content, line.breaks)
                )
                for line in talk
            ),
        )
        size = 0
        shown: list[s.HistoryMessage] = []
        for line in reversed(talk):
            size += size_of(line.content, line.breaks)
            if size > HISTORY_CHARACTERS:
                break
            found = history_message(line)
            if found is not None:
                shown.append(found)
        await self._reply(s.HistoryData(shown[::-1], history_uid=message.history_uid))

    async def delete_history(self, message: c.DeleteHistory) -> None:
        context, services = self._context, self._context.services
        conf_uid, history_uid = context.character.conf_uid, message.history_uid
        if history_uid == context.history_uid:
            await context.turns.cut("its conversation was deleted")
            context.set_history(None)
        if message.undo and services.bin.keep_seconds:
            seconds = await services.bin.discard(conf_uid, history_uid)
            await self._reply(s.HistoryDeleted(seconds is not None, history_uid, seconds))
            return
        success = await services.histories.delete(conf_uid, history_uid)
        await self._reply(s.HistoryDeleted(success, history_uid))

    async def restore_history(self, message: c.RestoreHistory) -> None:
        services, conf_uid = self._context.services, self._context.character.conf_uid
        success = await services.bin.restore(conf_uid, message.history_uid)
        if not success:
            # Another tab was faster, or goes on with it: it is there, which is what was asked for.
            success = bool(await services.histories.messages(conf_uid, message.history_uid, limit=1))
        await self._reply(s.HistoryRestored(success, message.history_uid))

    async def rename_history(self, message: c.RenameHistory) -> None:
        context = self._context
        title = tidy_title(message.title or "") or None
        success = await context.services.histories.rename(
            context.character.conf_uid, message.history_uid, title
        )
        await self._reply(s.HistoryRenamed(success, message.history_uid, title))

    async def search_histories(self, message: c.SearchHistories) -> None:
        context = self._context
        limit = min(message.limit or SEARCH_PAGE, self._limits.history_page)
        async with context.services.searching:
            page = await context.services.histories.search(
                context.character.conf_uid, message.query, before=message.before, limit=limit
            )
        await self._reply(s.HistoriesFound(message.query, [entry_of(one) for one in page.entries], page.next))


def tidy_title(text: str) -> str:
    """One line without control characters, cut to what is kept."""
    plain = "".join(" " if unicodedata.category(char) == "Cc" else char for char in text)
    return " ".join(plain.split())[:MAX_TITLE].strip()


__all__ = ["HistoryRequests", "HistorySummary", "tidy_title"]
