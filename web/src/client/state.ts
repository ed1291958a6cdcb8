// What the page knows. Plain data: the reducer in session.ts is the only one to make a new state.

import type { ConfigFile, HistoryEntry, Image, SetModelAndConfMessage, WakeWords } from "../protocol.generated";
import type { CloseReason } from "./connection";

/** One sentence of a reply. `begun` once it was spoken (or shown, if silent); `cut` if it never will be. */
export interface Sentence {
  id: number;
  text: string;
  /** White space between it and the sentence before; null: the server does not tell. */
  before: string | null;
  begun: boolean;
  cut: boolean;
}

/** A picture to be sent, and its small copy that stays in the chat. */
export interface Picture {
  image: Image;
  thumbnail: string;
}

export interface HumanItem {
  kind: "human";
  id: number;
  text: string;
  thumbnails: string[];
  at: number | null;
  /** Said by somebody else in the room. */
  other?: boolean;
}

export interface AiItem {
  kind: "ai";
  id: number;
  turn: number;
  name: string | null;
  avatar: string | null;
  sentences: Sentence[];
  interrupted: boolean;
  at: number | null;
}

export interface ToolItem {
  kind: "tool";
  id: number;
  toolId: string;
  toolName: string;
  status: "running" | "completed" | "error";
  content: string;
}

/** Something that went wrong with the message before it. `retry` is the text to send once more. */
export interface ErrorItem {
  kind: "error";
  id: number;
  /** The turn that it was told in. */
  turn: number;
  text: string;
  code: string | null;
  retry: string | null;
}

export type NoticeWord =
  | "stopped"
  | "resumed"
  | "resumed-cut"
  | "restarted"
  | "restarted-cut"
  | "gone"
  | "not-arrived"
  | "not-awake"
  | "asleep"
  | "not-heard"
  | "room-back"
  | "room-switched";

export interface NoticeItem {
  kind: "notice";
  id: number;
  word: NoticeWord;
}

export type ChatItem = HumanItem | AiItem | ToolItem | ErrorItem | NoticeItem;

/**
 * idle: nothing runs. waiting: sent, not yet taken up. thinking, replying: the turn runs.
 * interrupted: cut short here; what is still on its way is dropped until the next turn begins.
 */
export type Phase = "idle" | "waiting" | "thinking" | "replying" | "interrupted";

export interface Toast {
  id: number;
  kind: "error" | "info";
  text: string;
  code: string | null;
  /** The conversation whose deletion this message offers to undo. */
  undo?: string;
}

/** What to restore when the connection is back. */
export interface Resume {
  confUid: string | null;
  file: string | null;
  history: string | null;
  /** A turn was running. */
  cut: boolean;
  /** Sent, but the server had not taken it up. */
  unanswered: string | null;
  reason: CloseReason;
}

/** The conversation that was left for another character: that one may fail to come. */
export interface Left {
  confUid: string | null;
  history: string | null;
}

/** A conversation whose deletion can be undone until `until` (milliseconds since 1970). */
export interface Deleted {
  entry: HistoryEntry;
  until: number;
}

/** A search in the conversations; `entries` are those of the query before while `pending`. */
export interface Search {
  query: string;
  pending: boolean;
  entries: HistoryEntry[];
  /** Older conversations were not looked at yet. */
  next: string | null;
}

export type DropReason = "queue-full" | "sender-full" | "expired" | "displaced" | "room-closed" | "duplicate";

/**
 * A message of ours in a room that is not being answered yet.
 * sent: on its way. waiting: in the queue. dropped: it will not be answered. unknown: the connection broke.
 */
export interface Queued {
  id: number;
  text: string;
  pictures: Picture[];
  state: "sent" | "waiting" | "dropped" | "unknown";
  position: number;
  waiting: number;
  reason: DropReason | null;
  /** Trying again makes sense from then on (milliseconds since 1970); null: never. */
  retryAt: number | null;
}

export type Feature = NonNullable<SetModelAndConfMessage["features"]>[number];

