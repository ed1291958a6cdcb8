"""Every message the server sends, one class per value of `type`.

Clients in the field read some fields without looking whether they are there, so a field is either always
encoded (also when it is `null` or `[]`) or, in classes marked `omit_defaults`, left out while it is `None`.
Fields the original protocol does not have are optional: clients ignore what they do not know.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, field

from greenroom.protocol.parts import DisplayText, Message
from greenroom.protocol.server_parts import ConfigFile, HistoryEntry, HistoryMessage, WakeWords

__all__ = [
    "Audio",
    "BackendSynthComplete",
    "BackgroundFiles",
    "CharacterState",
    "ConfigFile",
    "ConfigFiles",
    "ConfigSwitched",
    "Control",
    "ControlText",
    "DisplayText",
    "Error",
    "Feature",
    "ForceNewMessage",
    "FullText",
    "GroupOperationResult",
    "GroupUpdate",
    "HeartbeatAck",
    "HistoriesFound",
    "HistoryData",
    "HistoryDeleted",
    "HistoryEntry",
    "HistoryList",
    "HistoryMessage",
    "HistoryRenamed",
    "HistoryRestored",
    "InterruptNotice",
    "NewHistoryCreated",
    "QueueDropped",
    "QueueState",
    "RoomState",
    "ServerMessage",
    "SetModelAndConf",
    "ToolCallStatus",
    "UserInputTranscription",
    "WakeWordState",
    "WakeWords",
]

ControlText = Literal[
    "start-mic",
    "stop-mic",
    "conversation-chain-start",
    "conversation-chain-end",
    "interrupt",
    "mic-audio-end",
]


class Control(Message, frozen=True, gc=False, tag="control"):
    """Tells the client to change its state. The last two texts are for clients that stream the open mic."""

    text: ControlText


class FullText(Message, frozen=True, gc=False, tag="full-text"):
    """Sets the subtitle."""

    text: str


Feature = Literal[
    "character-state", "hearing", "hearing-end", "history-rename", "history-search", "history-undo", "speech"
]
"""What a server can do beyond the original protocol, or in place of guessing:

- `hearing`: it understands recorded speech (`mic-audio-data`, `mic-audio-end`);
- `hearing-end`: it also finds where speech begins and ends in an open microphone (`raw-audio-data`);
- `speech`: the character on stage speaks;
- the others name what may be asked for.
"""


class SetModelAndConf(Message, frozen=True, gc=False, omit_defaults=True, tag="set-model-and-conf"):
    """Says which character is on stage and what it looks like."""

    model_info: Annotated[
        dict[str, Any] | None,
        Meta(description="The Live2D model's settings, at least `url`; null if there is no model."),
    ]
    conf_name: str
    conf_uid: str
    client_uid: str | None = None
    features: Annotated[
        list[Feature] | None,
        Meta(description="What this server can do with this character; absent: not told."),
    ] = None
    wake_words: WakeWords | None = None


class CharacterState(Message, frozen=True, gc=False, omit_defaults=True, tag="character-state"):
    """How the character on stage gets ready; only for those who asked with `fetch-configs`."""

    conf_uid: str
    state: Literal["loading", "ready", "failed"]
    message: Annotated[str | None, Meta(description="Why it failed.")] = None


class ConfigFiles(Message, frozen=True, gc=False, tag="config-files"):
    """The characters there are."""

    configs: list[ConfigFile]


class ConfigSwitched(Message, frozen=True, gc=False, tag="config-switched"):
    """The other character is on stage."""

    message: str


class BackgroundFiles(Message, frozen=True, gc=False, tag="background-files"):
    """The background pictures there are."""

    files: Annotated[list[str], Meta(description="Bare file names; they are served under `/bg/`.")]


class HistoryList(Message, frozen=True, gc=False, omit_defaults=True, tag="history-list"):
    """The stored conversations, newest first."""

    histories: list[HistoryEntry]
    next: Annotated[
        str | None, Meta(description="There are older ones: send it as `before` of `fetch-history-list`.")
    ] = None
    deleted: Annotated[
        list[HistoryEntry] | None,
        Meta(description="Those whose deletion can still be undone, if they were asked for."),
    ] = None


class HistoryData(Message, frozen=True, gc=False, omit_defaults=True, tag="history-data"):
    """The lines of one conversation, oldest first. Replaces the client's chat log."""

    messages: list[HistoryMessage]
    history_uid: str | None = None


class NewHistoryCreated(Message, frozen=True, gc=False, tag="new-history-created"):
    """A new conversation has begun and is the present one."""

    history_uid: str


class HistoryDeleted(Message, frozen=True, gc=False, omit_defaults=True, tag="history-deleted"):
    """Says whether a stored conversation was deleted."""

    success: bool
    history_uid: str
    undo_seconds: Annotated[
        float | None, Meta(description="It can be brought back with `restore-history` for so long.")
    ] = None


class HistoryRestored(Message, frozen=True, gc=False, tag="history-restored"):
    """Says whether a deletion was undone."""

    success: bool
    history_uid: str


class HistoryRenamed(Message, frozen=True, gc=False, tag="history-renamed"):
    """Says whether a stored conversation got its title."""

    success: bool
    history_uid: str
    title: Annotated[str | None, Meta(description="As it was kept; null: none.")]


class HistoriesFound(Message, frozen=True, gc=False, omit_defaults=True, tag="histories-found"):
    """The stored conversations that a search found, newest first."""

    query: str
    histories: list[HistoryEntry]
    next: Annotated[
        str | None,
        Meta(description="Older ones were not looked at yet: send it as `before` of `search-histories`."),
    ] = None


