// What is common to the connections of both pages: kept until `stop`, at rest while the browser has no network, tried
// again after a pause. What connecting means, and what it takes to notice a loss, is each one's own.

/** The part of the browser's timers that is used here; milliseconds. */
export interface Clock {
  now(): number;
  after(delay: number, run: () => void): () => void;
}

export abstract class Kept<State extends { phase: string }> {
  /** Tries since a connection last held. */
  protected attempt = 0;
  #clock: Clock;
  #state: State;
  #offline: State;
  #onState: (state: State) => void;
  #network = true;
  #stopped = true;
  #cancelRetry = noop;

  /** `offline` is the state in which nothing is tried. */
  constructor(clock: Clock, first: State, offline: State, onState: (state: State) => void) {
    this.#clock = clock;
    this.#state = first;
    this.#offline = offline;
    this.#onState = onState;
  }

  get state(): State {
    return this.#state;
  }

  protected get stopped(): boolean {
    return this.#stopped;
  }

  /** Connect and stay connected until `stop`. */
  start(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    this.#network ? this.connect() : this.enter(this.#offline);
  }

  /** Close for good; no event follows. */
  stop(): void {
    this.#stopped = true;
    this.#rest();
  }

  /** The browser's `online` and `offline` events. */
  setNetwork(up: boolean): void {
    this.#network = up;
    if (this.#stopped) return;
    if (!up) {
      this.#rest();
      this.enter(this.#offline);
    } else if (this.#state.phase === "offline" || this.#state.phase === "reconnecting") {
      this.attempt = 0;
      this.connect();
    }
  }

  protected enter(state: State): void {
    this.#state = state;
    this.#onState(state);
  }

  /** Begin anew: nothing is left of the try before. */
  protected connect(): void {
    this.#rest();
    this.attempt += 1;
    this.open();
  }

  /** Connect after a pause; gives the moment, in the clock's milliseconds. */
  protected retryAfter(pause: number): number {
    this.#cancelRetry();
    this.#cancelRetry = this.#clock.after(pause, () => this.connect());
    return this.#clock.now() + pause;
  }

  protected abstract open(): void;
  /** Let go of the connection there is, and of its timers: its late events reach nobody. */
  protected abstract drop(): void;

  #rest(): void {
    this.#cancelRetry();
    this.drop();
  }
}

export function noop(): void {}
