"""Tests of what a Bilibili room says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.live.sources.base import ChatMessage
from greenroom.live.sources.bilibili_messages import message_of


def danmaku(text: Any = "你好", uid: Any = 7, name: str = "小明", admin: int = 0, extra: Any = None) -> Any:
    """A danmaku as the site sends it."""
    meta: list[Any] = [0, 1, 25, 16777215, 1700000000500, 99, 0, "hash", 0, 0, 0, "", 0, {}, {}]
    meta.append({"extra": json.dumps({"id_str": "m-1"}) if extra is None else extra})
    return {"cmd": "DANMU_MSG", "info": [meta, text, [uid, name, admin, 0, 0], [], [], []]}


def read(command: Any, owner: int = 1) -> ChatMessage | None:
    """The message of a command in a room whose owner is user 1."""
    return message_of(command, "bilibili://5", owner)


def test_danmaku():
    """Text, name, id and time are taken from their places."""
    assert read(danmaku()) == ChatMessage("bilibili://5", "m-1", "7", "小明", "你好", 0, None, 1700000000.5)


def test_a_longer_command_name():
    """The command may carry numbers behind its name."""
    assert read({**danmaku(), "cmd": "DANMU_MSG:4:0:2:2:2:0"}) is not None


@pytest.mark.parametrize(("uid", "admin", "priority"), [(7, 0, 0), (7, 1, 2), (1, 0, 2)])
def test_owner_and_moderators(uid: int, admin: int, priority: int):
    """The room's owner and its moderators come first."""
    message = read(danmaku(uid=uid, admin=admin))
    assert message is not None
    assert message.priority == priority


def test_hidden_users():
    """Viewers whose id is hidden are told apart by their masked names, and none of them is the owner."""
    one, other = read(danmaku(uid=0, name="小***")), read(danmaku(uid=0, name="明***"), owner=0)
    assert one is not None
    assert other is not None
    assert one.sender_id != other.sender_id
    assert (one.priority, other.priority) == (0, 0)


@pytest.mark.parametrize("extra", ["", "no json", "[]", "{}", 5])
def test_without_an_id(extra: Any):
    """Older forms have no id: one is made of what tells messages apart."""
    one, other = read(danmaku(extra=extra)), read(danmaku(extra=extra, uid=8))
    assert one is not None
    assert other is not None
    assert one.id != other.id


def test_super_chat():
    """A super chat is paid, and says how much."""
    data = {"id": 44, "uid": 7, "price": 30, "message": "唱歌", "start_time": 1700000001,
            "user_info": {"uname": "小明"}}  # fmt: skip
    assert read({"cmd": "SUPER_CHAT_MESSAGE", "data": data}) == ChatMessage(
        "bilibili://5", "sc-44", "7", "小明", "唱歌", 1, "¥30", 1700000001.0
    )


@pytest.mark.parametrize(
    "command",
    [
        {},
        {"cmd": 5},
        {"cmd": "SEND_GIFT", "data": {"giftName": "x"}},
        {"cmd": "SUPER_CHAT_MESSAGE_JPN", "data": {}},
        {"cmd": "SUPER_CHAT_MESSAGE", "data": {"id": 1}},
        {"cmd": "DANMU_MSG"},
        {"cmd": "DANMU_MSG", "info": []},
        {"cmd": "DANMU_MSG", "info": {"a": 1}},
        danmaku(text={"a": 1}),
        danmaku(uid="x"),
    ],
)
def test_not_a_message(command: Any):
    """Gifts, and whatever does not look as expected, are passed over."""
    assert read(command) is None


VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=20,
)


@given(VALUES)
def test_anything(value: Any):
    """Whatever stands in the fields, it is a message or none."""
    read({"cmd": "DANMU_MSG", "info": value})
    read({"cmd": "SUPER_CHAT_MESSAGE", "data": value})
