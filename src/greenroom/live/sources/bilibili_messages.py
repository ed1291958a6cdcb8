"""What a Bilibili room says, as chat messages: danmaku and super chats, nothing else. Sans-I/O.

The fields are positions in a list that grew over ten years; whatever does not look as expected is no message.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from greenroom.live.sources.base import EVERYBODY, OWNER, PAID, ChatMessage, Priority

__all__ = ["message_of"]


def message_of(command: Mapping[str, Any], source: str, owner: int) -> ChatMessage | None:
    """The message in a command, if it is one.

    Args:
        owner: the user id of the room's owner.
    """
    kind = command.get("cmd")
    if not isinstance(kind, str):
        return None
    # "DANMU_MSG:4:0:2:2:2:0" is a danmaku, too
    kind = kind.partition(":")[0]
    try:
        if kind == "DANMU_MSG":
            return _danmaku(command["info"], source, owner)
        if kind == "SUPER_CHAT_MESSAGE":
            return _super_chat(command["data"], source)
    except (KeyError, IndexError, TypeError, ValueError):
        return None
    return None


def _danmaku(info: Any, source: str, owner: int) -> ChatMessage | None:
    meta, text, user = info[0], info[1], info[2]
    uid, name = int(user[0]), str(user[1])
    if not isinstance(text, str):
        return None
    moderator = bool(user[2]) or (owner > 0 and uid == owner)
    return _message(
        source,
        id=_id_of(meta) or f"{meta[4]}-{meta[5]}-{uid}-{name}",
        uid=uid,
        name=name,
        text=text,
        priority=OWNER if moderator else EVERYBODY,
        paid=None,
        at=int(meta[4]) / 1000,
    )


def _super_chat(data: Any, source: str) -> ChatMessage:
    price = f"{float(data['price']):g}"
    return _message(
        source,
        id=f"sc-{data['id']}",
        uid=int(data["uid"]),
        name=str(data["user_info"]["uname"]),
        text=str(data["message"]),
        priority=PAID,
        paid=f"¥{price}",
        at=float(data["start_time"]),
    )


def _message(
    source: str, *, id: str, uid: int, name: str, text: str, priority: Priority, paid: str | None, at: float
) -> ChatMessage:
    # To a reader who is not logged in every viewer has the id 0 and a masked name: better than one for all.
    return ChatMessage(source, id, str(uid) if uid else f"name:{name}", name, text, priority, paid, at)


def _id_of(meta: Any) -> str:
    """The message's own id, in a JSON text within the list; empty in older forms."""
    extra = meta[15].get("extra") if len(meta) > 15 and isinstance(meta[15], dict) else None
    if not isinstance(extra, str):
        return ""
    try:
        found = msgspec.json.decode(extra)
    except msgspec.DecodeError:
        return ""
    return str(found.get("id_str") or "") if isinstance(found, dict) else ""
