// A turn: what we say, the reply as it comes, what cuts it short, and its end.

import type { AudioMessage, ClientMessage, ServerMessageOf } from "../protocol.generated";
import { interrupted, put, settle, touchHistory } from "./changes";
import { HUSH, same, send, type Effect, type Step } from "./effects";
import { joinSentences } from "./spacing";
import { heardText, isBusy, type AiItem, type Picture, type SessionState } from "./state";

const KEPT_ANNOUNCEMENTS = 6;

/** Cut in on a running reply. */
export function interrupt(state: SessionState): Step {
  return isBusy(state) ? { state: interrupted(state), effects: stopSpeaking(state) } : same(state);
}

/** What cuts a running reply short: silence here, and the server learns what had been heard. */
export function stopSpeaking(state: SessionState): Effect[] {
  return isBusy(state) ? [HUSH, send({ type: "interrupt-signal", text: heardText(state) })] : [];
}

export function say(state: SessionState, text: string, pictures: Picture[], at: number): Step {
  const effects = stopSpeaking(state);
  const thumbnails = pictures.map((one) => one.thumbnail);
  let next = isBusy(state) ? interrupted(state) : state;
  next = put(next, (id) => ({ kind: "human", id, text, thumbnails, at }));
  next = touchHistory({ ...next, phase: "waiting", voiceSent: false, wakeAt: at }, "human", text, at);
  const images = pictures.map((one) => one.image);
  return { state: next, effects: [...effects, send({ type: "text-input", text, images })] };
}

/** Recorded speech: it cuts a running reply short, as a written message does. */
export function speak(state: SessionState, chunks: number[][]): Step {
  const recorded = chunks.map((audio) => send({ type: "mic-audio-data", audio }));
  return {
    state: { ...(isBusy(state) ? interrupted(state) : state), phase: "waiting", voiceSent: true },
    effects: [...stopSpeaking(state), ...recorded, send({ type: "mic-audio-end", images: [] })],
  };
}

export function sentenceBegan(state: SessionState, id: number, message: AudioMessage): Step {
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

export function onControl(state: SessionState, text: string, at: number): Step {
  if (text === "start-mic" || text === "stop-mic") return same({ ...state, micWanted: text === "start-mic" });
  // The server has found in the open microphone where we begin to speak, and where we have ended.
  if (text === "interrupt") return interrupt(state);
  if (text === "mic-audio-end") return speak(state, []);
  if (text === "conversation-chain-start") {
    const next = { ...settle(state), turn: state.turn + 1, newBubble: true, phase: "thinking" as const };
    const quiet = { ...next, speaking: null, caption: null, playbackId: null, voiceSent: false };
    return { state: quiet, effects: [{ do: "begin-turn" }] };
  }
  if (text === "conversation-chain-end" && state.voiceSent) {
    const next = { ...state, phase: "idle" as const, caption: null, voiceSent: false };
    return same(put(next, (id) => ({ kind: "notice", id, word: "not-heard" })));
  }
  // While we wait for the next turn, this end can only be that of the turn we have cut short.
  if (text === "conversation-chain-end" && state.phase !== "waiting") {
    const reply = state.items.flatMap((item) =>
      item.kind === "ai" && item.turn === state.turn ? item.sentences : [],
    );
    const next = { ...state, phase: "idle" as const, caption: null };
    return { state: reply.length > 0 ? touchHistory(next, "ai", joinSentences(reply), at) : next, effects: [] };
  }
  return same(state);
}

export function onFullText(state: SessionState, text: string): SessionState {
  if (text === "Connection established") return state;
  if (text === "Thinking..." || text === "AI wants to speak something...") {
    return state.phase === "idle" ? { ...state, phase: "thinking", caption: null } : { ...state, caption: null };
  }
  return { ...state, caption: text.trim() || null };
}

export function onAudio(state: SessionState, message: AudioMessage, at: number): Step {
  if (state.phase === "interrupted" || state.phase === "waiting") return same(state);
  const id = state.nextId;
  const shown = message.display_text;
  let next: SessionState = { ...state, nextId: id + 1, caption: null };
  if (next.phase === "thinking") next.phase = "replying";
  if (shown?.text) {
    const sentence = { id, text: shown.text, before: message.before ?? null, begun: false, cut: false };
    // What went wrong is told at once, and then comes the rest of what the character had said before.
    const place = next.items.findLastIndex((item) => item.kind !== "error" || item.turn !== next.turn);
    const last = next.items[place];
    if (last?.kind === "ai" && last.turn === next.turn && !next.newBubble && last.name === shown.name) {
      const longer: AiItem = { ...last, sentences: [...last.sentences, sentence] };
      next.items = next.items.with(place, longer);
    } else {
      const bubble: AiItem = {
        kind: "ai",
        id: next.nextId,
        turn: next.turn,
        name: shown.name,
        avatar: shown.avatar,
        sentences: [sentence],
        interrupted: false,
        at,
      };
      next = { ...next, nextId: next.nextId + 1, items: next.items.toSpliced(place + 1, 0, bubble), newBubble: false };
    }
  }
  return { state: next, effects: [{ do: "play", id, message }] };
}

export function onTool(state: SessionState, message: ServerMessageOf<"tool_call_status">): SessionState {
  if (state.phase === "interrupted" || state.phase === "waiting") return state;
  const { tool_id: toolId, tool_name: toolName, status, content } = message;
  const known = state.items.some((item) => item.kind === "tool" && item.toolId === toolId);
  if (!known) return put(state, (id) => ({ kind: "tool", id, toolId, toolName, status, content }));
  const items = state.items.map((item) =>
    item.kind === "tool" && item.toolId === toolId ? { ...item, toolName, status, content } : item,
  );
  return { ...state, items };
}
