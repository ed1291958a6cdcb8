import { describe, expect, it } from "vitest";
import { CHUNK, Chunker, loudness, RATE, Resampler } from "../../src/voice/resample";

function tone(hertz: number, rate: number, seconds: number): Float32Array {
  return Float32Array.from({ length: Math.round(rate * seconds) }, (_, at) => Math.sin((2 * Math.PI * hertz * at) / rate));
}

/** Crossings of zero upwards, a second. */
function pitch(samples: Float32Array, rate: number): number {
  let count = 0;
  for (let at = 1; at < samples.length; at += 1) if ((samples[at - 1] ?? 0) < 0 && (samples[at] ?? 0) >= 0) count += 1;
  return (count * rate) / samples.length;
}

function inPieces(samples: Float32Array, from: number, size: number): Float32Array {
  const resampler = new Resampler(from);
  const made: number[] = [];
  for (let at = 0; at < samples.length; at += size) made.push(...resampler.push(samples.slice(at, at + size)));
  return Float32Array.from(made);
}

describe("Resampler", () => {
  it.each([8000, 16_000, 22_050, 44_100, 48_000, 96_000])("keeps pitch and length from %i a second", (rate) => {
    const made = inPieces(tone(440, rate, 1), rate, 2048);
    expect(Math.abs(made.length - RATE)).toBeLessThan(20);
    expect(Math.abs(pitch(made, RATE) - 440)).toBeLessThan(3);
  });

  it("has no seams: pieces of any size give the same as the whole", () => {
    const whole = tone(300, 44_100, 0.3);
    const once = new Resampler(44_100).push(whole);
    for (const size of [1, 7, 128, 2048]) {
      const parts = inPieces(whole, 44_100, size);
      expect(parts.length).toBe(once.length);
      parts.forEach((sample, at) => expect(Math.abs(sample - (once[at] ?? 9))).toBeLessThan(1e-6));
    }
  });

  it("takes off what 16 kHz cannot hold", () => {
    const made = inPieces(tone(15_900, 48_000, 0.5), 48_000, 2048);
    expect(loudness(made)).toBeLessThan(loudness(tone(440, RATE, 0.5)));
    expect(Math.max(...made)).toBeLessThan(0.35);
  });
});

describe("Chunker", () => {
  it("fills chunks whole, keeps the rest, and bounds what goes on the wire", () => {
    const chunker = new Chunker();
    expect(chunker.push(new Float32Array(CHUNK - 1))).toEqual([]);
    const [chunk] = chunker.push(Float32Array.from([2, 0.123456, Number.NaN]));
    expect(chunk).toHaveLength(CHUNK);
    expect(chunk?.at(-1)).toBe(1);
    expect(chunker.flush()).toEqual([[0.1235, 0]]);
    expect(chunker.flush()).toEqual([]);
  });
});

describe("loudness", () => {
  it("goes from silence to a full meter", () => {
    expect(loudness(new Float32Array(0))).toBe(0);
    expect(loudness(new Float32Array(100))).toBe(0);
    expect(loudness(tone(440, RATE, 0.1))).toBe(1);
    const quiet = loudness(tone(440, RATE, 0.1).map((sample) => sample * 0.02));
    expect(quiet).toBeGreaterThan(0.2);
    expect(quiet).toBeLessThan(0.7);
  });
});
