// The conversation as a reducer: what happened + what we know = what we now know and what is to be done.
//
// No socket, no sound, no clock here; events carry their time. That makes the awkward moments (a reply that
// arrives after it was interrupted, a connection lost in mid-sentence) ordinary test cases.

import type { AudioMessage, HistoryMessage, ServerMessage, ServerMessageOf } from "../protocol.generated";
import type { CloseReason } from "./connection";
import { interrupted, letGo, put, toast, touchHistory } from "./changes";
import { after, HUSH, same, send, type Step } from "./effects";
import {
  askDelete,
  askListAgain,
  askSearch,
  askSearchMore,
  onDeleted,
  onFound,
  onList,
  onRenamed,
  onRestored,
} from "./histories";
import { beginNew, closed, giveUp, onHistoryData, onModel, onSwitched, opened } from "./reconnect";
import { leftLine, onQueueDropped, onQueueState, retryInRoom, sayInRoom } from "./rooms";
import { laidOut } from "./spacing";
import { announced, dozed, failed, forgiven, onCharacterState, onWakeWord } from "./stage";
import { currentCharacter, isBusy, storedHistory, type Picture, type SessionState } from "./state";
import {
  interrupt,
  onAudio,
  onControl,
  onFullText,
  onTool,
  say,
  sentenceBegan,
  speak,
  stopSpeaking,
} from "./turns";

export type SessionEvent =
  | { type: "opened" }
  | { type: "closed"; reason?: CloseReason }
  | { type: "server"; message: ServerMessage; at: number }
  | { type: "say"; text: string; pictures: Picture[]; at: number }
  | { type: "retry"; item: number; at: number }
  | { type: "interrupt" }
  | { type: "speak-up" }
  | { type: "switch"; file: string }
  | { type: "new-chat" }
  | { type: "open-history"; uid: string }
  | { type: "delete-history"; uid: string }
  | { type: "restore-history"; uid: string }
  | { type: "rename-history"; uid: string; title: string }
  | { type: "search"; query: string }
  | { type: "search-more" }
  | { type: "voice"; chunks: number[][] }
  | { type: "open-mic"; samples: number[] }
  | { type: "wake-idle" }
  | { type: "retry-queued"; id: number; at: number }
  | { type: "forget-queued"; id: number }
  | { type: "more-histories" }
  | { type: "looked-at" }
  | { type: "sentence-began"; id: number; message: AudioMessage }
  | { type: "sentence-ended"; id: number }
  | { type: "played" }
  | { type: "toast"; kind: "error" | "info"; text: string }
  | { type: "close-toast"; id: number };

/** Errors that another try would meet again, or that did not stop the turn. */
const AS_BEFORE = new Set(["too-large", "bad-image", "too-fast", "not-stored", "history"]);

