"""Tests of what clients may send: the protocol's own examples, and where we are lenient or strict."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from greenroom.protocol.client_messages import (
    AddClientToGroup,
    AiSpeakSignal,
    AudioPlayStart,
    ClientMessage,
    CreateNewHistory,
    DeleteHistory,
    DisplayText,
    FetchAndSetHistory,
    FetchBackgrounds,
    FetchConfigs,
    FetchHistoryList,
    FrontendPlaybackComplete,
    Heartbeat,
    Image,
    InterruptSignal,
    MicAudioData,
    MicAudioEnd,
    RawAudioData,
    RemoveClientFromGroup,
    RenameHistory,
    RequestGroupInfo,
    RequestInitConfig,
    RestoreHistory,
    SearchHistories,
    SwitchConfig,
    TextInput,
    WatchRoom,
)
from greenroom.protocol.codec import TYPES, InvalidMessage, decode

DATA = "data:image/jpeg;base64,/9j/4AAQ"
PICTURE = {"source": "camera", "data": DATA, "mime_type": "image/jpeg"}
PICTURE_READ = Image(source="camera", data=DATA, mime_type="image/jpeg")
SENTENCE = {"text": "Hi.", "name": "Mao", "avatar": "mao.png"}

EXAMPLES: list[tuple[dict[str, Any], ClientMessage]] = [
    ({"type": "text-input", "text": "Hello", "images": []}, TextInput("Hello")),
    ({"type": "text-input", "text": "Hello", "images": [PICTURE]}, TextInput("Hello", [PICTURE_READ])),
    ({"type": "text-input", "text": "666", "name": "viewer"}, TextInput("666", name="viewer")),
    ({"type": "text-input", "text": "Hi", "request_id": 3}, TextInput("Hi", request_id=3)),
    ({"type": "mic-audio-data", "audio": [0, 0.5, -1]}, MicAudioData([0.0, 0.5, -1.0])),
    ({"type": "mic-audio-end", "images": [PICTURE]}, MicAudioEnd([PICTURE_READ])),
    ({"type": "raw-audio-data", "audio": [0.25]}, RawAudioData([0.25])),
    ({"type": "ai-speak-signal", "idle_time": 5.5, "images": []}, AiSpeakSignal(5.5)),
    ({"type": "interrupt-signal", "text": "I was just"}, InterruptSignal("I was just")),
    (
        {"type": "audio-play-start", "display_text": SENTENCE, "forwarded": True},
        AudioPlayStart(DisplayText("Hi.", "Mao", "mao.png"), True),
    ),
    ({"type": "frontend-playback-complete"}, FrontendPlaybackComplete()),
    ({"type": "frontend-playback-complete", "request_id": "r1"}, FrontendPlaybackComplete("r1")),
    ({"type": "fetch-configs"}, FetchConfigs()),
    ({"type": "fetch-configs", "watch": True}, FetchConfigs(True)),
    ({"type": "switch-config", "file": "sakura.yaml"}, SwitchConfig("sakura.yaml")),
    ({"type": "fetch-backgrounds"}, FetchBackgrounds()),
    ({"type": "request-init-config", "client_id": "a1"}, RequestInitConfig("a1")),
    ({"type": "fetch-history-list"}, FetchHistoryList()),
    ({"type": "fetch-history-list", "before": "x", "limit": 50}, FetchHistoryList("x", 50)),
    ({"type": "fetch-history-list", "deleted": True}, FetchHistoryList(deleted=True)),
    ({"type": "fetch-and-set-history", "history_uid": "h"}, FetchAndSetHistory("h")),
    ({"type": "create-new-history"}, CreateNewHistory()),
    ({"type": "delete-history", "history_uid": "h" * 255}, DeleteHistory("h" * 255)),
    ({"type": "delete-history", "history_uid": "h", "undo": True}, DeleteHistory("h", True)),
    ({"type": "restore-history", "history_uid": "h"}, RestoreHistory("h")),
    ({"type": "rename-history", "history_uid": "h", "title": "Tea"}, RenameHistory("h", "Tea")),
    ({"type": "search-histories", "query": "tea"}, SearchHistories("tea")),
    ({"type": "add-client-to-group", "invitee_uid": "u"}, AddClientToGroup("u")),
    ({"type": "remove-client-from-group", "target_uid": "u"}, RemoveClientFromGroup("u")),
    ({"type": "request-group-info"}, RequestGroupInfo()),
    ({"type": "watch-room"}, WatchRoom()),
    ({"type": "heartbeat"}, Heartbeat()),
]


@pytest.mark.parametrize(("frame", "message"), EXAMPLES)
def test_example(frame: dict[str, Any], message: ClientMessage) -> None:
    """A frame as official clients send it becomes the message it means."""
    assert decode(json.dumps(frame)) == message
    assert decode(json.dumps(frame).encode()) == message


def test_examples_cover_every_type() -> None:
    """No message type is without an example, and the protocol's list of types is complete."""
    assert {frame["type"] for frame, _ in EXAMPLES} == set(TYPES)
    assert len(TYPES) == 24


