// What is done with the microphone, as plain steps: record while one speaks, or pass everything on.
//
// A recording is kept here until it is sent, so that cancelling it sends nothing at all. It is bounded: who
// speaks longer is sent what there is. Opening the microphone takes a while (the browser asks); whoever lets go
// meanwhile has not spoken.

import { Chunker, RATE } from "./resample";
import { MicrophoneError, type Microphone, type MicrophoneListener, type MicrophoneProblem } from "./microphone";

export type Opener = (device: string | null, listener: MicrophoneListener) => Promise<Microphone>;

/** off; opening: the browser asks; recording: until it is sent; streaming: everything is passed on. */
export type RecorderState = "off" | "opening" | "recording" | "streaming";

export interface RecorderListener {
  changed(state: RecorderState): void;
  level(level: number): void;
  /** A whole recording. */
  recorded(chunks: number[][]): void;
  /** A piece of the open microphone's sound. */
  streamed(samples: number[]): void;
  problem(problem: MicrophoneProblem | "lost" | "too-short"): void;
}

export const LONGEST_SECONDS = 60;
/** Shorter than this is a slip of the finger. */
export const SHORTEST_SECONDS = 0.3;
const STREAM_CHUNK = 2048;

export class Recorder {
  #open: Opener;
  #listener: RecorderListener;
  #state: RecorderState = "off";
  #microphone: Microphone | null = null;
  #chunker = new Chunker();
  #chunks: number[][] = [];
  #samples = 0;
  /** Counts openings: what an earlier one brings is closed at once. */
  #turn = 0;

  constructor(open: Opener, listener: RecorderListener) {
    this.#open = open;
    this.#listener = listener;
  }

  get state(): RecorderState {
    return this.#state;
  }

  /** Seconds recorded so far. */
  get seconds(): number {
    return this.#samples / RATE;
  }

  record(device: string | null): Promise<void> {
    return this.#begin(device, "recording");
  }

  stream(device: string | null): Promise<void> {
    return this.#begin(device, "streaming");
  }

  /** End a recording and send it. */
  send(): void {
    if (this.#state !== "recording") {
      this.cancel();
      return;
    }
    const chunks = [...this.#chunks, ...this.#chunker.flush()];
    const enough = this.seconds >= SHORTEST_SECONDS;
    this.cancel();
    enough ? this.#listener.recorded(chunks) : this.#listener.problem("too-short");
  }

  /** Close the microphone and forget what was recorded. */
  cancel(): void {
    this.#turn += 1;
    this.#microphone?.close();
    this.#microphone = null;
    this.#chunks = [];
    this.#samples = 0;
    this.#enter("off");
  }

  async #begin(device: string | null, what: "recording" | "streaming"): Promise<void> {
    if (this.#state !== "off") return;
    this.#turn += 1;
    const turn = this.#turn;
    this.#chunker = new Chunker(what === "streaming" ? STREAM_CHUNK : undefined);
    this.#enter("opening");
    try {
      const microphone = await this.#open(device, {
        level: (level) => this.#turn === turn && this.#listener.level(level),
        samples: (samples) => this.#turn === turn && this.#take(samples),
        lost: () => {
          if (this.#turn !== turn) return;
          this.cancel();
          this.#listener.problem("lost");
        },
      });
      if (this.#turn !== turn) {
        microphone.close();
        return;
      }
      this.#microphone = microphone;
      this.#enter(what);
    } catch (error) {
      if (this.#turn !== turn) return;
      this.cancel();
      this.#listener.problem(error instanceof MicrophoneError ? error.problem : "failed");
    }
  }

  #take(samples: Float32Array): void {
    if (this.#state !== "recording" && this.#state !== "streaming") return;
    const chunks = this.#chunker.push(samples);
    if (this.#state === "streaming") {
      for (const chunk of chunks) this.#listener.streamed(chunk);
      return;
    }
    this.#samples += samples.length;
    this.#chunks.push(...chunks);
    if (this.seconds >= LONGEST_SECONDS) this.send();
  }

  #enter(state: RecorderState): void {
    if (state === this.#state) return;
    this.#state = state;
    if (state === "off") this.#listener.level(0);
    this.#listener.changed(state);
  }
}
