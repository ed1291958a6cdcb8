"""Every message a client may send, one class per value of `type`.

The rule for leniency: a field is required only if the message means nothing without it. Fields we do not know
are ignored, so newer clients and `request_id` (which some put on any message) do no harm. The codec also
takes `null` for any optional field as if the field were absent.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, field

from greenroom.protocol.parts import DisplayText, Id, Message, Part

__all__ = [
    "AddClientToGroup",
    "AiSpeakSignal",
    "AudioPlayStart",
    "ClientMessage",
    "CreateNewHistory",
    "DeleteHistory",
    "DisplayText",
    "FetchAndSetHistory",
    "FetchBackgrounds",
    "FetchConfigs",
    "FetchHistoryList",
    "FrontendPlaybackComplete",
    "Heartbeat",
    "Image",
    "InterruptSignal",
    "MicAudioData",
    "MicAudioEnd",
    "RawAudioData",
    "RemoveClientFromGroup",
    "RenameHistory",
    "RequestGroupInfo",
    "RequestInitConfig",
    "RestoreHistory",
    "SearchHistories",
    "SwitchConfig",
    "TextInput",
    "WatchRoom",
]


class Image(Part, frozen=True, gc=False, kw_only=True):
    """A picture the visitor shares with the character."""

    source: Annotated[
        str,
        Meta(description="Where it comes from: `camera`, `screen`, `clipboard` or `upload`; may be empty."),
    ] = ""
    data: Annotated[
        str, Meta(description="A data URL (`data:image/jpeg;base64,...`). Other URLs are never fetched.")
    ]
    mime_type: Annotated[str, Meta(description="For example `image/jpeg`; empty if not told.")] = ""


Images = Annotated[list[Image], Meta(description="Pictures that go with the message.")]

Samples = Annotated[
    list[float],
    Meta(description="Mono samples at 16 kHz, each between -1 and 1. Usually up to 4096 a message."),
]


RequestId = str | Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]


class TextInput(Message, frozen=True, gc=False, tag="text-input"):
    """The visitor wrote something: starts a turn."""

    text: str
    images: Images = field(default_factory=list)
    name: Annotated[
        Annotated[str, Meta(max_length=100)] | None,
        Meta(description="Who wrote it, when a live chat's bot speaks for many viewers."),
    ] = None
    platform: Annotated[
        Annotated[str, Meta(max_length=40)] | None,
        Meta(description="Where it was written, such as `twitch`."),
    ] = None
    priority: Annotated[
        Annotated[int, Meta(ge=0, le=2)] | None,
        Meta(description="In a room: 0 everybody, 1 paid for, 2 the owner."),
    ] = None
    request_id: Annotated[
        RequestId | None, Meta(description="In a room: repeated in what is said about this message's place.")
    ] = None


class MicAudioData(Message, frozen=True, gc=False, tag="mic-audio-data"):
    """A piece of recorded speech; kept until `mic-audio-end`."""

    audio: Samples


class MicAudioEnd(Message, frozen=True, gc=False, tag="mic-audio-end"):
    """The recorded speech is complete: it is transcribed and starts a turn."""

    images: Images = field(default_factory=list)


class RawAudioData(Message, frozen=True, gc=False, tag="raw-audio-data"):
    """A piece of the open microphone's sound; the server itself finds where speech begins and ends."""

    audio: Samples


class AiSpeakSignal(Message, frozen=True, gc=False, tag="ai-speak-signal"):
    """Asks the character to speak on its own."""

    idle_time: Annotated[
        float, Meta(description="Seconds without activity; -1 if a button was pressed or nobody knows.")
    ] = -1.0
    images: Images = field(default_factory=list)


class InterruptSignal(Message, frozen=True, gc=False, tag="interrupt-signal"):
    """The visitor cut in: the running turn ends at once."""

    text: Annotated[str, Meta(description="What has been heard of the reply so far.")] = ""


class AudioPlayStart(Message, frozen=True, gc=False, tag="audio-play-start"):
    """The client begins to play a sentence; a group's other members are shown its text."""

    display_text: DisplayText | None = None
    forwarded: bool = True


class FrontendPlaybackComplete(Message, frozen=True, gc=False, tag="frontend-playback-complete"):
    """The client has played all it got. May arrive any number of times, also unasked."""

    request_id: Annotated[
        RequestId | None, Meta(description="That of the `backend-synth-complete` it answers.")
    ] = None