@pytest.mark.parametrize(("frame", "message"), EXAMPLES)
def test_request_id_and_unknown_fields(frame: dict[str, Any], message: ClientMessage) -> None:
    """Any message may carry a request id and fields from the future."""
    more = {"request_id": "7", "metadata": {"skip_tts": True, "deep": [[{}]]}, **frame}
    if isinstance(message, FrontendPlaybackComplete | TextInput):
        message = msgspec.structs.replace(message, request_id=more["request_id"])
    assert decode(json.dumps(more)) == message


LENIENT: list[tuple[str, ClientMessage]] = [
    ('{"text":"hi","type":"text-input"}', TextInput("hi")),
    ('{"type":"text-input","text":""}', TextInput("")),
    ('{"type":"text-input","text":"hi","images":null}', TextInput("hi")),
    ('{"type":"text-input","text":"hi","images":null,"name":null}', TextInput("hi")),
    ('{"type":"text-input","text":"hi","images":[{"data":"d"}]}', TextInput("hi", [Image(data="d")])),
    (
        '{"type":"mic-audio-end","images":[{"data":"d","source":null,"mime_type":null}]}',
        MicAudioEnd([Image(data="d")]),
    ),
    ('{"type":"mic-audio-end"}', MicAudioEnd()),
    ('{"type":"mic-audio-end","images":null}', MicAudioEnd()),
    ('{"type":"mic-audio-data","audio":[]}', MicAudioData([])),
    ('{"type":"ai-speak-signal"}', AiSpeakSignal(-1.0)),
    ('{"type":"ai-speak-signal","idle_time":null,"images":null}', AiSpeakSignal(-1.0)),
    ('{"type":"ai-speak-signal","idle_time":3}', AiSpeakSignal(3.0)),
    ('{"type":"interrupt-signal"}', InterruptSignal("")),
    ('{"type":"interrupt-signal","text":null}', InterruptSignal("")),
    ('{"type":"audio-play-start"}', AudioPlayStart()),
    ('{"type":"audio-play-start","display_text":null,"forwarded":null}', AudioPlayStart()),
    ('{"type":"audio-play-start","display_text":{"text":"x"}}', AudioPlayStart(DisplayText("x"))),
    ('{"type":"frontend-playback-complete","request_id":7}', FrontendPlaybackComplete(7)),
    ('{"type":"frontend-playback-complete","request_id":null}', FrontendPlaybackComplete()),
    ('{"type":"switch-config"}', SwitchConfig()),
    ('{"type":"request-init-config"}', RequestInitConfig()),
    ('{"type":"fetch-history-list","before":null,"limit":null}', FetchHistoryList()),
    (' \n{"type" : "heartbeat"}\r\n', Heartbeat()),
    ('{"type":"text-input","text":"a","text":"b"}', TextInput("b")),
    (r'{"type":"text-input","text":"\ud83d\ude00"}', TextInput("😀")),
    (r'{"type":"text-input","text":"cut \ud83d"}', TextInput("cut \ufffd")),
    (r'{"type":"text-input","text":"\uDE00 cut","images":null}', TextInput("\ufffd cut")),
    (r'{"type":"text-input","text":"\\ud83d \ud83d"}', TextInput("\\ud83d \ufffd")),
]


