// The wire protocol's message types. Generated from src/greenroom/protocol: do not edit.
// Make it anew with: python -m greenroom.protocol.schema --typescript web/src/protocol.generated.ts

/** A picture the visitor shares with the character. */
export interface Image {
  /** Where it comes from: `camera`, `screen`, `clipboard` or `upload`; may be empty. */
  source?: string;
  /** A data URL (`data:image/jpeg;base64,...`). Other URLs are never fetched. */
  data: string;
  /** For example `image/jpeg`; empty if not told. */
  mime_type?: string;
}

/** What a sentence looks like in the chat: its text and who says it. */
export interface DisplayText {
  text: string;
  /** The character's name, as shown next to the text. */
  name: string | null;
  /** A file name under `/avatars/`, or none. */
  avatar: string | null;
}

/** How the character is called; until then it answers nothing. */
export interface WakeWords {
  /** `listening`: it waits to be called. */
  state: "active" | "listening";
  /** By language. */
  wake: Record<string, string[]>;
  end: Record<string, string[]>;
  /** Without a message for so long it goes back; 0: never. */
  idle_seconds: number;
}

/** One character that may be chosen. */
export interface ConfigFile {
  /** What `switch-config` takes. */
  filename: string;
  /** Equals the `conf_name` of the character. */
  name: string;
  /** A file name under `/avatars/`. */
  avatar?: string;
  /** Language tag, for example `en` or `zh`. */
  language?: string;
  description?: string;
  /** What the character says first. */
  greeting?: string;
}

/** One stored line of a conversation. */
export interface HistoryMessage {
  role: "ai" | "human";
  /** ISO 8601; to be shown, not to be computed with. */
  timestamp: string;
  content: string;
  name?: string;
  avatar?: string;
  /** White space that stood between the sentences of `content`, in order: place, in Unicode code points, and white space. In `history-data`, where it is known. */
  breaks?: [number, string][];
}

/** One stored conversation in a list. */
export interface HistoryEntry {
  uid: string;
  latest_message: HistoryMessage | null;
  /** ISO 8601, of the latest message. */
  timestamp: string | null;
  /** What somebody called it. */
  title?: string;
  /** The beginning of the first thing the visitor said. */
  opening?: string;
  /** In `histories-found`: the message with the words, cut to their neighbourhood. */
  found?: HistoryMessage;
  /** It is deleted, and can be brought back for so long. */
  undo_seconds?: number;
}

/** The visitor wrote something: starts a turn. */
export interface TextInputMessage {
  type: "text-input";
  text: string;
  /** Pictures that go with the message. */
  images?: Image[];
  /** Who wrote it, when a live chat's bot speaks for many viewers. */
  name?: string;
  /** Where it was written, such as `twitch`. */
  platform?: string;
  /** In a room: 0 everybody, 1 paid for, 2 the owner. */
  priority?: number;
  /** In a room: repeated in what is said about this message's place. */
  request_id?: string | number;
}

/** A piece of recorded speech; kept until `mic-audio-end`. */
export interface MicAudioDataMessage {
  type: "mic-audio-data";
  /** Mono samples at 16 kHz, each between -1 and 1. Usually up to 4096 a message. */
  audio: number[];
}

/** The recorded speech is complete: it is transcribed and starts a turn. */
export interface MicAudioEndMessage {
  type: "mic-audio-end";
  /** Pictures that go with the message. */
  images?: Image[];
}

/** A piece of the open microphone's sound; the server itself finds where speech begins and ends. */
export interface RawAudioDataMessage {
  type: "raw-audio-data";
  /** Mono samples at 16 kHz, each between -1 and 1. Usually up to 4096 a message. */
  audio: number[];
}

/** Asks the character to speak on its own. */
export interface AiSpeakSignalMessage {
  type: "ai-speak-signal";
  /** Seconds without activity; -1 if a button was pressed or nobody knows. */
  idle_time?: number;
  /** Pictures that go with the message. */
  images?: Image[];
}

/** The visitor cut in: the running turn ends at once. */
export interface InterruptSignalMessage {
  type: "interrupt-signal";
  /** What has been heard of the reply so far. */
  text?: string;
}

