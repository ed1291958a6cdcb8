"""The records inside the server's messages."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from greenroom.protocol.parts import Part

__all__ = ["ConfigFile", "HistoryEntry", "HistoryMessage", "WakeWords"]


class WakeWords(Part, frozen=True, gc=False):
    """How the character is called; until then it answers nothing."""

    state: Annotated[Literal["active", "listening"], Meta(description="`listening`: it waits to be called.")]
    wake: Annotated[dict[str, list[str]], Meta(description="By language.")]
    end: dict[str, list[str]]
    idle_seconds: Annotated[float, Meta(description="Without a message for so long it goes back; 0: never.")]


class ConfigFile(Part, frozen=True, gc=False, omit_defaults=True):
    """One character that may be chosen."""

    filename: Annotated[str, Meta(description="What `switch-config` takes.")]
    name: Annotated[str, Meta(description="Equals the `conf_name` of the character.")]
    avatar: Annotated[str | None, Meta(description="A file name under `/avatars/`.")] = None
    language: Annotated[str | None, Meta(description="Language tag, for example `en` or `zh`.")] = None
    description: str | None = None
    greeting: Annotated[str | None, Meta(description="What the character says first.")] = None


class HistoryMessage(Part, frozen=True, gc=False, omit_defaults=True):
    """One stored line of a conversation."""

    role: Literal["human", "ai"]
    timestamp: Annotated[str, Meta(description="ISO 8601; to be shown, not to be computed with.")]
    content: str
    name: str | None = None
    avatar: str | None = None
    breaks: Annotated[
        list[tuple[int, str]] | None,
        Meta(
            description="White space that stood between the sentences of `content`, in order: place, in Unicode "
            "code points, and white space. In `history-data`, where it is known."
        ),
    ] = None


class HistoryEntry(Part, frozen=True, gc=False, omit_defaults=True):
    """One stored conversation in a list."""

    uid: str
    latest_message: HistoryMessage | None
    timestamp: Annotated[str | None, Meta(description="ISO 8601, of the latest message.")]
    title: Annotated[str | None, Meta(description="What somebody called it.")] = None
    opening: Annotated[str | None, Meta(description="The beginning of the first thing the visitor said.")] = (
        None
    )
    found: Annotated[
        HistoryMessage | None,
        Meta(description="In `histories-found`: the message with the words, cut to their neighbourhood."),
    ] = None
    undo_seconds: Annotated[
        float | None, Meta(description="It is deleted, and can be brought back for so long.")
    ] = None
