// What the page knows. Plain data: the reducer in session.ts is the only one to make a new state.

import type { ConfigFile, HistoryEntry, Image } from "../protocol.generated";

/** One sentence of a reply. `begun` once it was spoken (or shown, if silent); `cut` if it never will be. */
export interface Sentence {
  id: number;
  text: string;
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
  text: string;
  code: string | null;
  retry: string | null;
}

export type NoticeWord = "stopped" | "resumed" | "resumed-cut" | "gone" | "not-arrived";

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
}

/** The conversation that was left for another character: that one may fail to come. */
export interface Left {
  confUid: string | null;
  history: string | null;
}

export interface SessionState {
  nextId: number;
  connected: boolean;
  confName: string | null;
  confUid: string | null;
  moods: string[];
  characters: ConfigFile[];
  switchingTo: string | null;
  backgrounds: string[];
  histories: HistoryEntry[];
  moreHistories: string | null;
  /** Lists asked for and not yet answered, in order. */
  listRequests: ("all" | "more")[];
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
  wakeWord: "active" | "listening" | null;
  resume: Resume | null;
  left: Left | null;
}

export const initialState: SessionState = {
  nextId: 1,
  connected: false,
  confName: null,
  confUid: null,
  moods: [],
  characters: [],
  switchingTo: null,
  backgrounds: [],
  histories: [],
  moreHistories: null,
  listRequests: [],
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
  wakeWord: null,
  resume: null,
  left: null,
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

/** What a character says first, where the server tells it. */
export function greetingOf(character: ConfigFile | null): string {
  return character !== null && "greeting" in character && typeof character.greeting === "string"
    ? character.greeting.trim()
    : "";
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
