// Keeps one WebSocket alive: connects, notices when it is dead, comes back with growing pauses.
//
// The browser's own `close` event comes minutes late when a network just disappears, so life is measured:
// a heartbeat while the page is visible, and an answer (any message counts) within a deadline. Socket, clock
// and chance are handed in, so that every path is tested without a network and without waiting.

import type { ClientMessage, ServerMessage } from "../protocol.generated";
import { Kept, noop, type Clock } from "./kept";

/** The part of a WebSocket that is used here. */
export interface Socket {
  onopen: ((event: Event) => void) | null;
  onmessage: ((event: MessageEvent) => void) | null;
  onclose: ((event: CloseEvent) => void) | null;
  send(data: string): void;
  close(): void;
}

/** Why the server ended the connection, where its close code tells. */
export type CloseReason = "full" | "refused" | "restarting" | "token" | "lost";

export type ConnectionState =
  | { phase: "connecting"; attempt: number }
  | { phase: "online" }
  /** The next try comes at `retryAt` (the clock's milliseconds). `detail`: the server's own words, often none. */
  | { phase: "reconnecting"; attempt: number; retryAt: number; reason: CloseReason; detail: string }
  /** The browser knows that there is no network: nothing is tried until it is back. */
  | { phase: "offline" };

export interface ConnectionOptions {
  url: string;
  open: (url: string) => Socket;
  clock: Clock;
  /** 0 to 1, as `Math.random`. */
  random: () => number;
  onState: (state: ConnectionState) => void;
  onMessage: (message: ServerMessage) => void;
}

export const FIRST_PAUSE = 500;
export const LONGEST_PAUSE = 15_000;
export const CONNECT_TIMEOUT = 10_000;
export const HEARTBEAT_EVERY = 20_000;
export const ACK_TIMEOUT = 10_000;
/** A connection that held this long was good: the next pause is the shortest again. */
export const STABLE_AFTER = 5_000;

/** The number of tries from which on the pause is the longest. */
const PATIENT = 6;

/** The pause before try number `attempt` (from 1): doubling, capped, the upper half of it left to chance. */
export function pauseBefore(attempt: number, random: () => number): number {
  const longest = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** Math.min(attempt - 1, 16));
  return Math.round(longest / 2 + (random() * longest) / 2);
}

function reasonOf(code: number, words: string): CloseReason {
  if (code === 1013) return "full";
  if (code === 1012) return "restarting";
  // 4000 and the HTTP status that a page is not shown when a handshake fails.
  if (code === 4401 || words.startsWith("logged out")) return "token";
  return code === 1008 || code === 4403 || code === 4429 ? "refused" : "lost";
}

export class Connection extends Kept<ConnectionState> {
  #options: ConnectionOptions;
  #socket: Socket | null = null;
  #openedAt = 0;
  #visible = true;
  #cancelConnect = noop;
  #cancelBeat = noop;
  #cancelAck = noop;
  #waitsForAck = false;

  constructor(options: ConnectionOptions) {
    const offline = { phase: "offline" } as const;
    super(options.clock, offline, offline, options.onState);
    this.#options = options;
  }

  /** Send one message; false if there is no connection, and then nothing is kept. */
  send(message: ClientMessage): boolean {
    if (this.state.phase !== "online" || !this.#socket) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  /** Do not wait any longer for the next try. */
  retryNow(): void {
    if (this.state.phase === "reconnecting") this.connect();
  }

  /** The page came to the front or went to the back. A hidden page sends no heartbeats. */
  setVisible(visible: boolean): void {
    this.#visible = visible;
    if (this.stopped) return;
    if (!visible) {
      this.#cancelBeat();
      this.#cancelAck();
      this.#waitsForAck = false;
    } else if (this.state.phase === "online") {
      this.#beat(); // after a long sleep the socket may be dead without knowing it
    } else {
      this.retryNow();
    }
  }

  protected override open(): void {
    const socket = this.#options.open(this.#options.url);
    this.#socket = socket;
    socket.onopen = () => this.#opened();
    socket.onmessage = (event) => this.#received(event.data);
    socket.onclose = (event) => this.#lost(reasonOf(event.code, event.reason), event.reason);
    this.#cancelConnect = this.#options.clock.after(CONNECT_TIMEOUT, () => this.#lost("lost"));
    this.enter({ phase: "connecting", attempt: this.attempt });
  }

  #opened(): void {
    this.#cancelConnect();
    this.#openedAt = this.#options.clock.now();
    this.enter({ phase: "online" });
    if (this.#visible) this.#planBeat();
  }

  #received(data: unknown): void {
    this.#cancelAck();
    this.#waitsForAck = false;
    if (typeof data !== "string") return;
    let message: unknown;
    try {
      message = JSON.parse(data);
    } catch {
      console.warn("greenroom: the server sent a frame that is not JSON; it is ignored");
      return;
    }
    if (typeof message === "object" && message !== null && "type" in message) {
      this.#options.onMessage(message as ServerMessage);
    }
  }

  #lost(reason: CloseReason, detail = ""): void {
    const held = this.state.phase === "online" && this.#options.clock.now() - this.#openedAt >= STABLE_AFTER;
    this.drop();
    if (this.stopped) return;
    if (held) this.attempt = 0;
    // Without a token the next try fails as this one did; but one may log in elsewhere meanwhile.
    if (reason === "token") this.attempt = Math.max(this.attempt, PATIENT);
    const retryAt = this.retryAfter(pauseBefore(Math.max(1, this.attempt), this.#options.random));
    this.enter({ phase: "reconnecting", attempt: this.attempt, retryAt, reason, detail });
  }

  protected override drop(): void {
    this.#cancelConnect();
    this.#cancelBeat();
    this.#cancelAck();
    this.#waitsForAck = false;
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  #planBeat(): void {
    this.#cancelBeat();
    this.#cancelBeat = this.#options.clock.after(HEARTBEAT_EVERY, () => this.#beat());
  }

  #beat(): void {
    this.#planBeat();
    if (this.#waitsForAck || !this.send({ type: "heartbeat" })) return;
    this.#waitsForAck = true;
    this.#cancelAck = this.#options.clock.after(ACK_TIMEOUT, () => this.#lost("lost"));
  }
}
