// From the microphone's rate to the 16 kHz that the server takes, piece by piece, without a seam between pieces.

/** Samples a second on the wire. */
export const RATE = 16_000;
/** The most samples of one message. */
export const CHUNK = 4096;

/** Averages over what becomes one sample where the rate falls (which also takes off what it could not hold). */
export class Resampler {
  #step: number;
  #left: Float32Array = new Float32Array(0);
  #at = 0;

  constructor(from: number, to: number = RATE) {
    this.#step = from / to;
  }

  push(input: Float32Array): Float32Array {
    const all = new Float32Array(this.#left.length + input.length);
    all.set(this.#left);
    all.set(input, this.#left.length);
    const reach = Math.max(1, this.#step);
    const made: number[] = [];
    while (this.#at + reach <= all.length - 1) {
      made.push(this.#step > 1 ? mean(all, this.#at, this.#at + this.#step) : between(all, this.#at));
      this.#at += this.#step;
    }
    const used = Math.floor(this.#at);
    this.#left = all.slice(used);
    this.#at -= used;
    return Float32Array.from(made);
  }
}

function between(samples: Float32Array, at: number): number {
  const index = Math.floor(at);
  const share = at - index;
  return (samples[index] ?? 0) * (1 - share) + (samples[index + 1] ?? 0) * share;
}

/** The mean from one place to another; the first and the last sample count by their shares. */
function mean(samples: Float32Array, from: number, to: number): number {
  let sum = 0;
  for (let index = Math.floor(from); index < to; index += 1) {
    const share = Math.min(index + 1, to) - Math.max(index, from);
    sum += (samples[index] ?? 0) * share;
  }
  return sum / (to - from);
}

/** Collects samples into messages: numbers of four decimals, `size` in each. */
export class Chunker {
  #size: number;
  #waiting: number[] = [];

  constructor(size: number = CHUNK) {
    this.#size = size;
  }

  /** Whole chunks that these samples complete. */
  push(samples: Float32Array): number[][] {
    for (const sample of samples) this.#waiting.push(Math.round(clamp(sample) * 10_000) / 10_000);
    const whole: number[][] = [];
    while (this.#waiting.length >= this.#size) whole.push(this.#waiting.splice(0, this.#size));
    return whole;
  }

  /** What is left, as a shorter chunk; none if there is nothing. */
  flush(): number[][] {
    return this.#waiting.length > 0 ? [this.#waiting.splice(0)] : [];
  }
}

function clamp(sample: number): number {
  return Number.isFinite(sample) ? Math.max(-1, Math.min(1, sample)) : 0;
}

/** How loud it is, 0 to 1, on a scale on which speech fills the meter. */
export function loudness(samples: Float32Array): number {
  if (samples.length === 0) return 0;
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const decibels = 10 * Math.log10(sum / samples.length + 1e-10);
  return Math.max(0, Math.min(1, (decibels + 60) / 50));
}
