"""Tests of what the server puts on the wire: which fields are always there, and which are left out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from greenroom.protocol.codec import SERVER_TYPES, decode_server, encode
from greenroom.protocol.server_messages import (
    Audio,
    BackendSynthComplete,
    BackgroundFiles,
    CharacterState,
    ConfigFile,
    ConfigFiles,
    ConfigSwitched,
    Control,
    DisplayText,
    Error,
    ForceNewMessage,
    FullText,
    GroupOperationResult,
    GroupUpdate,
    HeartbeatAck,
    HistoriesFound,
    HistoryData,
    HistoryDeleted,
    HistoryEntry,
    HistoryList,
    HistoryMessage,
    HistoryRenamed,
    HistoryRestored,
    InterruptNotice,
    NewHistoryCreated,
    QueueDropped,
    QueueState,
    RoomState,
    ServerMessage,
    SetModelAndConf,
    ToolCallStatus,
    UserInputTranscription,
    WakeWords,
    WakeWordState,
)

T = "2026-01-02T03:04:05"
LINE = HistoryMessage("ai", T, "Hi.", "Mao", "mao.png")
LINE_SENT = {"role": "ai", "timestamp": T, "content": "Hi.", "name": "Mao", "avatar": "mao.png"}
STATS = {"wake_count": 1, "end_count": 0, "ignored_count": 2}

EXAMPLES: list[tuple[ServerMessage, dict[str, Any]]] = [
    (Control("start-mic"), {"type": "control", "text": "start-mic"}),
    (FullText("Thinking..."), {"type": "full-text", "text": "Thinking..."}),
    (
        SetModelAndConf({"url": "/m.model3.json", "kScale": 0.5}, "Mao", "mao_001", "c1"),
        {
            "type": "set-model-and-conf",
            "model_info": {"url": "/m.model3.json", "kScale": 0.5},
            "conf_name": "Mao",
            "conf_uid": "mao_001",
            "client_uid": "c1",
        },
    ),
    (
        SetModelAndConf(None, "Mao", "mao_001"),
        {"type": "set-model-and-conf", "model_info": None, "conf_name": "Mao", "conf_uid": "mao_001"},
    ),
    (
        ConfigFiles(
            [ConfigFile("conf.yaml", "Mao"), ConfigFile("s.yaml", "Sakura", "s.png", "ja", "A poet.")]
        ),
        {
            "type": "config-files",
            "configs": [
                {"filename": "conf.yaml", "name": "Mao"},
                {
                    "filename": "s.yaml",
                    "name": "Sakura",
                    "avatar": "s.png",
                    "language": "ja",
                    "description": "A poet.",
                },
            ],
        },
    ),
    (
        SetModelAndConf(
            None, "Mao", "mao_001", None, ["speech"], WakeWords("listening", {"en": ["mao"]}, {}, 60.0)
        ),
        {
            "type": "set-model-and-conf",
            "model_info": None,
            "conf_name": "Mao",
            "conf_uid": "mao_001",
            "features": ["speech"],
            "wake_words": {"state": "listening", "wake": {"en": ["mao"]}, "end": {}, "idle_seconds": 60.0},
        },
    ),
    (
        CharacterState("mao_001", "failed", "No model."),
        {"type": "character-state", "conf_uid": "mao_001", "state": "failed", "message": "No model."},
    ),
    (
        CharacterState("mao_001", "ready"),
        {"type": "character-state", "conf_uid": "mao_001", "state": "ready"},
    ),
    (ConfigSwitched("Switched"), {"type": "config-switched", "message": "Switched"}),
    (BackgroundFiles(["a.jpeg"]), {"type": "background-files", "files": ["a.jpeg"]}),
    (
        HistoryList([HistoryEntry("h2", LINE, T), HistoryEntry("h1", None, T)]),
        {
            "type": "history-list",
            "histories": [
                {"uid": "h2", "latest_message": LINE_SENT, "timestamp": T},
                {"uid": "h1", "latest_message": None, "timestamp": T},
            ],
        },
    ),
    (
        HistoryList([], deleted=[HistoryEntry("h", LINE, T, "Tea", "I like tea", LINE, 9.5)]),
        {
            "type": "history-list",
            "histories": [],
            "deleted": [
                {
                    "uid": "h",
                    "latest_message": LINE_SENT,
                    "timestamp": T,
                    "title": "Tea",
                    "opening": "I like tea",
                    "found": LINE_SENT,
                    "undo_seconds": 9.5,
                }
            ],
        },
    ),
    (HistoryList([], next="h1"), {"type": "history-list", "histories": [], "next": "h1"}),
    (
        HistoryData([HistoryMessage("human", T, "Hello"), LINE]),
        {
            "type": "history-data",
            "messages": [{"role": "human", "timestamp": T, "content": "Hello"}, LINE_SENT],
        },
    ),
    (HistoryData([], "h1"), {"type": "history-data", "messages": [], "history_uid": "h1"}),
    (NewHistoryCreated("h"), {"type": "new-history-created", "history_uid": "h"}),
    (HistoryDeleted(False, "h"), {"type": "history-deleted", "success": False, "history_uid": "h"}),
    (
        HistoryDeleted(True, "h", 600.0),
        {"type": "history-deleted", "success": True, "history_uid": "h", "undo_seconds": 600.0},
    ),
    (HistoryRestored(True, "h"), {"type": "history-restored", "success": True, "history_uid": "h"}),
    (
        HistoryRenamed(True, "h", None),
        {"type": "history-renamed", "success": True, "history_uid": "h", "title": None},
    ),
    (
        HistoriesFound("tea", [], "x"),
        {"type": "histories-found", "query": "tea", "histories": [], "next": "x"},
    ),
    (UserInputTranscription("hi"), {"type": "user-input-transcription", "text": "hi"}),
    (
        Audio("UklGRg==", [0.5, 1.0], 20, DisplayText("Hi.", "Mao", None), {"expressions": [3]}),
        {
            "type": "audio",
            "audio": "UklGRg==",
            "volumes": [0.5, 1.0],
            "slice_length": 20,
            "display_text": {"text": "Hi.", "name": "Mao", "avatar": None},
            "actions": {"expressions": [3]},
            "forwarded": False,
            "before": None,
        },
    ),
    (
        Audio(None),
        {
            "type": "audio",
            "audio": None,
            "volumes": [],
            "slice_length": 20,
            "display_text": None,
            "actions": None,
            "forwarded": False,
            "before": None,
        },
    ),
    (
        ToolCallStatus("t1", "search", "running", "", T + "Z", "Mao"),
        {
            "type": "tool_call_status",
            "tool_id": "t1",
            "tool_name": "search",
            "status": "running",
            "content": "",
            "timestamp": T + "Z",
            "name": "Mao",
        },
    ),
    (BackendSynthComplete(), {"type": "backend-synth-complete"}),
    (BackendSynthComplete("r1"), {"type": "backend-synth-complete", "request_id": "r1"}),
    (ForceNewMessage(), {"type": "force-new-message"}),
    (InterruptNotice(), {"type": "interrupt-signal", "text": "conversation-interrupted"}),
    (GroupUpdate(), {"type": "group-update", "members": [], "is_owner": False}),
    (GroupUpdate(["a", "b"], True), {"type": "group-update", "members": ["a", "b"], "is_owner": True}),
    (GroupOperationResult(True, "ok"), {"type": "group-operation-result", "success": True, "message": "ok"}),
    (Error("No."), {"type": "error", "message": "No."}),
    (
        Error("No.", "invalid-message", "text"),
        {"type": "error", "message": "No.", "code": "invalid-message", "field": "text"},
    ),
    (HeartbeatAck(), {"type": "heartbeat-ack"}),
    (QueueState(2, 7), {"type": "queue-state", "position": 2, "waiting": 7}),
    (
        QueueState(0, 7, "m1"),
        {"type": "queue-state", "position": 0, "waiting": 7, "request_id": "m1"},
    ),
    (RoomState("main", 3), {"type": "room-state", "room": "main", "viewers": 3}),
    (QueueDropped("expired", 0.0), {"type": "queue-dropped", "reason": "expired", "retry_after": 0.0}),
    (
        WakeWordState("c1", "ignored", None, None, "listening", STATS),
        {
            "type": "wake-word-state",
            "client_uid": "c1",
            "action": "ignored",
            "matched_word": None,
            "language": None,
            "current_state": "listening",
            "stats": STATS,
        },
    ),
    (
        WakeWordState("c1", "wake_up", "Mao", "en", "active", STATS, {"should_show_ads": False}),
        {
            "type": "wake-word-state",
            "client_uid": "c1",
            "action": "wake_up",
            "matched_word": "Mao",
            "language": "en",
            "current_state": "active",
            "stats": STATS,
            "advertisement_control": {"should_show_ads": False},
        },
    ),
]


@pytest.mark.parametrize(("message", "frame"), EXAMPLES)
def test_example(message: ServerMessage, frame: dict[str, Any]) -> None:
    """A message has exactly the fields the protocol gives it, and reads back as itself."""
    text = encode(message)
    assert json.loads(text) == frame
    assert decode_server(text) == message


def test_examples_cover_every_type() -> None:
    """No message type is without an example."""
    assert {frame["type"] for _, frame in EXAMPLES} == set(SERVER_TYPES)


def test_type_comes_first() -> None:
    """The frame begins with its type, so a log line cut short still tells what it was."""
    assert encode(FullText("x")).startswith('{"type":"full-text"')
