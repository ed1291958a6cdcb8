// One of each message of the wire, with every field: a field that changes its name or type fails the type check here,
// also where the page does not use it (see ../../../tests/scripts/test_types.py).

import type {
  AddClientToGroupMessage, AiSpeakSignalMessage, AudioMessage, AudioPlayStartMessage, BackendSynthCompleteMessage,
  BackgroundFilesMessage, CharacterStateMessage, ClientMessage, ConfigFile, ConfigFilesMessage,
  ConfigSwitchedMessage, ControlMessage, DeleteHistoryMessage, DisplayText, ErrorMessage, FetchAndSetHistoryMessage,
  FetchConfigsMessage, FetchHistoryListMessage, FrontendPlaybackCompleteMessage, FullTextMessage,
  GroupOperationResultMessage, GroupUpdateMessage, HistoriesFoundMessage, HistoryDataMessage, HistoryDeletedMessage,
  HistoryEntry, HistoryListMessage, HistoryMessage, HistoryRenamedMessage, HistoryRestoredMessage, Image,
  InterruptNoticeMessage, InterruptSignalMessage, MicAudioDataMessage, MicAudioEndMessage, NewHistoryCreatedMessage,
  QueueDroppedMessage, QueueStateMessage, RawAudioDataMessage, RemoveClientFromGroupMessage, RenameHistoryMessage,
  RequestInitConfigMessage, RestoreHistoryMessage, RoomStateMessage, SearchHistoriesMessage, ServerMessage,
  SetModelAndConfMessage, SwitchConfigMessage, TextInputMessage, ToolCallStatusMessage,
  UserInputTranscriptionMessage, WakeWordStateMessage, WakeWords,
} from "../../src/protocol.generated";

const image: Image = { source: "upload", data: "data:image/png;base64,AA==", mime_type: "image/png" };
const text: DisplayText = { text: "Hello.", name: "White", avatar: null };
const line: HistoryMessage = { role: "ai", timestamp: "2026-01-01T00:00:00Z", content: "Hello.", name: "White", avatar: "w.svg", breaks: [[3, " "]] };
const entry: HistoryEntry = {
  uid: "h1", latest_message: line, timestamp: null, title: "Tea", opening: "Hi", found: line, undo_seconds: 60,
};
const config: ConfigFile = {
  filename: "w.yaml", name: "White", avatar: "w.svg", language: "en", description: "Nice.", greeting: "Hello.",
};
const wakeWords: WakeWords = { state: "listening", wake: { en: ["white"] }, end: {}, idle_seconds: 60 };

export const client: ClientMessage[] = [
  {
    type: "text-input", text: "Hi", images: [image], name: "Ada", platform: "twitch", priority: 1, request_id: "r",
  } satisfies TextInputMessage,
  { type: "mic-audio-data", audio: [0] } satisfies MicAudioDataMessage,
  { type: "mic-audio-end", images: [image] } satisfies MicAudioEndMessage,
  { type: "raw-audio-data", audio: [0] } satisfies RawAudioDataMessage,
  { type: "ai-speak-signal", idle_time: -1, images: [image] } satisfies AiSpeakSignalMessage,
  { type: "interrupt-signal", text: "Hel" } satisfies InterruptSignalMessage,
  { type: "audio-play-start", display_text: text, forwarded: true } satisfies AudioPlayStartMessage,
  { type: "frontend-playback-complete", request_id: "r" } satisfies FrontendPlaybackCompleteMessage,
  { type: "fetch-configs", watch: true } satisfies FetchConfigsMessage,
  { type: "switch-config", file: "w.yaml" } satisfies SwitchConfigMessage,
  { type: "fetch-backgrounds" },
  { type: "request-init-config", client_id: "c" } satisfies RequestInitConfigMessage,
  { type: "fetch-history-list", before: "b", limit: 5, deleted: true } satisfies FetchHistoryListMessage,
  { type: "fetch-and-set-history", history_uid: "h1" } satisfies FetchAndSetHistoryMessage,
  { type: "create-new-history" },
  { type: "delete-history", history_uid: "h1", undo: true } satisfies DeleteHistoryMessage,
  { type: "restore-history", history_uid: "h1" } satisfies RestoreHistoryMessage,
  { type: "rename-history", history_uid: "h1", title: "Tea" } satisfies RenameHistoryMessage,
  { type: "search-histories", query: "tea", before: "b", limit: 5 } satisfies SearchHistoriesMessage,
  { type: "watch-room" },
  { type: "add-client-to-group", invitee_uid: "c" } satisfies AddClientToGroupMessage,
  { type: "remove-client-from-group", target_uid: "c" } satisfies RemoveClientFromGroupMessage,
  { type: "request-group-info" },
  { type: "heartbeat" },
];