class UserInputTranscription(Message, frozen=True, gc=False, tag="user-input-transcription"):
    """What the visitor was understood to say; shown as the visitor's own line."""

    text: str


class Audio(Message, frozen=True, gc=False, tag="audio"):
    """One sentence of the reply, with or without sound. Played in the order of arrival."""

    audio: Annotated[str | None, Meta(description="A whole WAV file in base64; null for a silent sentence.")]
    volumes: Annotated[
        list[float], Meta(description="Loudness of each slice, 0 to 1, relative to the loudest one.")
    ] = field(default_factory=list)
    slice_length: Annotated[int, Meta(description="Milliseconds covered by one entry of `volumes`.")] = 20
    display_text: DisplayText | None = None
    actions: Annotated[
        dict[str, Any] | None,
        Meta(description="What the model does: `expressions` (numbers or names), `pictures`, `sounds`."),
    ] = None
    forwarded: Annotated[
        bool, Meta(description="True for the text of another member of the group; do not answer it.")
    ] = False
    before: Annotated[
        str | None,
        Meta(
            description="White space between the sentence before and this one in the reply; null: not known."
        ),
    ] = None


class ToolCallStatus(Message, frozen=True, gc=False, omit_defaults=True, tag="tool_call_status"):
    """How far a tool that the character uses has got."""

    tool_id: str
    tool_name: str
    status: Literal["running", "completed", "error"]
    content: str
    timestamp: Annotated[str, Meta(description="ISO 8601, UTC.")]
    name: Annotated[str, Meta(description="The character's name.")]
    browser_view: dict[str, Any] | None = None


class BackendSynthComplete(Message, frozen=True, gc=False, omit_defaults=True, tag="backend-synth-complete"):
    """All sentences are sent; the client answers `frontend-playback-complete` once it has played them."""

    request_id: Annotated[
        str | None, Meta(description="An answer with the same one cannot be taken for another turn's.")
    ] = None


class ForceNewMessage(Message, frozen=True, gc=False, tag="force-new-message"):
    """The next sentence belongs to a new bubble of the chat."""


class InterruptNotice(Message, frozen=True, gc=False, tag="interrupt-signal"):
    """Another member of the group cut in: stop speaking, and do not send a signal back."""

    text: str = "conversation-interrupted"


class GroupUpdate(Message, frozen=True, gc=False, tag="group-update"):
    """Who is in the client's group."""

    members: Annotated[list[str], Meta(description="Client uids; empty without a group.")] = field(
        default_factory=list
    )
    is_owner: bool = False


class GroupOperationResult(Message, frozen=True, gc=False, tag="group-operation-result"):
    """How an invitation or a removal went."""

    success: bool
    message: str


class Error(Message, frozen=True, gc=False, omit_defaults=True, tag="error"):
    """Something the client asked for failed. The connection stays open."""

    message: Annotated[str, Meta(description="In plain words, to be shown to the visitor.")]
    code: Annotated[str | None, Meta(description="A short fixed word that programs can compare.")] = None
    field: Annotated[str | None, Meta(description="The field of the client's message that is wrong.")] = None
    request: Annotated[
        str | None,
        Meta(description="The `type` of the message that is answered by this error and nothing else."),
    ] = None


class HeartbeatAck(Message, frozen=True, gc=False, tag="heartbeat-ack"):
    """The server is alive."""


class WakeWordState(Message, frozen=True, gc=False, omit_defaults=True, tag="wake-word-state"):
    """What the wake-word machine made of the last utterance."""

    client_uid: str
    action: Literal["wake_up", "sleep", "ignored"]
    matched_word: str | None
    language: str | None
    current_state: Literal["listening", "active"]
    stats: Annotated[dict[str, int], Meta(description="`wake_count`, `end_count` and `ignored_count`.")]
    advertisement_control: Annotated[
        dict[str, Any] | None,
        Meta(description="`should_show_ads`, `control_action` and `trigger_reason`."),
    ] = None


class QueueState(Message, frozen=True, gc=False, omit_defaults=True, tag="queue-state"):
    """Your message waits in the room's queue."""

    position: Annotated[
        int, Meta(description="Its place, from 1; 0, only with a `request_id`: it is being answered.")
    ]
    waiting: Annotated[int, Meta(description="How many wait in all.")]
    request_id: Annotated[str | int | None, Meta(description="That of the `text-input`, if it had one.")] = (
        None
    )


class RoomState(Message, frozen=True, gc=False, tag="room-state"):
    """How many watch the room; only for those who asked with `watch-room`."""

    room: str
    viewers: int


class QueueDropped(Message, frozen=True, gc=False, omit_defaults=True, tag="queue-dropped"):
    """Your message will not be answered."""

    reason: Literal["queue-full", "sender-full", "expired", "displaced", "room-closed", "duplicate"]
    retry_after: Annotated[float, Meta(description="Seconds after which trying again makes sense; 0: never.")]
    request_id: Annotated[str | int | None, Meta(description="That of the `text-input`, if it had one.")] = (
        None
    )


ServerMessage = (
    Control
    | FullText
    | SetModelAndConf
    | CharacterState
    | ConfigFiles
    | ConfigSwitched
    | BackgroundFiles
    | HistoryList
    | HistoryData
    | NewHistoryCreated
    | HistoryDeleted
    | HistoryRestored
    | HistoryRenamed
    | HistoriesFound
    | UserInputTranscription
    | Audio
    | ToolCallStatus
    | BackendSynthComplete
    | ForceNewMessage
    | InterruptNotice
    | GroupUpdate
    | GroupOperationResult
    | Error
    | HeartbeatAck
    | QueueState
    | QueueDropped
    | RoomState
    | WakeWordState
)
"""Any message the server sends."""
