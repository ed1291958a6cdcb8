"""What YouTube's API says of a live chat, as chat messages, and its errors as sentences. Sans-I/O."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from greenroom.live.sources.base import EVERYBODY, OWNER, PAID, ChatMessage, Priority, SourceError

__all__ = ["ChatEnded", "ChatGone", "error_of", "message_of"]

QUOTA_PAUSE = 1800.0
"""Seconds to the next attempt when the day's quota is used up; it begins anew at midnight, Pacific time."""


class ChatEnded(Exception):
    """The chat is over: the stream has ended."""


class ChatGone(SourceError):
    """The chat, or the place in it, is not known to YouTube any more: it must be looked for again."""


def message_of(item: Mapping[str, Any], source: str) -> ChatMessage | None:
    """The message of one `liveChatMessage`, if somebody said something. Raises `ChatEnded`."""
    try:
        snippet, author = item["snippet"], item.get("authorDetails") or {}
        kind = snippet["type"]
        if kind == "chatEndedEvent":
            raise ChatEnded
        paid: str | None = None
        if kind == "textMessageEvent":
            text = snippet["textMessageDetails"]["messageText"]
        elif kind == "superChatEvent":
            details = snippet["superChatDetails"]
            text, paid = details.get("userComment") or "", str(details["amountDisplayString"])
        elif kind == "memberMilestoneChatEvent":
            text, paid = snippet["memberMilestoneChatDetails"].get("userComment") or "", "membership"
        else:
            return None  # stickers, gifts, new members, deletions: nothing to answer
        priority: Priority = EVERYBODY if paid is None else PAID
        if author.get("isChatOwner") or author.get("isChatModerator"):
            priority = OWNER
        sender = str(author.get("channelId") or snippet["authorChannelId"])
        return ChatMessage(
            source=source,
            id=str(item["id"]),
            sender_id=sender,
            sender_name=str(author.get("displayName") or sender),
            text=str(text),
            priority=priority,
            paid=paid,
            at=datetime.fromisoformat(str(snippet["publishedAt"])).timestamp(),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


_KEY_HINT = "check the key and that the project has the YouTube Data API v3 switched on"
_REASONS: dict[str, tuple[str, str, bool, float | None]] = {
    "quotaExceeded": (
        "the day's quota of the API key is used up",
        "ask for a larger quota, or set poll_seconds higher",
        True,
        QUOTA_PAUSE,
    ),
    "dailyLimitExceeded": ("the day's quota of the API key is used up", "", True, QUOTA_PAUSE),
    "rateLimitExceeded": ("asked too often", "set poll_seconds higher", True, 60.0),
    "userRateLimitExceeded": ("asked too often", "set poll_seconds higher", True, 60.0),
    "liveChatDisabled": (
        "this stream has no live chat",
        "switch it on in the stream's settings",
        False,
        None,
    ),
    "keyInvalid": ("the API key is not valid", _KEY_HINT, False, None),
    "API_KEY_INVALID": ("the API key is not valid", _KEY_HINT, False, None),
    "badRequest": ("the API refused the request", _KEY_HINT, False, None),
    "accessNotConfigured": ("the API key's project may not use this API", _KEY_HINT, False, None),
    "SERVICE_DISABLED": ("the API key's project may not use this API", _KEY_HINT, False, None),
    "ipRefererBlocked": ("the API key may not be used from this address", _KEY_HINT, False, None),
    "forbidden": ("the chat is not public", "make the stream public or unlisted", False, None),
}
_GONE = {"liveChatNotFound", "pageTokenInvalid", "invalidPageToken"}


def error_of(status: int, answer: Mapping[str, Any]) -> SourceError | ChatEnded:
    """What an answer other than 200 means."""
    reasons = _reasons(answer)
    if "liveChatEnded" in reasons:
        return ChatEnded()
    for reason in reasons:
        if reason in _GONE:
            return ChatGone(f"YouTube does not know the chat any more ({reason})")
        if reason in _REASONS:
            message, hint, retryable, after = _REASONS[reason]
            return SourceError(f"YouTube: {message}", hint, retryable=retryable, retry_after=after)
    error = answer.get("error")
    said = str(error.get("message", ""))[:200] if isinstance(error, Mapping) else ""
    return SourceError(f"YouTube answered with HTTP {status}{': ' + said if said else ''}")


def _reasons(answer: Mapping[str, Any]) -> list[str]:
    """The machine-readable reasons, the most exact first."""
    error = answer.get("error")
    if not isinstance(error, Mapping):
        return []
    found: list[str] = []
    for part in ("details", "errors"):
        entries = error.get(part)
        for entry in entries if isinstance(entries, list) else []:
            if isinstance(entry, Mapping) and isinstance(entry.get("reason"), str):
                found.append(entry["reason"])
    return found