/** The client begins to play a sentence; a group's other members are shown its text. */
export interface AudioPlayStartMessage {
  type: "audio-play-start";
  display_text?: DisplayText;
  forwarded?: boolean;
}

/** The client has played all it got. May arrive any number of times, also unasked. */
export interface FrontendPlaybackCompleteMessage {
  type: "frontend-playback-complete";
  /** That of the `backend-synth-complete` it answers. */
  request_id?: string | number;
}

/** Asks for the list of characters (`config-files`). */
export interface FetchConfigsMessage {
  type: "fetch-configs";
  /** Also tell from now on how the character on stage gets ready (`character-state`). */
  watch?: boolean;
}

/** Asks for another character. */
export interface SwitchConfigMessage {
  type: "switch-config";
  /** A `filename` out of `config-files`. Without it nothing happens. */
  file?: string;
}

/** Asks for the list of background pictures (`background-files`). */
export interface FetchBackgroundsMessage {
  type: "fetch-backgrounds";
}

/** Asks for the present character again (`set-model-and-conf`). */
export interface RequestInitConfigMessage {
  type: "request-init-config";
  client_id?: string;
}

/** Asks for the stored conversations, newest first (`history-list`). */
export interface FetchHistoryListMessage {
  type: "fetch-history-list";
  /** Continue a list: the `next` of the page before. */
  before?: string;
  /** The longest list wanted. */
  limit?: number;
  /** Also list those whose deletion can still be undone (`deleted`). */
  deleted?: boolean;
}

/** Goes on with a stored conversation (`history-data`). */
export interface FetchAndSetHistoryMessage {
  type: "fetch-and-set-history";
  history_uid: string;
}

/** Begins a new conversation (`new-history-created`). */
export interface CreateNewHistoryMessage {
  type: "create-new-history";
}

/** Deletes a stored conversation (`history-deleted`). */
export interface DeleteHistoryMessage {
  type: "delete-history";
  history_uid: string;
  /** Delete it in a way that `restore-history` can undo for a while. */
  undo?: boolean;
}

/** Undoes a deletion (`history-restored`). */
export interface RestoreHistoryMessage {
  type: "restore-history";
  history_uid: string;
}

/** Gives a stored conversation a title (`history-renamed`). */
export interface RenameHistoryMessage {
  type: "rename-history";
  history_uid: string;
  /** Kept to 200 characters; empty takes the title away. */
  title?: string;
}

/** Looks for stored conversations in which all words of the query were said (`histories-found`). */
export interface SearchHistoriesMessage {
  type: "search-histories";
  query: string;
  /** Go on: the `next` of the answer before. */
  before?: string;
  /** The longest list wanted. */
  limit?: number;
}

/** Invites another connected client into one's group (`group-operation-result`). */
export interface AddClientToGroupMessage {
  type: "add-client-to-group";
  invitee_uid: string;
}

/** Removes a member from the group; one's own uid means to leave it. */
export interface RemoveClientFromGroupMessage {
  type: "remove-client-from-group";
  target_uid: string;
}

/** Asks who is in the group (`group-update`). */
export interface RequestGroupInfoMessage {
  type: "request-group-info";
}

/** In a room: asks to be told how many watch, now and when it changes (`room-state`). */
export interface WatchRoomMessage {
  type: "watch-room";
}

/** Asks whether the server is alive (`heartbeat-ack`). */
export interface HeartbeatMessage {
  type: "heartbeat";
}

/** Any message a client may send. */
export type ClientMessage =
  | TextInputMessage
  | MicAudioDataMessage
  | MicAudioEndMessage
  | RawAudioDataMessage
  | AiSpeakSignalMessage
  | InterruptSignalMessage
  | AudioPlayStartMessage
  | FrontendPlaybackCompleteMessage
  | FetchConfigsMessage
  | SwitchConfigMessage
  | FetchBackgroundsMessage
  | RequestInitConfigMessage
  | FetchHistoryListMessage
  | FetchAndSetHistoryMessage
  | CreateNewHistoryMessage
  | DeleteHistoryMessage
  | RestoreHistoryMessage
  | RenameHistoryMessage
  | SearchHistoriesMessage
  | AddClientToGroupMessage
  | RemoveClientFromGroupMessage
  | RequestGroupInfoMessage
  | WatchRoomMessage
  | HeartbeatMessage;

