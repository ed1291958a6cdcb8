import { beforeEach, describe, expect, it } from "vitest";
import { MicrophoneError, type Microphone, type MicrophoneListener } from "../../src/voice/microphone";
import { LONGEST_SECONDS, Recorder } from "../../src/voice/recorder";
import { CHUNK, RATE } from "../../src/voice/resample";

let listener: MicrophoneListener | null;
let opened: ((microphone: Microphone) => void) | null;
let refuse: ((error: unknown) => void) | null;
let closed: number;
let devices: (string | null)[];
let told: string[];
let recorded: number[][][];
let streamed: number[][];
let recorder: Recorder;

beforeEach(() => {
  listener = opened = refuse = null;
  closed = 0;
  devices = [];
  told = [];
  recorded = [];
  streamed = [];
  recorder = new Recorder(
    (device, to) => {
      devices.push(device);
      listener = to;
      return new Promise((resolve, reject) => {
        opened = resolve;
        refuse = reject;
      });
    },
    {
      changed: (state) => told.push(state),
      level: () => {},
      recorded: (chunks) => recorded.push(chunks),
      streamed: (samples) => streamed.push(samples),
      problem: (problem) => told.push(`problem ${problem}`),
    },
  );
});

async function allow(): Promise<void> {
  opened?.({ close: () => (closed += 1) });
  await Promise.resolve();
  await Promise.resolve();
}

function speak(seconds: number): void {
  listener?.samples(new Float32Array(Math.round(seconds * RATE)).fill(0.5));
}

describe("a recording", () => {
  it("is sent whole when it ends, and the microphone is closed", async () => {
    void recorder.record("m1");
    await allow();
    speak(0.5);
    expect(recorded).toEqual([]);
    recorder.send();
    expect(devices).toEqual(["m1"]);
    expect(recorded[0]?.flat()).toHaveLength(RATE / 2);
    expect(recorded[0]?.every((chunk) => chunk.length <= CHUNK)).toBe(true);
    expect(told).toEqual(["opening", "recording", "off"]);
    expect(closed).toBe(1);
  });

  it("that is cancelled sends nothing, also not with the next one", async () => {
    void recorder.record(null);
    await allow();
    speak(1);
    recorder.cancel();
    void recorder.record(null);
    await allow();
    speak(0.5);
    recorder.send();
    expect(recorded).toHaveLength(1);
    expect(recorded[0]?.flat()).toHaveLength(RATE / 2);
  });

  it("that is too short is a slip of the finger", async () => {
    void recorder.record(null);
    await allow();
    speak(0.1);
    recorder.send();
    expect(recorded).toEqual([]);
    expect(told.at(-1)).toBe("problem too-short");
  });

  it("that is too long is sent at its bound", async () => {
    void recorder.record(null);
    await allow();
    for (let second = 0; second < LONGEST_SECONDS + 5; second += 1) speak(1);
    expect(recorded).toHaveLength(1);
    expect(recorded[0]?.flat()).toHaveLength(LONGEST_SECONDS * RATE);
    expect(recorder.state).toBe("off");
  });

  it("given up before the browser has allowed it closes what comes late", async () => {
    void recorder.record(null);
    recorder.send();
    expect(recorder.state).toBe("off");
    await allow();
    expect(closed).toBe(1);
    expect(recorder.state).toBe("off");
    speak(1);
    expect(recorded).toEqual([]);
  });
});

describe("problems", () => {
  it.each(["forbidden", "none", "in-use"] as const)("%s is told by its name", async (problem) => {
    const done = recorder.record(null);
    refuse?.(new MicrophoneError(problem));
    await done;
    expect(told).toEqual(["opening", "off", `problem ${problem}`]);
  });

  it("a device that is unplugged ends the recording", async () => {
    void recorder.record(null);
    await allow();
    listener?.lost();
    expect(told.slice(-2)).toEqual(["off", "problem lost"]);
  });
});

describe("the open microphone", () => {
  it("passes everything on, piece by piece, until it is closed", async () => {
    void recorder.stream(null);
    speak(1);
    expect(streamed).toEqual([]);
    await allow();
    speak(1);
    expect(streamed.length).toBeGreaterThan(5);
    const before = streamed.length;
    recorder.send();
    speak(1);
    expect(streamed).toHaveLength(before);
    expect(recorded).toEqual([]);
  });

  it("is opened once", async () => {
    void recorder.stream(null);
    void recorder.stream(null);
    await allow();
    void recorder.record(null);
    expect(devices).toHaveLength(1);
  });
});
