// Small changes of the state that several events share.

import type { HistoryEntry } from "../protocol.generated";
import { isBusy, type ChatItem, type SessionState } from "./state";

const KEPT_TOASTS = 3;

/** Add an item to the chat; `make` gets its new id. */
export function put(state: SessionState, make: (id: number) => ChatItem): SessionState {
  return { ...state, nextId: state.nextId + 1, items: [...state.items, make(state.nextId)] };
}

/** Replace the chat. */
export function replaceItems(state: SessionState, items: readonly ((id: number) => ChatItem)[]): SessionState {
  const made = items.map((make, index) => make(state.nextId + index));
  return { ...state, nextId: state.nextId + made.length, items: made };
}

export function toast(
  state: SessionState,
  kind: "error" | "info",
  text: string,
  code: string | null,
  undo?: string,
): SessionState {
  const made = { id: state.nextId, kind, text, code, ...(undo === undefined ? {} : { undo }) };
  const toasts = [...state.toasts, made].slice(-KEPT_TOASTS);
  return { ...state, nextId: state.nextId + 1, toasts };
}

/** The last reply counts as said, though its speech was not played to the end. */
export function settle(state: SessionState): SessionState {
  const open = (item: ChatItem): boolean => item.kind === "ai" && item.sentences.some((one) => !one.begun && !one.cut);
  if (!state.items.some(open)) return state;
  const items = state.items.map((item) =>
    item.kind === "ai" && open(item)
      ? { ...item, sentences: item.sentences.map((one) => (one.cut ? one : { ...one, begun: true })) }
      : item,
  );
  return { ...state, items };
}

/** The running reply is cut short: what was not heard will not be. */
export function interrupted(state: SessionState): SessionState {
  const last = state.items.findLast((item) => item.kind === "ai" && item.turn === state.turn);
  const quiet = { ...state, phase: "interrupted" as const, speaking: null, caption: null };
  const waited = state.phase === "waiting" || state.phase === "thinking";
  if (waited || !last) return put(quiet, (id) => ({ kind: "notice", id, word: "stopped" }));
  const items = state.items.map((item) =>
    item.kind === "ai" && item.turn === state.turn
      ? {
          ...item,
          interrupted: item === last,
          sentences: item.sentences.map((one) => (one.begun ? one : { ...one, cut: true })),
        }
      : item,
  );
  return { ...quiet, items };
}

/** The conversation is about to be another one: whatever runs in this one is dropped. */
export function letGo(state: SessionState): SessionState {
  if (isBusy(state)) return interrupted(state);
  return { ...state, caption: null };
}

/** Show the newest line of the current conversation in the list, on top, without asking the server. */
export function touchHistory(state: SessionState, role: "human" | "ai", content: string, at: number): SessionState {
  const uid = state.history;
  if (uid === null) return state;
  const timestamp = new Date(at).toISOString();
  const known = state.histories.find((one) => one.uid === uid);
  const opening = known?.opening ?? (role === "human" && content.trim() ? content.trim() : undefined);
  const entry = {
    ...known,
    ...(opening === undefined ? {} : { opening }),
    uid,
    timestamp,
    latest_message: { role, timestamp, content, breaks: [] },
  };
  return { ...state, histories: [entry, ...state.histories.filter((one) => one.uid !== uid)] };
}

/** The conversation is in no list any more. */
export function without(state: SessionState, uid: string): SessionState {
  const others = (entries: readonly HistoryEntry[]): HistoryEntry[] => entries.filter((one) => one.uid !== uid);
  const search = state.search && { ...state.search, entries: others(state.search.entries) };
  return { ...state, histories: others(state.histories), search };
}
