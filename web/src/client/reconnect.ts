// Coming back after a lost connection: same character, same conversation.
//
// The server keeps nothing of a closed connection but the stored history, and greets a new one with its
// default character. So the way back is: (switch the character, if it was another one,) then open the stored
// conversation. Only when that is done does the page count as ready to send.

import { put, replaceItems, toast, without } from "./changes";
import type { CloseReason } from "./connection";
import { after, ASK_LIST, HUSH, same, send, type Step } from "./effects";
import { entered, roomLost, roomSwitched } from "./rooms";
import { currentCharacter, isBusy, storedHistory, type ChatItem, type SessionState } from "./state";

/** The connection is lost: remember what to restore, and wait for nothing any more. */
export function closed(state: SessionState, reason: CloseReason = "lost"): SessionState {
  const lastHuman = state.items.findLast((item) => item.kind === "human");
  const resume = state.resume ?? {
    confUid: state.confUid,
    file: state.switchingTo ?? currentCharacter(state)?.filename ?? null,
    history: storedHistory(state),
    cut: state.phase === "thinking" || state.phase === "replying",
    unanswered: state.phase === "waiting" && !state.voiceSent && lastHuman ? lastHuman.text : null,
    reason,
  };
  const gone = state.room === null ? state : roomLost(state);
  return {
    ...gone,
    connected: false,
    resume: state.confUid === null || state.room !== null ? null : resume,
    phase: "idle",
    speaking: null,
    caption: null,
    switchingTo: null,
    opening: [],
    creating: 0,
    listRequests: [],
    search: state.search && { ...state.search, pending: false },
    loading: null,
    micWanted: false,
    voiceSent: false,
  };
}

/** The connection stands: ask for what the page shows. */
export function opened(state: SessionState): Step {
  if (state.room !== null) return entered({ ...state, connected: true });
  const effects = [send({ type: "fetch-backgrounds" }), send({ type: "fetch-configs", watch: true }), ASK_LIST];
  const next: SessionState = { ...state, connected: true, listRequests: ["all"] };
  if (state.resume?.history) return { state: next, effects };
  const step = after(effects, beginNew(next));
  return { state: withUnanswered(step.state, state.resume?.unanswered ?? null), effects: step.effects };
}

/** The server says who is on stage. After a reconnect this may not be who was there before. */
export function onModel(before: SessionState, state: SessionState): Step {
  const { resume } = state;
  if (state.room !== null) return same(state);
  if (state.switchingTo !== null || state.opening.length > 0) return same(state);
  if (!resume) return before.confUid === null || before.confUid === state.confUid ? same(state) : broughtBack(state);
  if (state.confUid === resume.confUid) return openAgain(state);
  if (resume.file !== null) {
    const effects = [send({ type: "switch-config", file: resume.file })];
    return { state: { ...state, switchingTo: resume.file }, effects };
  }
  return giveUp(state);
}

/** The switch is done: a conversation of the new character begins, or the one to restore is opened. */
export function onSwitched(state: SessionState): Step {
  if (state.room !== null) return roomSwitched(state);
  const next: SessionState = { ...state, switchingTo: null, listRequests: [...state.listRequests, "all"] };
  if (state.resume?.history) {
    const again = openAgain(next);
    return { state: again.state, effects: [ASK_LIST, ...again.effects] };
  }
  const fresh = { ...next, resume: null, histories: [], moreHistories: null, deleted: [], search: null };
  return after([ASK_LIST], beginNew(fresh));
}

/** The lines of a conversation have arrived: one that was chosen, or the one to restore. */
export function onHistoryData(
  state: SessionState,
  items: readonly ((id: number) => ChatItem)[],
  uid: string | null,
): Step {
  const [asked = null, ...opening] = state.opening;
  const { resume } = state;
  const next: SessionState = { ...state, opening, resume: null };
  // Answers come in order: a new conversation was asked for after this one, and has taken its place.
  if (state.creating > 0) return same(next);
  if (!resume && items.length === 0 && asked !== null) return deletedMeanwhile(next, asked);
  if (!resume) return same({ ...replaceItems(next, items), history: uid ?? asked ?? state.history });
  if (items.length === 0) {
    const step = giveUp(next);
    return { ...step, state: withUnanswered(step.state, resume.unanswered) };
  }
  let restored: SessionState = { ...replaceItems(next, items), history: uid ?? asked };
  const back = resume.reason === "restarting" ? "restarted" : "resumed";
  restored = put(restored, (id) => ({ kind: "notice", id, word: resume.cut ? `${back}-cut` : back }));
  return same(withUnanswered(restored, resume.unanswered));
}

/** Ask for a new conversation, and show it at once: nothing has been said in it. */
export function beginNew(state: SessionState): Step {
  return {
    state: { ...state, history: null, items: [], creating: state.creating + 1 },
    effects: [send({ type: "create-new-history" })],
  };
}

/** It was in the list, but it is gone: deleted in another tab, perhaps, and then it can be brought back from there. */
function deletedMeanwhile(state: SessionState, uid: string): Step {
  const told = toast(without(state, uid), "error", "", "history-gone");
  return after([ASK_LIST], beginNew({ ...told, listRequests: [...told.listRequests, "all"] }));
}

function openAgain(state: SessionState): Step {
  const uid = state.resume?.history;
  if (!uid) return same({ ...state, resume: null });
  return {
    state: { ...state, opening: [...state.opening, uid] },
    effects: [send({ type: "fetch-and-set-history", history_uid: uid })],
  };
}

/** The new character could not come and the server has put the earlier one back: so is its conversation. */
function broughtBack(before: SessionState): Step {
  if (isBusy(before)) return after([HUSH], broughtBack({ ...before, phase: "interrupted", speaking: null, caption: null }));
  const { left } = before;
  const state = withReturned(before);
  const next: SessionState = { ...state, left: null, items: [], listRequests: [...state.listRequests, "all"] };
  if (left?.history && left.confUid === state.confUid) {
    const open = send({ type: "fetch-and-set-history", history_uid: left.history });
    return { state: { ...next, opening: [left.history] }, effects: [ASK_LIST, open] };
  }
  return after([ASK_LIST], beginNew(next));
}

/** The conversation cannot be had back: what is on the screen stays readable, a new one begins below it. */
export function giveUp(state: SessionState): Step {
  const step = beginNew({ ...state, resume: null });
  const kept = put({ ...step.state, items: state.items }, (id) => ({ kind: "notice", id, word: "gone" }));
  return { state: kept, effects: step.effects };
}

/** What was said to the one who did not come goes back to its writer. */
function withReturned(state: SessionState): SessionState {
  const last = state.items.findLast((item) => item.kind === "human" || item.kind === "ai");
  if (last?.kind !== "human" || last.text === "") return state;
  return { ...state, nextId: state.nextId + 1, returned: { id: state.nextId, text: last.text } };
}

function withUnanswered(state: SessionState, text: string | null): SessionState {
  if (text === null) return state;
  const last = state.items.findLast((item) => item.kind === "human");
  let next = state;
  if (last?.text !== text) next = put(next, (id) => ({ kind: "human", id, text, thumbnails: [], at: null }));
  return put(next, (id) => ({ kind: "error", id, turn: -1, text: "", code: "not-arrived", retry: text }));
}