/** Tells the client to change its state. The last two texts are for clients that stream the open mic. */
export interface ControlMessage {
  type: "control";
  text: "conversation-chain-end" | "conversation-chain-start" | "interrupt" | "mic-audio-end" | "start-mic" | "stop-mic";
}

/** Sets the subtitle. */
export interface FullTextMessage {
  type: "full-text";
  text: string;
}

/** Says which character is on stage and what it looks like. */
export interface SetModelAndConfMessage {
  type: "set-model-and-conf";
  /** The Live2D model's settings, at least `url`; null if there is no model. */
  model_info: Record<string, unknown> | null;
  conf_name: string;
  conf_uid: string;
  client_uid?: string;
  /** What this server can do with this character; absent: not told. */
  features?: ("character-state" | "hearing" | "hearing-end" | "history-rename" | "history-search" | "history-undo" | "speech")[];
  wake_words?: WakeWords;
}

/** How the character on stage gets ready; only for those who asked with `fetch-configs`. */
export interface CharacterStateMessage {
  type: "character-state";
  conf_uid: string;
  state: "failed" | "loading" | "ready";
  /** Why it failed. */
  message?: string;
}

/** The characters there are. */
export interface ConfigFilesMessage {
  type: "config-files";
  configs: ConfigFile[];
}

/** The other character is on stage. */
export interface ConfigSwitchedMessage {
  type: "config-switched";
  message: string;
}

/** The background pictures there are. */
export interface BackgroundFilesMessage {
  type: "background-files";
  /** Bare file names; they are served under `/bg/`. */
  files: string[];
}

/** The stored conversations, newest first. */
export interface HistoryListMessage {
  type: "history-list";
  histories: HistoryEntry[];
  /** There are older ones: send it as `before` of `fetch-history-list`. */
  next?: string;
  /** Those whose deletion can still be undone, if they were asked for. */
  deleted?: HistoryEntry[];
}

/** The lines of one conversation, oldest first. Replaces the client's chat log. */
export interface HistoryDataMessage {
  type: "history-data";
  messages: HistoryMessage[];
  history_uid?: string;
}

/** A new conversation has begun and is the present one. */
export interface NewHistoryCreatedMessage {
  type: "new-history-created";
  history_uid: string;
}

/** Says whether a stored conversation was deleted. */
export interface HistoryDeletedMessage {
  type: "history-deleted";
  success: boolean;
  history_uid: string;
  /** It can be brought back with `restore-history` for so long. */
  undo_seconds?: number;
}

/** Says whether a deletion was undone. */
export interface HistoryRestoredMessage {
  type: "history-restored";
  success: boolean;
  history_uid: string;
}

/** Says whether a stored conversation got its title. */
export interface HistoryRenamedMessage {
  type: "history-renamed";
  success: boolean;
  history_uid: string;
  /** As it was kept; null: none. */
  title: string | null;
}

/** The stored conversations that a search found, newest first. */
export interface HistoriesFoundMessage {
  type: "histories-found";
  query: string;
  histories: HistoryEntry[];
  /** Older ones were not looked at yet: send it as `before` of `search-histories`. */
  next?: string;
}

/** What the visitor was understood to say; shown as the visitor's own line. */
export interface UserInputTranscriptionMessage {
  type: "user-input-transcription";
  text: string;
}

/** One sentence of the reply, with or without sound. Played in the order of arrival. */
export interface AudioMessage {
  type: "audio";
  /** A whole WAV file in base64; null for a silent sentence. */
  audio: string | null;
  /** Loudness of each slice, 0 to 1, relative to the loudest one. */
  volumes: number[];
  /** Milliseconds covered by one entry of `volumes`. */
  slice_length: number;
  display_text: DisplayText | null;
  /** What the model does: `expressions` (numbers or names), `pictures`, `sounds`. */
  actions: Record<string, unknown> | null;
  /** True for the text of another member of the group; do not answer it. */
  forwarded: boolean;
  /** White space between the sentence before and this one in the reply; null: not known. */
  before: string | null;
}

