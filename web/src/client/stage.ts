// Who is on stage: how the character gets ready, why one could not be had, and by which words it is called.

import type { ServerMessageOf } from "../protocol.generated";
import { put } from "./changes";
import { currentCharacter, type SessionState } from "./state";
import { moodsOf } from "./text";

const KEPT_FAILURES = 100;

/** What the server's word on who is on stage changes by itself. */
export function announced(state: SessionState, message: ServerMessageOf<"set-model-and-conf">): SessionState {
  return {
    ...state,
    confName: message.conf_name,
    confUid: message.conf_uid,
    moods: moodsOf(message.model_info),
    features: message.features ?? null,
    wake: message.wake_words ?? null,
  };
}

export function onCharacterState(state: SessionState, message: ServerMessageOf<"character-state">): SessionState {
  if (message.state === "loading") return { ...state, loading: message.conf_uid };
  const next = state.loading === message.conf_uid ? { ...state, loading: null } : state;
  const file = message.conf_uid === state.confUid ? currentCharacter(state)?.filename : undefined;
  if (file === undefined) return next;
  return message.state === "ready" ? forgiven(next, file) : failed(next, file, message.message ?? "");
}

/** This character could not be had; its card says why until it is tried again. */
export function failed(state: SessionState, file: string, why: string): SessionState {
  const kept = Object.entries(state.failures).slice(1 - KEPT_FAILURES);
  return { ...state, failures: { ...Object.fromEntries(kept), [file]: why } };
}

export function forgiven(state: SessionState, file: string): SessionState {
  if (!(file in state.failures)) return state;
  const { [file]: _, ...failures } = state.failures;
  return { ...state, failures };
}

/** What the wake words made of the last message. One that is ignored, or only a call, gets no reply. */
export function onWakeWord(state: SessionState, message: ServerMessageOf<"wake-word-state">, at: number): SessionState {
  const known = state.wake ?? { state: "listening", wake: {}, end: {}, idle_seconds: 0 };
  let next: SessionState = { ...state, wake: { ...known, state: message.current_state }, wakeAt: at };
  if (next.phase === "waiting") next = { ...next, phase: "idle" };
  // What was ignored is not stored: a conversation of nothing else is none.
  if (message.action === "ignored" && !next.items.some((item) => item.kind === "ai")) {
    next = { ...next, histories: next.histories.filter((one) => one.uid !== next.history) };
  }
  if (message.action === "ignored") return put(next, (id) => ({ kind: "notice", id, word: "not-awake" }));
  if (message.action === "sleep") return put(next, (id) => ({ kind: "notice", id, word: "asleep" }));
  return next;
}

/** Nothing was said for so long that it waits for its name again. */
export function dozed(state: SessionState): SessionState {
  return state.wake?.state === "active" ? { ...state, wake: { ...state.wake, state: "listening" } } : state;
}
