"""The base class of every message, and the small records that messages of both directions share.

Messages are frozen msgspec structs. `gc=False` keeps them out of the garbage collector's lists: they hold
plain JSON values only, so they can never be part of a reference cycle, and a server that creates thousands of
them a second must not pay for scanning them.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

__all__ = ["DisplayText", "Id", "Message", "Part", "wire_type"]

Id = Annotated[str, Meta(min_length=1, max_length=255)]
"""An opaque identifier on the wire: 1 to 255 characters."""


class Part(Struct, frozen=True, gc=False):
    """A record inside a message."""


class Message(Struct, frozen=True, gc=False, tag_field="type"):
    """A whole message; its class names the value of the field `type`."""


def wire_type(message: Message | type[Message]) -> str:
    """Return the value of `type` that this message (or message class) carries on the wire."""
    return str(message.__struct_config__.tag)


class DisplayText(Part, frozen=True, gc=False):
    """What a sentence looks like in the chat: its text and who says it."""

    text: str
    name: Annotated[str | None, Meta(description="The character's name, as shown next to the text.")] = None
    avatar: Annotated[str | None, Meta(description="A file name under `/avatars/`, or none.")] = None