/** How far a tool that the character uses has got. */
export interface ToolCallStatusMessage {
  type: "tool_call_status";
  tool_id: string;
  tool_name: string;
  status: "completed" | "error" | "running";
  content: string;
  /** ISO 8601, UTC. */
  timestamp: string;
  /** The character's name. */
  name: string;
  browser_view?: Record<string, unknown>;
}

/** All sentences are sent; the client answers `frontend-playback-complete` once it has played them. */
export interface BackendSynthCompleteMessage {
  type: "backend-synth-complete";
  /** An answer with the same one cannot be taken for another turn's. */
  request_id?: string;
}

/** The next sentence belongs to a new bubble of the chat. */
export interface ForceNewMessage {
  type: "force-new-message";
}

/** Another member of the group cut in: stop speaking, and do not send a signal back. */
export interface InterruptNoticeMessage {
  type: "interrupt-signal";
  text: string;
}

/** Who is in the client's group. */
export interface GroupUpdateMessage {
  type: "group-update";
  /** Client uids; empty without a group. */
  members: string[];
  is_owner: boolean;
}

/** How an invitation or a removal went. */
export interface GroupOperationResultMessage {
  type: "group-operation-result";
  success: boolean;
  message: string;
}

/** Something the client asked for failed. The connection stays open. */
export interface ErrorMessage {
  type: "error";
  /** In plain words, to be shown to the visitor. */
  message: string;
  /** A short fixed word that programs can compare. */
  code?: string;
  /** The field of the client's message that is wrong. */
  field?: string;
  /** The `type` of the message that is answered by this error and nothing else. */
  request?: string;
}

/** The server is alive. */
export interface HeartbeatAckMessage {
  type: "heartbeat-ack";
}

/** Your message waits in the room's queue. */
export interface QueueStateMessage {
  type: "queue-state";
  /** Its place, from 1; 0, only with a `request_id`: it is being answered. */
  position: number;
  /** How many wait in all. */
  waiting: number;
  /** That of the `text-input`, if it had one. */
  request_id?: string | number;
}

/** Your message will not be answered. */
export interface QueueDroppedMessage {
  type: "queue-dropped";
  reason: "displaced" | "duplicate" | "expired" | "queue-full" | "room-closed" | "sender-full";
  /** Seconds after which trying again makes sense; 0: never. */
  retry_after: number;
  /** That of the `text-input`, if it had one. */
  request_id?: string | number;
}

/** How many watch the room; only for those who asked with `watch-room`. */
export interface RoomStateMessage {
  type: "room-state";
  room: string;
  viewers: number;
}

/** What the wake-word machine made of the last utterance. */
export interface WakeWordStateMessage {
  type: "wake-word-state";
  client_uid: string;
  action: "ignored" | "sleep" | "wake_up";
  matched_word: string | null;
  language: string | null;
  current_state: "active" | "listening";
  /** `wake_count`, `end_count` and `ignored_count`. */
  stats: Record<string, number>;
  /** `should_show_ads`, `control_action` and `trigger_reason`. */
  advertisement_control?: Record<string, unknown>;
}

/** Any message the server sends. */
export type ServerMessage =
  | ControlMessage
  | FullTextMessage
  | SetModelAndConfMessage
  | CharacterStateMessage
  | ConfigFilesMessage
  | ConfigSwitchedMessage
  | BackgroundFilesMessage
  | HistoryListMessage
  | HistoryDataMessage
  | NewHistoryCreatedMessage
  | HistoryDeletedMessage
  | HistoryRestoredMessage
  | HistoryRenamedMessage
  | HistoriesFoundMessage
  | UserInputTranscriptionMessage
  | AudioMessage
  | ToolCallStatusMessage
  | BackendSynthCompleteMessage
  | ForceNewMessage
  | InterruptNoticeMessage
  | GroupUpdateMessage
  | GroupOperationResultMessage
  | ErrorMessage
  | HeartbeatAckMessage
  | QueueStateMessage
  | QueueDroppedMessage
  | RoomStateMessage
  | WakeWordStateMessage;

/** The ClientMessage with this `type`. */
export type ClientMessageOf<T extends ClientMessage["type"]> = Extract<ClientMessage, { type: T }>;

/** The ServerMessage with this `type`. */
export type ServerMessageOf<T extends ServerMessage["type"]> = Extract<ServerMessage, { type: T }>;