export const server: ServerMessage[] = [
  { type: "control", text: "conversation-chain-start" } satisfies ControlMessage,
  { type: "full-text", text: "Hello." } satisfies FullTextMessage,
  {
    type: "set-model-and-conf", model_info: null, conf_name: "White", conf_uid: "w", client_uid: "c",
    features: ["speech"], wake_words: wakeWords,
  } satisfies SetModelAndConfMessage,
  { type: "character-state", conf_uid: "w", state: "failed", message: "No model." } satisfies CharacterStateMessage,
  { type: "config-files", configs: [config] } satisfies ConfigFilesMessage,
  { type: "config-switched", message: "Switched." } satisfies ConfigSwitchedMessage,
  { type: "background-files", files: ["a.svg"] } satisfies BackgroundFilesMessage,
  { type: "history-list", histories: [entry], next: "b", deleted: [entry] } satisfies HistoryListMessage,
  { type: "history-data", messages: [line], history_uid: "h1" } satisfies HistoryDataMessage,
  { type: "new-history-created", history_uid: "h1" } satisfies NewHistoryCreatedMessage,
  { type: "history-deleted", success: true, history_uid: "h1", undo_seconds: 60 } satisfies HistoryDeletedMessage,
  { type: "history-restored", success: true, history_uid: "h1" } satisfies HistoryRestoredMessage,
  { type: "history-renamed", success: true, history_uid: "h1", title: null } satisfies HistoryRenamedMessage,
  { type: "histories-found", query: "tea", histories: [entry], next: "b" } satisfies HistoriesFoundMessage,
  { type: "user-input-transcription", text: "Hi" } satisfies UserInputTranscriptionMessage,
  {
    type: "audio", audio: null, volumes: [], slice_length: 20, display_text: text, actions: null, forwarded: false, before: " ",
  } satisfies AudioMessage,
  {
    type: "tool_call_status", tool_id: "t", tool_name: "clock", status: "running", content: "", name: "White",
    timestamp: "2026-01-01T00:00:00Z", browser_view: {},
  } satisfies ToolCallStatusMessage,
  { type: "backend-synth-complete", request_id: "r" } satisfies BackendSynthCompleteMessage,
  { type: "force-new-message" },
  { type: "interrupt-signal", text: "" } satisfies InterruptNoticeMessage,
  { type: "group-update", members: ["c"], is_owner: true } satisfies GroupUpdateMessage,
  { type: "group-operation-result", success: true, message: "Joined." } satisfies GroupOperationResultMessage,
  { type: "error", message: "No.", code: "busy", field: "text", request: "text-input" } satisfies ErrorMessage,
  { type: "heartbeat-ack" },
  { type: "queue-state", position: 1, waiting: 2, request_id: 1 } satisfies QueueStateMessage,
  { type: "queue-dropped", reason: "expired", retry_after: 0, request_id: 1 } satisfies QueueDroppedMessage,
  { type: "room-state", room: "main", viewers: 3 } satisfies RoomStateMessage,
  {
    type: "wake-word-state", client_uid: "c", action: "wake_up", matched_word: null, language: null,
    current_state: "active", stats: {}, advertisement_control: {},
  } satisfies WakeWordStateMessage,
];
