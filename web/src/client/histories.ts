// Stored conversations: the list, search in it, titles, deletion and its undoing.

import type { HistoryEntry, ServerMessageOf } from "../protocol.generated";
import { letGo, toast, without } from "./changes";
import { ASK_LIST, same, send, type Effect, type Step } from "./effects";
import { beginNew } from "./reconnect";
import { can, type SessionState } from "./state";

export function askList(state: SessionState): Step {
  return { state: { ...state, listRequests: [...state.listRequests, "all"] }, effects: [ASK_LIST] };
}

/** The list may have changed in another tab; what was loaded of its older part stays. */
export function askListAgain(state: SessionState): Step {
  if (!state.connected || state.room !== null || state.listRequests.length > 0 || state.switchingTo !== null) return same(state);
  return { state: { ...state, listRequests: ["again"] }, effects: [ASK_LIST] };
}

export function onList(state: SessionState, message: ServerMessageOf<"history-list">, at: number): SessionState {
  const [asked = "all", ...listRequests] = state.listRequests;
  const known = new Set(asked === "more" ? state.histories.map((one) => one.uid) : []);
  const fresh = message.histories.filter((one) => !known.has(one.uid));
  const next = message.next ?? null;
  const last = fresh.at(-1)?.timestamp ?? "";
  const here = new Set(fresh.map((one) => one.uid));
  const older = state.histories.filter((one) => !here.has(one.uid) && (one.timestamp ?? "") < last);
  const deeper = asked === "again" && next !== null && older.length > 0;
  const histories = asked === "more" ? [...state.histories, ...fresh] : deeper ? [...fresh, ...older] : fresh;
  const deleted = message.deleted?.map((entry) => ({ entry, until: at + (entry.undo_seconds ?? 0) * 1000 }));
  return { ...state, listRequests, histories, moreHistories: deeper ? state.moreHistories : next, deleted: deleted ?? state.deleted };
}

/** Ask for a deletion; `stop` is what silences a reply that runs in that conversation. */
export function askDelete(state: SessionState, uid: string, stop: readonly Effect[]): Step {
  const current = uid === state.history;
  const message = { type: "delete-history" as const, history_uid: uid };
  return {
    state: current ? letGo(state) : state,
    effects: [...(current ? stop : []), send(can(state, "history-undo") ? { ...message, undo: true } : message)],
  };
}

export function onDeleted(state: SessionState, message: ServerMessageOf<"history-deleted">, at: number): Step {
  const uid = message.history_uid;
  if (!message.success) return same(toast(state, "error", "", "delete-failed"));
  const entry = find(state, uid);
  let next = without(state, uid);
  if (message.undo_seconds !== undefined && entry) {
    const until = at + message.undo_seconds * 1000;
    next = { ...next, deleted: [{ entry, until }, ...next.deleted] };
    next = toast(next, "info", "", "deleted", uid);
  }
  return state.history === uid ? beginNew(next) : same(next);
}

export function onRestored(state: SessionState, message: ServerMessageOf<"history-restored">): Step {
  const uid = message.history_uid;
  const next = { ...state, deleted: state.deleted.filter((one) => one.entry.uid !== uid) };
  if (!message.success) return same(toast(next, "error", "", "restore-failed"));
  const list = askList(next);
  // Whoever deletes the open conversation and takes it back is where they were.
  if (state.items.length > 0 || state.opening.length > 0) return list;
  const open = send({ type: "fetch-and-set-history", history_uid: uid });
  return { state: { ...list.state, opening: [uid] }, effects: [...list.effects, open] };
}

export function onRenamed(state: SessionState, message: ServerMessageOf<"history-renamed">): Step {
  if (!message.success) return same(toast(state, "error", "", "rename-failed"));
  const named = (entry: HistoryEntry): HistoryEntry => {
    if (entry.uid !== message.history_uid) return entry;
    const { title: _, ...rest } = entry;
    return message.title === null ? rest : { ...rest, title: message.title };
  };
  const search = state.search && { ...state.search, entries: state.search.entries.map(named) };
  return same({ ...state, histories: state.histories.map(named), search });
}

/** Look for words; an empty query ends the search. */
export function askSearch(state: SessionState, query: string): Step {
  const trimmed = query.trim();
  if (!trimmed) return same({ ...state, search: null });
  if (state.search?.query === trimmed && !state.search.pending) return same(state);
  const entries = state.search?.entries ?? [];
  return {
    state: { ...state, search: { query: trimmed, pending: true, entries, next: null } },
    effects: [send({ type: "search-histories", query: trimmed })],
  };
}

export function askSearchMore(state: SessionState): Step {
  const { search } = state;
  if (!search || search.pending || search.next === null) return same(state);
  return {
    state: { ...state, search: { ...search, pending: true } },
    effects: [send({ type: "search-histories", query: search.query, before: search.next })],
  };
}

export function onFound(state: SessionState, message: ServerMessageOf<"histories-found">): SessionState {
  const { search } = state;
  // An answer to what has been typed over in the meantime.
  if (!search || message.query !== search.query) return state;
  const more = search.next !== null;
  const entries = more ? [...search.entries, ...message.histories] : message.histories;
  return { ...state, search: { query: search.query, pending: false, entries, next: message.next ?? null } };
}

function find(state: SessionState, uid: string): HistoryEntry | undefined {
  return [...state.histories, ...(state.search?.entries ?? [])].find((one) => one.uid === uid);
}
