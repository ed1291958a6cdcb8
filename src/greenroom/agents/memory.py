"""The memory of one client: its talk, bounded in tokens, the oldest turns dropped first.

One per client, never shared: two tabs never mix. Counting is incremental (a message is measured when it is
added, see `tokens`), so adding costs the same in the thousandth turn as in the first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice
from typing import Literal

from .base import INTERRUPTED, ChatMessage
from .tokens import PER_MESSAGE, estimate_tokens, truncate

MAX_IMAGES = 8
"""Images the newest message may keep; images of earlier messages are forgotten."""


class ChatMemory:
    """What has been said between one client and its character.

    A turn is a user message and the reply to it; what the character says of itself is a turn of its own. A
    user message is always taken; it is cut at its end only if it alone is longer than the bound. Images do
    not count as tokens: only the last message keeps any, `MAX_IMAGES` at most.

    Args:
        max_tokens: the bound, in the tokens of `estimate_tokens`, `PER_MESSAGE` more for each message.
    """

    __slots__ = ("_entries", "_turns", "_view", "max_tokens", "tokens")

    def __init__(self, max_tokens: int = 8192) -> None:
        if max_tokens <= PER_MESSAGE:
            raise ValueError(f"max_tokens must be more than {PER_MESSAGE}, not {max_tokens}")
        self.max_tokens = max_tokens
        self.tokens = 0
        """What is held now; never more than `max_tokens`."""
        # Each with its tokens, and whether it opens a turn; the first one always does.
        self._entries: deque[tuple[ChatMessage, int, bool]] = deque()
        self._turns = 0
        self._view: tuple[ChatMessage, ...] | None = ()

    def add_user(self, text: str, images: Iterable[str] = ()) -> None:
        """A user message: begins a turn. `images` are data URLs; those over `MAX_IMAGES` are left out."""
        self._add(ChatMessage("user", text, tuple(islice(images, MAX_IMAGES))))

    def add_assistant(self, text: str) -> None:
        """The character's reply; an empty one is not stored."""
        if text:
            self._add(ChatMessage("assistant", text))

    def interrupted(
        self, heard: str, method: Literal["user", "system"] = "user", *, replace_last: bool | None = None
    ) -> None:
        """The reply was cut off: keep what was heard of it, and a mark that it was.

        Args:
            heard: the sentences whose playback had begun; may be empty.
            method: the role of the mark.
            replace_last: whether the last message is that reply, stored in full, and `heard` takes its place;
                by default it is if the assistant spoke last.
        """
        if replace_last is None:
            replace_last = bool(self._entries) and self._entries[-1][0].role == "assistant"
        if replace_last and self._entries:
            self._drop_last()
        self.add_assistant(heard)
        self._add(ChatMessage(method, INTERRUPTED))

    def load(self, messages: Sequence[ChatMessage]) -> None:
        """Forget everything and remember these, as far as they fit; costs no more than what fits."""
        self.clear()
        first, room = len(messages), self.max_tokens
        while first > 0 and room > 0:
            first -= 1
            room -= estimate_tokens(messages[first].content) + PER_MESSAGE
        for message in islice(messages, first, None):
            if message.role == "user" and message.content != INTERRUPTED:
                self.add_user(message.content, message.images)
            elif message.content:
                self._add(replace(message, images=()))

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self.tokens = self._turns = 0
        self._view = ()

    def messages(self) -> tuple[ChatMessage, ...]:
        """The talk, oldest first; made anew only after a change."""
        if self._view is None:
            self._view = tuple(entry[0] for entry in self._entries)
        return self._view

    @property
    def last(self) -> ChatMessage | None:
        """The newest message."""
        return self._entries[-1][0] if self._entries else None

    def _opens(self, message: ChatMessage) -> bool:
        if not self._entries:
            return True
        if message.content == INTERRUPTED or message.role == "system":
            return False
        return message.role == "user" or not _asks(self._entries[-1][0])

    def _add(self, message: ChatMessage) -> None:
        entries = self._entries
        self._view = None
        if entries and entries[-1][0].images:
            last, tokens, opened = entries[-1]
            entries[-1] = (replace(last, images=()), tokens, opened)
        opens = self._opens(message)
        tokens = estimate_tokens(message.content) + PER_MESSAGE
        while entries and self.tokens + tokens > self.max_tokens and (opens or self._turns > 1):
            self._drop_turn()
        if self.tokens + tokens > self.max_tokens:
            # Alone with the turn it belongs to, and still too long.
            text = truncate(message.content, self.max_tokens - self.tokens - PER_MESSAGE)
            if not text or message.content == INTERRUPTED:
                return
            message = replace(message, content=text)
            tokens = estimate_tokens(text) + PER_MESSAGE
        entries.append((message, tokens, opens))
        self.tokens += tokens
        self._turns += opens

    def _drop_turn(self) -> None:
        entries = self._entries
        self.tokens -= entries.popleft()[1]
        while entries and not entries[0][2]:
            self.tokens -= entries.popleft()[1]
        self._turns -= 1

    def _drop_last(self) -> None:
        self._view = None
        _, tokens, opened = self._entries.pop()
        self.tokens -= tokens
        self._turns -= opened


def _asks(message: ChatMessage) -> bool:
    return message.role == "user" and message.content != INTERRUPTED