export function reduce(state: SessionState, event: SessionEvent): Step {
  switch (event.type) {
    case "server":
      return onServer(state, event.message, event.at);
    case "opened":
      return opened(state);
    case "closed":
      return { state: closed(state, event.reason), effects: [HUSH] };
    case "say":
      if (state.room !== null) return sayInRoom(state, event.text, event.pictures, event.at);
      return say(state, event.text, event.pictures, event.at);
    case "retry": {
      const item = state.items.find((one) => one.id === event.item);
      if (item?.kind !== "error" || item.retry === null) return same(state);
      const text = item.retry;
      const failed = state.items.findLast((one) => one.kind === "human" && one.text === text);
      const items = state.items.filter((one) => one !== item && one !== failed);
      return say({ ...state, items }, text, [], event.at);
    }
    case "interrupt":
      return interrupt(state);
    case "speak-up":
      if (isBusy(state)) return same(state);
      return { state: { ...state, phase: "waiting" }, effects: [send({ type: "ai-speak-signal", idle_time: -1 })] };
    case "switch":
      if (!state.connected || event.file === state.switchingTo) return same(state);
      return {
        state: {
          ...forgiven(letGo(state), event.file),
          switchingTo: event.file,
          left: { confUid: state.confUid, history: storedHistory(state) },
        },
        effects: [...stopSpeaking(state), send({ type: "switch-config", file: event.file })],
      };
    case "new-chat":
      return after(stopSpeaking(state), beginNew(letGo(state)));
    case "open-history":
      return {
        state: { ...letGo(state), opening: [...state.opening, event.uid] },
        effects: [...stopSpeaking(state), send({ type: "fetch-and-set-history", history_uid: event.uid })],
      };
    case "delete-history":
      return askDelete(state, event.uid, stopSpeaking(state));
    case "restore-history":
      return { state, effects: [send({ type: "restore-history", history_uid: event.uid })] };
    case "rename-history":
      return { state, effects: [send({ type: "rename-history", history_uid: event.uid, title: event.title })] };
    case "search":
      return askSearch(state, event.query);
    case "search-more":
      return askSearchMore(state);
    case "voice":
      return speak(state, event.chunks);
    case "open-mic":
      return { state, effects: [send({ type: "raw-audio-data", audio: event.samples })] };
    case "wake-idle":
      return same(dozed(state));
    case "retry-queued":
      return retryInRoom(state, event.id, event.at);
    case "forget-queued":
      return same(leftLine(state, event.id));
    case "more-histories":
      if (state.moreHistories === null || state.listRequests.includes("more")) return same(state);
      return {
        state: { ...state, listRequests: [...state.listRequests, "more"] },
        effects: [send({ type: "fetch-history-list", before: state.moreHistories })],
      };
    case "looked-at":
      return askListAgain(state);
    case "sentence-began":
      return sentenceBegan(state, event.id, event.message);
    case "sentence-ended":
      return { state: state.speaking === event.id ? { ...state, speaking: null } : state, effects: [] };
    case "played": {
      const id = state.playbackId === null ? {} : { request_id: state.playbackId };
      return { state: { ...state, playbackId: null }, effects: [send({ type: "frontend-playback-complete", ...id })] };
    }
    case "toast":
      return { state: toast(state, event.kind, event.text, null), effects: [] };
    case "close-toast":
      return { state: { ...state, toasts: state.toasts.filter((one) => one.id !== event.id) }, effects: [] };
  }
}

function onServer(state: SessionState, message: ServerMessage, at: number): Step {
  switch (message.type) {
    case "control":
      return onControl(state, message.text, at);
    case "full-text":
      return { state: onFullText(state, message.text), effects: [] };
    case "audio":
      return onAudio(state, message, at);
    case "backend-synth-complete":
      return state.phase === "interrupted" || state.phase === "waiting"
        ? same(state)
        : { state: { ...state, playbackId: message.request_id ?? null }, effects: [{ do: "all-sent" }] };
    case "force-new-message":
      return { state: { ...state, newBubble: true }, effects: [] };
    case "interrupt-signal":
      return isBusy(state) ? { state: interrupted(state), effects: [HUSH] } : same(state);
    case "tool_call_status":
      return { state: onTool(state, message), effects: [] };
    case "user-input-transcription":
      if (!message.text.trim()) return same(state);
      return {
        state: touchHistory(
          put(state, (id) => {
            const other = state.room === null ? {} : { other: true };
            return { kind: "human", id, text: message.text, thumbnails: [], at, ...other };
          }),
          "human",
          message.text,
          at,
        ),
        effects: [],
      };
    case "set-model-and-conf":
      return onModel(state, announced(state, message));
    case "character-state":
      return same(onCharacterState(state, message));
    case "config-files":
      return { state: { ...state, characters: message.configs }, effects: [] };
    case "config-switched":
      return onSwitched(state);
    case "background-files":
      return { state: { ...state, backgrounds: message.files }, effects: [] };
    case "history-list":
      return same(onList(state, message, at));
    case "history-data":
      return onHistoryData(state, message.messages.map(fromHistory), message.history_uid ?? null);
    case "new-history-created":
      return newHistory(state, message.history_uid);
    case "history-deleted":
      return onDeleted(state, message, at);
    case "history-restored":
      return onRestored(state, message);
    case "history-renamed":
      return onRenamed(state, message);
    case "histories-found":
      return same(onFound(state, message));
    case "group-operation-result":
      return { state: toast(state, message.success ? "info" : "error", message.message, null), effects: [] };
    case "error":
      return onError(state, message);
    case "wake-word-state":
      return same(onWakeWord(state, message, at));
    case "queue-state":
      return same(onQueueState(state, message, at));
    case "queue-dropped":
      return same(onQueueDropped(state, message, at));
    case "room-state":
      return same({ ...state, viewers: message.viewers });
    case "group-update":
    case "heartbeat-ack":
      return same(state);
    default:
      // A newer server may know more: what we do not know does no harm. The compiler names what is missing.
      message satisfies never;
      return same(state);
  }
}

