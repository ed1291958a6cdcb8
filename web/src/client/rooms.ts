// A room: one conversation that many watch. What we say waits in line, and is shown once its turn comes.

import type { ServerMessageOf } from "../protocol.generated";
import { put } from "./changes";
import { same, send, type Step } from "./effects";
import type { Picture, Queued, SessionState } from "./state";

const KEPT_IN_LINE = 12;

/** Say something in a room. Nothing is cut short for it: everybody waits for their turn. */
export function sayInRoom(state: SessionState, text: string, pictures: Picture[], at: number): Step {
  const images = pictures.map((one) => one.image);
  // A server that tells nothing of itself tells nothing of places either: shown at once.
  if (state.features === null) return { state: shown(state, text, pictures, at), effects: [send({ type: "text-input", text, images })] };
  const id = state.nextId;
  const mine: Queued = {
    id,
    text,
    pictures,
    state: "sent",
    position: 0,
    waiting: 0,
    reason: null,
    retryAt: null,
  };
  return {
    state: { ...state, nextId: id + 1, queue: [...state.queue, mine].slice(-KEPT_IN_LINE) },
    effects: [send({ type: "text-input", text, images, request_id: id })],
  };
}

export function onQueueState(state: SessionState, message: ServerMessageOf<"queue-state">, at: number): SessionState {
  const mine = state.queue.find((one) => one.id === message.request_id);
  if (!mine) return state;
  if (message.position === 0) return shown(leftLine(state, mine.id), mine.text, mine.pictures, at);
  const { position, waiting } = message;
  return changed(state, { ...mine, state: "waiting", position, waiting });
}

export function onQueueDropped(state: SessionState, message: ServerMessageOf<"queue-dropped">, at: number): SessionState {
  const mine = state.queue.find((one) => one.id === message.request_id);
  if (!mine) return state;
  const retryAt = message.retry_after > 0 ? at + message.retry_after * 1000 : null;
  return changed(state, { ...mine, state: "dropped", reason: message.reason, retryAt });
}

/** Send a message once more that was not answered. */
export function retryInRoom(state: SessionState, id: number, at: number): Step {
  const mine = state.queue.find((one) => one.id === id);
  return mine ? sayInRoom(leftLine(state, id), mine.text, mine.pictures, at) : same(state);
}

export function leftLine(state: SessionState, id: number): SessionState {
  return { ...state, queue: state.queue.filter((one) => one.id !== id) };
}

/** The connection broke: the room goes on, and what of ours waits there may still be answered. */
export function roomLost(state: SessionState): SessionState {
  const lost = (one: Queued): Queued => (one.state === "dropped" ? one : { ...one, state: "unknown" });
  return { ...state, viewers: null, queue: state.queue.map(lost) };
}

/** Enter the room, for the first time or again. */
export function entered(state: SessionState): Step {
  const next = state.items.length > 0 ? put(state, (id) => ({ kind: "notice", id, word: "room-back" })) : state;
  return {
    state: next,
    effects: [send({ type: "fetch-backgrounds" }), send({ type: "fetch-configs" }), send({ type: "watch-room" })],
  };
}

/** Another character is on stage, for everybody. */
export function roomSwitched(state: SessionState): Step {
  return same(put({ ...state, switchingTo: null }, (id) => ({ kind: "notice", id, word: "room-switched" })));
}

function shown(state: SessionState, text: string, pictures: Picture[], at: number): SessionState {
  const thumbnails = pictures.map((one) => one.thumbnail);
  return put(state, (id) => ({ kind: "human", id, text, thumbnails, at }));
}

function changed(state: SessionState, mine: Queued): SessionState {
  return { ...state, queue: state.queue.map((one) => (one.id === mine.id ? mine : one)) };
}
