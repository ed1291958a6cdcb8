// The conversation as a reducer: what happened + what we know = what we now know and what is to be done.
//
// No socket, no sound, no clock here; events carry their time. That makes the awkward moments (a reply that
// arrives after it was interrupted, a connection lost in mid-sentence) ordinary test cases.

import type { AudioMessage, ClientMessage, HistoryMessage, ServerMessage } from "../protocol.generated";
import { interrupted, letGo, put, settle, toast, touchHistory } from "./changes";
import { after, HUSH, same, send, type Effect, type Step } from "./effects";
import { beginNew, closed, giveUp, onHistoryData, onModel, onSwitched, opened } from "./reconnect";
import { heardText, isBusy, storedHistory, type AiItem, type Picture, type SessionState } from "./state";
import { joinSentences, spaced } from "./spacing";
import { moodsOf } from "./text";

export type SessionEvent =
  | { type: "opened" }
  | { type: "closed" }
  | { type: "server"; message: ServerMessage; at: number }
  | { type: "say"; text: string; pictures: Picture[]; at: number }
  | { type: "retry"; item: number; at: number }
  | { type: "interrupt" }
  | { type: "speak-up" }
  | { type: "switch"; file: string }
  | { type: "new-chat" }
  | { type: "open-history"; uid: string }
  | { type: "delete-history"; uid: string }
  | { type: "more-histories" }
  | { type: "sentence-began"; id: number; message: AudioMessage }
  | { type: "sentence-ended"; id: number }
  | { type: "played" }
  | { type: "toast"; kind: "error" | "info"; text: string }
  | { type: "close-toast"; id: number };

const KEPT_ANNOUNCEMENTS = 6;
/** Errors that another try would meet again, or that did not stop the turn. */
const AS_BEFORE = new Set(["too-large", "too-fast", "not-stored", "history"]);

export function reduce(state: SessionState, event: SessionEvent): Step {
  switch (event.type) {
    case "server":
      return onServer(state, event.message, event.at);
    case "opened":
      return opened(state);
    case "closed":
      return { state: closed(state), effects: [HUSH] };
    case "say":
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
      return isBusy(state) ? { state: interrupted(state), effects: stopSpeaking(state) } : same(state);
    case "speak-up":
      if (isBusy(state)) return same(state);
      return { state: { ...state, phase: "waiting" }, effects: [send({ type: "ai-speak-signal", idle_time: -1 })] };
    case "switch":
      if (!state.connected || event.file === state.switchingTo) return same(state);
      return {
        state: {
          ...letGo(state),
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
      return {
        state: event.uid === state.history ? letGo(state) : state,
        effects: [
          ...(event.uid === state.history ? stopSpeaking(state) : []),
          send({ type: "delete-history", history_uid: event.uid }),
        ],
      };
    case "more-histories":
      if (state.moreHistories === null || state.listRequests.includes("more")) return same(state);
      return {
        state: { ...state, listRequests: [...state.listRequests, "more"] },
        effects: [send({ type: "fetch-history-list", before: state.moreHistories })],
      };
    case "sentence-began":
      return sentenceBegan(state, event.id, event.message);
    case "sentence-ended":
      return { state: state.speaking === event.id ? { ...state, speaking: null } : state, effects: [] };
    case "played":
      return { state, effects: [send({ type: "frontend-playback-complete" })] };
    case "toast":
      return { state: toast(state, event.kind, event.text, null), effects: [] };
    case "close-toast":
      return { state: { ...state, toasts: state.toasts.filter((one) => one.id !== event.id) }, effects: [] };
  }
}

/** What cuts a running reply short: silence here, and the server learns what had been heard. */
function stopSpeaking(state: SessionState): Effect[] {
  return isBusy(state) ? [HUSH, send({ type: "interrupt-signal", text: heardText(state) })] : [];
}

function say(state: SessionState, text: string, pictures: Picture[], at: number): Step {
  const effects = stopSpeaking(state);
  const thumbnails = pictures.map((one) => one.thumbnail);
  let next = isBusy(state) ? interrupted(state) : state;
  next = put(next, (id) => ({ kind: "human", id, text, thumbnails, at }));
  next = touchHistory({ ...next, phase: "waiting" }, "human", text, at);
  const images = pictures.map((one) => one.image);
  return { state: next, effects: [...effects, send({ type: "text-input", text, images })] };
}

function sentenceBegan(state: SessionState, id: number, message: AudioMessage): Step {
  const text = message.display_text?.text ?? "";
  const announcements = text
    ? [...state.announcements.slice(1 - KEPT_ANNOUNCEMENTS), { id, text }]
    : state.announcements;
  const items = state.items.map((item) =>
    item.kind === "ai" && item.sentences.some((one) => one.id === id)
      ? { ...item, sentences: item.sentences.map((one) => (one.id === id ? { ...one, begun: true } : one)) }
      : item,
  );
  const answer: ClientMessage = { type: "audio-play-start", forwarded: true };
  if (message.display_text) answer.display_text = message.display_text;
  return {
    state: { ...state, items, announcements, speaking: id },
    effects: message.forwarded ? [] : [send(answer)],
  };
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
        : { state, effects: [{ do: "all-sent" }] };
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
          put(state, (id) => ({ kind: "human", id, text: message.text, thumbnails: [], at })),
          "human",
          message.text,
          at,
        ),
        effects: [],
      };
    case "set-model-and-conf":
      return onModel(state, {
        ...state,
        confName: message.conf_name,
        confUid: message.conf_uid,
        moods: moodsOf(message.model_info),
      });
    case "config-files":
      return { state: { ...state, characters: message.configs }, effects: [] };
    case "config-switched":
      return onSwitched(state);
    case "background-files":
      return { state: { ...state, backgrounds: message.files }, effects: [] };
    case "history-list": {
      const [asked = "all", ...listRequests] = state.listRequests;
      const known = new Set(asked === "more" ? state.histories.map((one) => one.uid) : []);
      const fresh = message.histories.filter((one) => !known.has(one.uid));
      const histories = asked === "more" ? [...state.histories, ...fresh] : fresh;
      return { state: { ...state, listRequests, histories, moreHistories: message.next ?? null }, effects: [] };
    }
    case "history-data":
      return onHistoryData(state, message.messages.map(fromHistory), message.history_uid ?? null);
    case "new-history-created":
      return newHistory(state, message.history_uid);
    case "history-deleted": {
      if (!message.success) return { state: toast(state, "error", "", "delete-failed"), effects: [] };
      const histories = state.histories.filter((one) => one.uid !== message.history_uid);
      const wasCurrent = state.history === message.history_uid;
      return wasCurrent ? beginNew({ ...state, histories }) : same({ ...state, histories });
    }
    case "group-operation-result":
      return { state: toast(state, message.success ? "info" : "error", message.message, null), effects: [] };
    case "error":
      return onError(state, message.message, message.code ?? null);
    case "wake-word-state":
      return { state: { ...state, wakeWord: message.current_state }, effects: [] };
    case "group-update":
    case "heartbeat-ack":
    case "queue-state":
    case "queue-dropped":
      // The last two come in rooms only, which this page does not enter.
      return same(state);
    default:
      // A newer server may know more: what we do not know does no harm. The compiler names what is missing.
      message satisfies never;
      return same(state);
  }
}

