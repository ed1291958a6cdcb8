"""Tests of what YouTube's API says, and of its errors."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.live.sources.base import ChatMessage, SourceError
from greenroom.live.sources.youtube_messages import ChatEnded, ChatGone, error_of, message_of


def item(
    kind: str = "textMessageEvent", *, author: Any = None, id: str = "m-1", **snippet: Any
) -> dict[str, Any]:
    """A chat message as the API gives it."""
    if kind == "textMessageEvent" and "textMessageDetails" not in snippet:
        snippet["textMessageDetails"] = {"messageText": "hello"}
    about = {"channelId": "UC-ann", "displayName": "Ann", **(author or {})}
    published = "2023-11-14T22:13:20.500000+00:00"
    return {
        "id": id,
        "snippet": {"type": kind, "authorChannelId": "UC-ann", "publishedAt": published, **snippet},
        "authorDetails": about,
    }


def test_text():
    """Text, names and time are taken."""
    assert message_of(item(), "youtube://v") == ChatMessage(
        "youtube://v", "m-1", "UC-ann", "Ann", "hello", 0, None, 1700000000.5
    )


@pytest.mark.parametrize(
    ("flag", "priority"), [("isChatOwner", 2), ("isChatModerator", 2), ("isChatSponsor", 0)]
)
def test_owner_and_moderators(flag: str, priority: int):
    """The channel's owner and its moderators come first; members are like everybody."""
    message = message_of(item(author={flag: True}), "youtube://v")
    assert message is not None
    assert message.priority == priority


def test_paid():
    """A super chat says how much was paid; a member's milestone counts as paid, too."""
    chat = item("superChatEvent", superChatDetails={"amountDisplayString": "€5.00", "userComment": "sing"})
    milestone = item("memberMilestoneChatEvent", memberMilestoneChatDetails={"userComment": "a year!"})
    silent = item("superChatEvent", superChatDetails={"amountDisplayString": "€5.00"})
    found = [message_of(one, "youtube://v") for one in (chat, milestone, silent)]
    assert [(m.text, m.priority, m.paid) for m in found if m] == [
        ("sing", 1, "€5.00"), ("a year!", 1, "membership"), ("", 1, "€5.00"),
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["superStickerEvent", "newSponsorEvent", "messageDeletedEvent", "new"])
def test_nothing_said(kind: str):
    """Stickers, new members and deletions are no messages."""
    assert message_of(item(kind), "youtube://v") is None


def test_the_end():
    """The chat's own last event ends it."""
    with pytest.raises(ChatEnded):
        message_of(item("chatEndedEvent"), "youtube://v")


VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(VALUES, VALUES)
def test_anything(details: Any, author: Any):
    """Whatever stands in the fields, it is a message or none; an odd error is an error."""
    message_of({"id": "1", "snippet": {"type": "textMessageEvent", "textMessageDetails": details},
                "authorDetails": author}, "youtube://v")  # fmt: skip
    message_of({"id": "1", "snippet": details}, "youtube://v")
    message_of(details, "youtube://v")
    assert isinstance(error_of(500, {"error": details}), Exception)
    assert isinstance(error_of(500, {"error": {"errors": details, "details": [author]}}), Exception)


def failure(reason: str, message: str = "said so") -> dict[str, Any]:
    """An error as the API gives it."""
    return {"error": {"code": 403, "message": message, "errors": [{"reason": reason, "domain": "youtube"}]}}


@pytest.mark.parametrize(
    ("reason", "text", "retryable", "after"),
    [
        ("quotaExceeded", "quota of the API key is used up", True, 1800),
        ("rateLimitExceeded", "asked too often", True, 60),
        ("liveChatDisabled", "has no live chat", False, None),
        ("keyInvalid", "the API key is not valid", False, None),
        ("forbidden", "the chat is not public", False, None),
        ("somethingNew", "HTTP 403: said so", True, None),
    ],
)
def test_errors(reason: str, text: str, retryable: bool, after: float | None):
    """Each reason becomes a sentence, and says whether waiting helps."""
    error = error_of(403, failure(reason))
    assert isinstance(error, SourceError)
    assert text in error.message
    assert (error.retryable, error.retry_after) == (retryable, after)


def test_the_exact_reason_wins():
    """A bad key is told as such, though the outer reason only says that the request was bad."""
    answer = failure("badRequest")
    answer["error"]["details"] = [{"reason": "API_KEY_INVALID"}]
    assert "key is not valid" in str(error_of(400, answer))


def test_ended_and_gone():
    """The end is no error, and a chat that is not known any more is looked for again."""
    assert isinstance(error_of(403, failure("liveChatEnded")), ChatEnded)
    assert isinstance(error_of(404, failure("liveChatNotFound")), ChatGone)
    assert str(error_of(502, {})) == "YouTube answered with HTTP 502"