function newHistory(state: SessionState, uid: string): Step {
  // What is on the screen in a room is everybody's.
  if (state.room !== null) return same(state);
  // Asked for: the screen was cleared then, and what is on it now has been said since.
  if (state.creating > 0) return same({ ...state, history: uid, creating: state.creating - 1, resume: null });
  const next = { ...letGo(state), history: uid, items: [], resume: null };
  return { state: next, effects: isBusy(state) ? [HUSH] : [] };
}

function fromHistory(message: HistoryMessage, index: number): (id: number) => SessionState["items"][number] {
  const time = Date.parse(message.timestamp);
  const at = Number.isNaN(time) ? null : time;
  if (message.role === "human") {
    return (id) => ({ kind: "human", id, text: message.content, thumbnails: [], at });
  }
  return (id) => ({
    kind: "ai",
    id,
    turn: -1 - index,
    name: message.name ?? null,
    avatar: message.avatar ?? null,
    sentences: [{ id: -id, text: laidOut(message), before: null, begun: true, cut: false }],
    interrupted: false,
    at,
  });
}

/** What was asked of the stored conversations and will not be answered. */
function unanswered(state: SessionState, request: string | undefined): SessionState {
  const search = state.search && { ...state.search, pending: false };
  if (request === undefined) return { ...state, creating: 0, listRequests: state.listRequests.slice(1), search };
  if (request === "fetch-history-list") return { ...state, listRequests: state.listRequests.slice(1) };
  return request === "search-histories" ? { ...state, search } : state;
}

function onError(state: SessionState, error: ServerMessageOf<"error">): Step {
  const { message: text, request } = error;
  const code = error.code ?? null;
  // The end of a turn that was cut short here, because its character could not come.
  if (code === "agent" && state.phase === "interrupted") return same(state);
  let next = code === "history" ? unanswered(state, request) : state;
  const ofOpening = state.opening.length > 0 && (request === undefined || request === "fetch-and-set-history");
  if (state.switchingTo !== null || ofOpening) {
    if (state.switchingTo !== null) next = failed(next, state.switchingTo, text);
    next = { ...toast(next, "error", text, code), switchingTo: null, opening: state.opening.slice(1) };
    return state.resume ? giveUp(next) : same(next);
  }
  const current = currentCharacter(state);
  if (code === "init-failed" && current && !(current.filename in state.failures)) {
    next = failed(next, current.filename, text);
  }
  // What is in the conversation goes with the character that could not come.
  if (code === "init-failed") return same(toast(next, "error", text, code));
  // What concerns the running turn is told in the conversation, everything else at the edge; nothing twice.
  if (isBusy(state)) {
    const last = state.items.findLast((item) => item.kind === "human" || item.kind === "ai");
    const mine = last?.kind === "human" && !last.other && !state.voiceSent && last.thumbnails.length === 0;
    const retry = mine && !AS_BEFORE.has(code ?? "") ? last.text : null;
    next = put(next, (id) => ({ kind: "error", id, turn: state.turn, text, code, retry }));
  } else {
    next = toast(next, "error", text, code);
  }
  if (state.phase === "waiting") next = { ...next, phase: "idle", voiceSent: false };
  return { state: next, effects: [] };
}