function newHistory(state: SessionState, uid: string): Step {
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
    sentences: [{ id: -id, text: spaced(message.content), begun: true, cut: false }],
    interrupted: false,
    at,
  });
}

function onControl(state: SessionState, text: string, at: number): Step {
  if (text === "conversation-chain-start") {
    const next = { ...settle(state), turn: state.turn + 1, newBubble: true, phase: "thinking" as const };
    return { state: { ...next, speaking: null, caption: null }, effects: [{ do: "begin-turn" }] };
  }
  // While we wait for the next turn, this end can only be that of the turn we have cut short.
  if (text === "conversation-chain-end" && state.phase !== "waiting") {
    const reply = state.items.flatMap((item) =>
      item.kind === "ai" && item.turn === state.turn ? item.sentences.map((one) => one.text) : [],
    );
    const next = { ...state, phase: "idle" as const, caption: null };
    return { state: reply.length > 0 ? touchHistory(next, "ai", joinSentences(reply), at) : next, effects: [] };
  }
  return same(state);
}

function onFullText(state: SessionState, text: string): SessionState {
  if (text === "Connection established") return state;
  if (text === "Thinking..." || text === "AI wants to speak something...") {
    return state.phase === "idle" ? { ...state, phase: "thinking", caption: null } : { ...state, caption: null };
  }
  return { ...state, caption: text.trim() || null };
}

function onAudio(state: SessionState, message: AudioMessage, at: number): Step {
  if (state.phase === "interrupted" || state.phase === "waiting") return same(state);
  const id = state.nextId;
  const shown = message.display_text;
  let next: SessionState = { ...state, nextId: id + 1, caption: null };
  if (next.phase === "thinking") next.phase = "replying";
  if (shown?.text) {
    const sentence = { id, text: shown.text, begun: false, cut: false };
    const last = next.items.at(-1);
    if (last?.kind === "ai" && last.turn === next.turn && !next.newBubble && last.name === shown.name) {
      const longer: AiItem = { ...last, sentences: [...last.sentences, sentence] };
      next.items = [...next.items.slice(0, -1), longer];
    } else {
      next = put(next, (item) => ({
        kind: "ai",
        id: item,
        turn: next.turn,
        name: shown.name,
        avatar: shown.avatar,
        sentences: [sentence],
        interrupted: false,
        at,
      }));
      next.newBubble = false;
    }
  }
  return { state: next, effects: [{ do: "play", id, message }] };
}

function onTool(state: SessionState, message: Extract<ServerMessage, { type: "tool_call_status" }>): SessionState {
  if (state.phase === "interrupted" || state.phase === "waiting") return state;
  const { tool_id: toolId, tool_name: toolName, status, content } = message;
  const known = state.items.some((item) => item.kind === "tool" && item.toolId === toolId);
  if (!known) return put(state, (id) => ({ kind: "tool", id, toolId, toolName, status, content }));
  const items = state.items.map((item) =>
    item.kind === "tool" && item.toolId === toolId ? { ...item, toolName, status, content } : item,
  );
  return { ...state, items };
}

function onError(state: SessionState, text: string, code: string | null): Step {
  let next = code === "history" ? { ...state, creating: 0 } : state;
  if (state.switchingTo !== null || state.opening.length > 0) {
    next = { ...toast(next, "error", text, code), switchingTo: null, opening: state.opening.slice(1) };
    return state.resume ? giveUp(next) : same(next);
  }
  // What concerns the running turn is told in the conversation, everything else at the edge; nothing twice.
  if (isBusy(state)) {
    const last = state.items.findLast((item) => item.kind === "human" || item.kind === "ai");
    const again = last?.kind === "human" && last.thumbnails.length === 0 && !AS_BEFORE.has(code ?? "");
    const retry = again ? last.text : null;
    next = put(next, (id) => ({ kind: "error", id, text, code, retry }));
  } else {
    next = toast(next, "error", text, code);
  }
  if (state.phase === "waiting") next = { ...next, phase: "idle" };
  return { state: next, effects: [] };
}