class FetchConfigs(Message, frozen=True, gc=False, tag="fetch-configs"):
    """Asks for the list of characters (`config-files`)."""

    watch: Annotated[
        bool,
        Meta(description="Also tell from now on how the character on stage gets ready (`character-state`)."),
    ] = False


class SwitchConfig(Message, frozen=True, gc=False, tag="switch-config"):
    """Asks for another character."""

    file: Annotated[
        str | None, Meta(description="A `filename` out of `config-files`. Without it nothing happens.")
    ] = None


class FetchBackgrounds(Message, frozen=True, gc=False, tag="fetch-backgrounds"):
    """Asks for the list of background pictures (`background-files`)."""


class RequestInitConfig(Message, frozen=True, gc=False, tag="request-init-config"):
    """Asks for the present character again (`set-model-and-conf`)."""

    client_id: str | None = None


class FetchHistoryList(Message, frozen=True, gc=False, tag="fetch-history-list"):
    """Asks for the stored conversations, newest first (`history-list`)."""

    before: Annotated[Id | None, Meta(description="Continue a list: the `next` of the page before.")] = None
    limit: Annotated[
        Annotated[int, Meta(ge=1, le=1000)] | None, Meta(description="The longest list wanted.")
    ] = None
    deleted: Annotated[
        bool, Meta(description="Also list those whose deletion can still be undone (`deleted`).")
    ] = False


class FetchAndSetHistory(Message, frozen=True, gc=False, tag="fetch-and-set-history"):
    """Goes on with a stored conversation (`history-data`)."""

    history_uid: Id


class CreateNewHistory(Message, frozen=True, gc=False, tag="create-new-history"):
    """Begins a new conversation (`new-history-created`)."""


class DeleteHistory(Message, frozen=True, gc=False, tag="delete-history"):
    """Deletes a stored conversation (`history-deleted`)."""

    history_uid: Id
    undo: Annotated[
        bool, Meta(description="Delete it in a way that `restore-history` can undo for a while.")
    ] = False


class RestoreHistory(Message, frozen=True, gc=False, tag="restore-history"):
    """Undoes a deletion (`history-restored`)."""

    history_uid: Id


class RenameHistory(Message, frozen=True, gc=False, tag="rename-history"):
    """Gives a stored conversation a title (`history-renamed`)."""

    history_uid: Id
    title: Annotated[
        Annotated[str, Meta(max_length=1000)] | None,
        Meta(description="Kept to 200 characters; empty takes the title away."),
    ] = None


class SearchHistories(Message, frozen=True, gc=False, tag="search-histories"):
    """Looks for stored conversations in which all words of the query were said (`histories-found`)."""

    query: Annotated[str, Meta(max_length=200)]
    before: Annotated[Id | None, Meta(description="Go on: the `next` of the answer before.")] = None
    limit: Annotated[
        Annotated[int, Meta(ge=1, le=1000)] | None, Meta(description="The longest list wanted.")
    ] = None


class AddClientToGroup(Message, frozen=True, gc=False, tag="add-client-to-group"):
    """Invites another connected client into one's group (`group-operation-result`)."""

    invitee_uid: Id


class RemoveClientFromGroup(Message, frozen=True, gc=False, tag="remove-client-from-group"):
    """Removes a member from the group; one's own uid means to leave it."""

    target_uid: Id


class RequestGroupInfo(Message, frozen=True, gc=False, tag="request-group-info"):
    """Asks who is in the group (`group-update`)."""


class WatchRoom(Message, frozen=True, gc=False, tag="watch-room"):
    """In a room: asks to be told how many watch, now and when it changes (`room-state`)."""


class Heartbeat(Message, frozen=True, gc=False, tag="heartbeat"):
    """Asks whether the server is alive (`heartbeat-ack`)."""


ClientMessage = (
    TextInput
    | MicAudioData
    | MicAudioEnd
    | RawAudioData
    | AiSpeakSignal
    | InterruptSignal
    | AudioPlayStart
    | FrontendPlaybackComplete
    | FetchConfigs
    | SwitchConfig
    | FetchBackgrounds
    | RequestInitConfig
    | FetchHistoryList
    | FetchAndSetHistory
    | CreateNewHistory
    | DeleteHistory
    | RestoreHistory
    | RenameHistory
    | SearchHistories
    | AddClientToGroup
    | RemoveClientFromGroup
    | RequestGroupInfo
    | WatchRoom
    | Heartbeat
)
"""Any message a client may send."""
