"""Tests of the base classes in protocol/parts.py."""

from __future__ import annotations

from typing import get_args

import pytest

from greenroom.protocol.client_messages import ClientMessage, TextInput
from greenroom.protocol.parts import Message, wire_type
from greenroom.protocol.server_messages import InterruptNotice, ServerMessage, ToolCallStatus


def test_wire_type_of_message_and_class() -> None:
    """wire_type tells the `type` of an instance and of its class, also where it is not the class's name."""
    assert wire_type(TextInput("hi")) == wire_type(TextInput) == "text-input"
    assert wire_type(InterruptNotice) == "interrupt-signal"
    assert wire_type(ToolCallStatus) == "tool_call_status"


@pytest.mark.parametrize("cls", [*get_args(ClientMessage), *get_args(ServerMessage)])
def test_every_message_is_light(cls: type[Message]) -> None:
    """Every message class is frozen and unknown to the garbage collector; unknown fields are let through."""
    config = cls.__struct_config__
    assert config.frozen
    assert config.gc is False
    assert config.forbid_unknown_fields is False
    assert cls.__doc__


def test_every_message_has_a_wire_type() -> None:
    """No class travels under its Python name, and no two of one direction share a type."""
    for union in (ClientMessage, ServerMessage):
        types = [wire_type(cls) for cls in get_args(union)]
        assert all(name == name.lower() for name in types)
        assert len(set(types)) == len(types)
