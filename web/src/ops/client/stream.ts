// Keeps the stream of events open: reads it, notices when it is dead, comes back with growing pauses.
//
// It is read with fetch and not with the browser's EventSource, which does not tell why a server refused it: a page
// that needs a token must ask for it and not knock for ever. The server sends a sample each second, so silence is a
// lost connection. Fetch, clock and chance are handed in: every path is tested without a network and without waiting.

import { createParser } from "eventsource-parser";
import { pauseBefore } from "../../client/connection";
import { Kept, noop, type Clock } from "../../client/kept";
import { problemOf, type Problem } from "./api";
import { isEventName, type Event } from "./state";

export type StreamState =
  | { phase: "connecting" }
  | { phase: "live" }
  /** The next try comes at `retryAt` (the clock's milliseconds); `problem` is what the server said, if it did. */
  | { phase: "reconnecting"; retryAt: number; problem: Problem | null }
  | { phase: "offline" }
  /** The server wants a token, or another one: nothing is tried until there is one. */
  | { phase: "locked"; problem: Problem };

export interface StreamOptions {
  url: string;
  fetch: (url: string, init: RequestInit) => Promise<Response>;
  clock: Clock;
  /** 0 to 1, as `Math.random`. */
  random: () => number;
  onState: (state: StreamState) => void;
  onEvent: (event: Event) => void;
}

export const SILENCE = 10_000;
export const CONNECT_TIMEOUT = 10_000;
/** No event is as large; more without an end is not a stream of ours. */
export const MAX_EVENT = 32 * 1024 * 1024;

export class Stream extends Kept<StreamState> {
  #options: StreamOptions;
  /** Of the connection there is; a late answer to an earlier one is known by it. */
  #abort: AbortController | null = null;
  #cancelSilence = noop;

  constructor(options: StreamOptions) {
    super(options.clock, { phase: "connecting" }, { phase: "offline" }, options.onState);
    this.#options = options;
  }

  /** Do not wait any longer: somebody clicked, or there is a token now. */
  retryNow(): void {
    if (!this.stopped && this.state.phase !== "live" && this.state.phase !== "connecting") this.connect();
  }

  protected override drop(): void {
    this.#cancelSilence();
    this.#abort?.abort();
    this.#abort = null;
  }

  protected override open(): void {
    const abort = new AbortController();
    this.#abort = abort;
    this.enter({ phase: "connecting" });
    this.#expect(abort, CONNECT_TIMEOUT);
    void this.#read(abort).catch(() => this.#lost(abort, null, null)); // a network that broke: it is tried again
  }

  async #read(abort: AbortController): Promise<void> {
    const { url, fetch } = this.#options;
    const headers = { Accept: "text/event-stream" };
    const init: RequestInit = { headers, signal: abort.signal, cache: "no-store", credentials: "same-origin" };
    const response = await fetch(url, init);
    if (abort !== this.#abort) return;
    if (!response.ok || response.body === null) {
      const problem = await problemOf(response);
      if (abort !== this.#abort) return;
      if (response.status === 401 || response.status === 403) this.#lock(problem);
      else this.#lost(abort, problem, response.headers.get("Retry-After"));
      return;
    }
    const parser = createParser({
      maxBufferSize: MAX_EVENT,
      onEvent: (message) => this.#take(message.event ?? "", message.data),
      onError: (error) => {
        if (error.type === "max-buffer-size-exceeded") this.#lost(abort, null, null);
      },
    });
    const decoder = new TextDecoder();
    const reader = response.body.getReader();
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      if (abort !== this.#abort) return;
      this.#expect(abort, SILENCE);
      parser.feed(decoder.decode(piece.value, { stream: true }));
    }
    this.#lost(abort, null, null);
  }

  #take(name: string, data: string): void {
    if (!isEventName(name)) return;
    let content: unknown;
    try {
      content = JSON.parse(data);
    } catch {
      console.warn(`greenroom: the server's event ${name} is not JSON; it is ignored`);
      return;
    }
    this.#options.onEvent({ name, data: content } as Event);
    if (this.state.phase === "live") return;
    this.attempt = 0;
    this.enter({ phase: "live" });
  }

  #expect(abort: AbortController, milliseconds: number): void {
    this.#cancelSilence();
    this.#cancelSilence = this.#options.clock.after(milliseconds, () => this.#lost(abort, null, null));
  }

  #lock(problem: Problem): void {
    this.drop();
    this.enter({ phase: "locked", problem });
  }

  #lost(abort: AbortController, problem: Problem | null, retryAfter: string | null): void {
    if (abort !== this.#abort) return;
    this.drop();
    const asked = Number(retryAfter ?? 0) * 1000;
    const pause = pauseBefore(Math.max(1, this.attempt), this.#options.random);
    const retryAt = this.retryAfter(Math.max(pause, Number.isFinite(asked) ? asked : 0));
    this.enter({ phase: "reconnecting", retryAt, problem });
  }
}