export interface SessionState {
  nextId: number;
  connected: boolean;
  confName: string | null;
  confUid: string | null;
  moods: string[];
  /** What the server can do beyond the original protocol; null: it does not tell. */
  features: readonly Feature[] | null;
  /** The server has asked for the microphone. */
  micWanted: boolean;
  characters: ConfigFile[];
  /** The character whose agent is being made. */
  loading: string | null;
  /** Why characters could not be had, by file. */
  failures: Readonly<Record<string, string>>;
  switchingTo: string | null;
  backgrounds: string[];
  histories: HistoryEntry[];
  moreHistories: string | null;
  /** Lists asked for and not yet answered, in order. */
  listRequests: ("all" | "again" | "more")[];
  deleted: Deleted[];
  search: Search | null;
  history: string | null;
  /** Conversations asked for and not yet answered, in order. */
  opening: string[];
  items: ChatItem[];
  /** New conversations asked for and not yet answered. What is said meanwhile belongs to the newest of them. */
  creating: number;
  /** The number of turns so far: replies are told apart by it. */
  turn: number;
  /** The next sentence opens a new bubble. */
  newBubble: boolean;
  phase: Phase;
  /** A line of the server's own about what it is doing. */
  caption: string | null;
  speaking: number | null;
  announcements: { id: number; text: string }[];
  toasts: Toast[];
  wake: WakeWords | null;
  /** When something was last said to a character that is called by name. */
  wakeAt: number;
  /** The name of the answer that the server waits for at the end of the turn. */
  playbackId: string | null;
  /** Recorded speech is on its way to be understood. */
  voiceSent: boolean;
  /** The room that is watched, if it is one. */
  room: string | null;
  viewers: number | null;
  queue: Queued[];
  resume: Resume | null;
  left: Left | null;
  /** What was written to a character that could not come: given back to its writer. */
  returned: { id: number; text: string } | null;
}

export const initialState: SessionState = {
  nextId: 1,
  connected: false,
  confName: null,
  confUid: null,
  moods: [],
  features: null,
  micWanted: false,
  characters: [],
  loading: null,
  failures: {},
  switchingTo: null,
  backgrounds: [],
  histories: [],
  moreHistories: null,
  listRequests: [],
  deleted: [],
  search: null,
  history: null,
  opening: [],
  items: [],
  creating: 0,
  turn: 0,
  newBubble: true,
  phase: "idle",
  caption: null,
  speaking: null,
  announcements: [],
  toasts: [],
  wake: null,
  wakeAt: 0,
  playbackId: null,
  voiceSent: false,
  room: null,
  viewers: null,
  queue: [],
  resume: null,
  left: null,
  returned: null,
};

/** A turn runs or its speech is still to be heard: there is something to interrupt. */
export function isBusy(state: SessionState): boolean {
  return state.phase === "waiting" || state.phase === "thinking" || state.phase === "replying" || state.speaking !== null;
}

/** A message sent now would reach the right character and conversation. */
export function canSend(state: SessionState): boolean {
  return state.connected && !state.resume && state.switchingTo === null && state.opening.length === 0 && state.confUid !== null;
}

/** The current conversation, if the server has stored anything of it. */
export function storedHistory(state: SessionState): string | null {
  return state.items.some((item) => item.kind === "human" || item.kind === "ai") ? state.history : null;
}

/** The server says that it can do this. */
export function can(state: SessionState, feature: Feature): boolean {
  return state.features?.includes(feature) ?? false;
}

/** The server understands speech. One that tells nothing of itself and asks for the microphone does. */
export function hears(state: SessionState): boolean {
  return state.features === null ? state.micWanted : can(state, "hearing");
}

/** The server itself finds where speech begins and ends. */
export function hearsOpenMic(state: SessionState): boolean {
  return state.features === null ? state.micWanted : can(state, "hearing-end");
}

/** The character on stage. */
export function currentCharacter(state: SessionState): ConfigFile | null {
  return state.characters.find((one) => one.name === state.confName) ?? null;
}

/** What has been heard of the running reply: the texts as they came, one after the other. */
export function heardText(state: SessionState): string {
  let heard = "";
  for (const item of state.items) {
    if (item.kind !== "ai" || item.turn !== state.turn) continue;
    for (const sentence of item.sentences) if (sentence.begun) heard += sentence.text;
  }
  return heard;
}
