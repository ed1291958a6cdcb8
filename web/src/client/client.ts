// The shell: joins socket, reducer and sound, and tells the page when something has changed.

import type { AudioMessage } from "../protocol.generated";
import { Connection, type ConnectionState, type Socket } from "./connection";
import type { Effect } from "./effects";
import type { Clock } from "./kept";
import { PlaybackQueue, type Player } from "./playback";
import { reduce, type SessionEvent } from "./session";
import { initialState, type SessionState } from "./state";

export interface ClientOptions {
  url: string;
  /** The room that is watched there, if it is one. */
  room: string | null;
  open: (url: string) => Socket;
  clock: Clock;
  random: () => number;
  player: Player;
  /** Milliseconds since 1970, for the times in the chat. */
  today: () => number;
}

export interface Snapshot {
  session: SessionState;
  connection: ConnectionState;
  /** The sentence being spoken, with its loudness. */
  clip: AudioMessage | null;
}

export class Client {
  readonly connection: Connection;
  #playback: PlaybackQueue;
  #today: () => number;
  #snapshot: Snapshot = { session: initialState, connection: { phase: "offline" }, clip: null };
  #listeners = new Set<() => void>();
  #events: SessionEvent[] = [];
  #busy = false;
  /** The messages of sentences that wait or are being played. */
  #clips = new Map<number, AudioMessage>();

  constructor(options: ClientOptions) {
    this.#today = options.today;
    this.#snapshot = { ...this.#snapshot, session: { ...initialState, room: options.room } };
    this.connection = new Connection({
      url: options.url,
      open: options.open,
      clock: options.clock,
      random: options.random,
      onState: (connection) => this.#connected(connection),
      onMessage: (message) => this.dispatch({ type: "server", message, at: this.#today() }),
    });
    this.#playback = new PlaybackQueue(options.player, {
      began: (id, sounds) => {
        const message = this.#clips.get(id);
        if (!message) return;
        if (sounds) this.#publish({ ...this.#snapshot, clip: message });
        this.dispatch({ type: "sentence-began", id, message });
      },
      ended: (id) => {
        this.#clips.delete(id);
        if (this.#snapshot.clip) this.#publish({ ...this.#snapshot, clip: null });
        this.dispatch({ type: "sentence-ended", id });
      },
      complete: () => this.dispatch({ type: "played" }),
    });
  }

  get snapshot(): Snapshot {
    return this.#snapshot;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  setSound(on: boolean): void {
    this.#playback.setSound(on);
  }

  /** Take in one event; events that it causes are taken in after it, in order. */
  dispatch(event: SessionEvent): void {
    this.#events.push(event);
    if (this.#busy) return;
    this.#busy = true;
    try {
      for (let next = this.#events.shift(); next; next = this.#events.shift()) {
        const step = reduce(this.#snapshot.session, next);
        if (step.state !== this.#snapshot.session) this.#publish({ ...this.#snapshot, session: step.state });
        for (const effect of step.effects) this.#perform(effect);
      }
    } finally {
      this.#busy = false;
    }
  }

  #perform(effect: Effect): void {
    switch (effect.do) {
      case "send":
        this.connection.send(effect.message);
        return;
      case "play":
        this.#clips.set(effect.id, effect.message);
        this.#playback.add({ id: effect.id, audio: effect.message.audio });
        return;
      case "begin-turn":
        this.#clips.clear();
        this.#playback.beginTurn();
        return;
      case "all-sent":
        this.#playback.allSent();
        return;
      case "hush":
        this.#clips.clear();
        this.#playback.stop();
        return;
    }
  }

  #connected(connection: ConnectionState): void {
    const before = this.#snapshot.connection.phase;
    this.#publish({ ...this.#snapshot, connection });
    if (connection.phase === "online") this.dispatch({ type: "opened" });
    else if (before === "online") {
      const reason = connection.phase === "reconnecting" ? connection.reason : "lost";
      this.dispatch({ type: "closed", reason });
    }
  }

  #publish(snapshot: Snapshot): void {
    this.#snapshot = snapshot;
    for (const listener of this.#listeners) listener();
  }
}