@pytest.mark.parametrize(("frame", "message"), LENIENT)
def test_lenient(frame: str, message: ClientMessage) -> None:
    """Sloppiness that leaves no doubt about the meaning is let through."""
    assert decode(frame) == message
    assert decode(frame.encode()) == message


STRICT: list[tuple[str, str]] = [
    ('{"type":"text-input"}', "text"),
    ('{"type":"text-input","text":null}', "text"),
    ('{"type":"text-input","text":5}', "text"),
    ('{"type":"text-input","text":["hi"]}', "text"),
    ('{"type":"text-input","text":"hi","images":{}}', "images"),
    ('{"type":"text-input","text":"hi","images":[null]}', "images[0]"),
    ('{"type":"text-input","text":"hi","images":[{"source":"camera"}]}', "images[0].data"),
    ('{"type":"text-input","text":"hi","images":[{"data":"d"},{"data":5}]}', "images[1].data"),
    ('{"type":"text-input","text":"hi","name":5}', "name"),
    ('{"type":"mic-audio-data"}', "audio"),
    ('{"type":"mic-audio-data","audio":"UklGRg=="}', "audio"),
    ('{"type":"mic-audio-data","audio":[0,null]}', "audio[1]"),
    ('{"type":"raw-audio-data","audio":[true]}', "audio[0]"),
    ('{"type":"raw-audio-data","audio":[1e999]}', "audio[0]"),
    ('{"type":"ai-speak-signal","idle_time":"5"}', "idle_time"),
    ('{"type":"interrupt-signal","text":false}', "text"),
    ('{"type":"audio-play-start","display_text":"hi"}', "display_text"),
    ('{"type":"audio-play-start","display_text":{"text":null}}', "display_text.text"),
    ('{"type":"frontend-playback-complete","request_id":[]}', "request_id"),
    ('{"type":"frontend-playback-complete","request_id":99999999999999999999}', "request_id"),
    ('{"type":"switch-config","file":1}', "file"),
    ('{"type":"fetch-history-list","limit":0}', "limit"),
    ('{"type":"fetch-history-list","limit":1001}', "limit"),
    ('{"type":"fetch-history-list","limit":1.5}', "limit"),
    ('{"type":"fetch-history-list","before":""}', "before"),
    ('{"type":"fetch-and-set-history"}', "history_uid"),
    ('{"type":"fetch-and-set-history","history_uid":""}', "history_uid"),
    ('{"type":"delete-history","history_uid":"' + "h" * 256 + '"}', "history_uid"),
    ('{"type":"delete-history","history_uid":7}', "history_uid"),
    ('{"type":"add-client-to-group"}', "invitee_uid"),
    ('{"type":"remove-client-from-group","target_uid":null}', "target_uid"),
]


@pytest.mark.parametrize(("frame", "field"), STRICT)
def test_strict(frame: str, field: str) -> None:
    """A frame whose meaning would be guessed is refused, and the error names its type and field."""
    with pytest.raises(InvalidMessage) as caught:
        decode(frame)
    assert caught.value.field == field
    assert caught.value.type == json.loads(frame)["type"]
    assert f"`{field}`" in caught.value.message


def test_defaults_are_not_shared() -> None:
    """Two messages without pictures do not share one list."""
    first, second = TextInput("a"), decode('{"type":"text-input","text":"b"}')
    assert isinstance(second, TextInput)
    first.images.append(PICTURE_READ)
    assert second.images == []
    assert TextInput("c").images == []
