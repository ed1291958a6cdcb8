// The microphone: opened when it is wanted, closed when it is not, and nothing of it goes on in between.

import { loudness, Resampler } from "./resample";

export interface Microphone {
  close(): void;
}

export interface MicrophoneListener {
  /** Samples at 16 kHz. */
  samples(samples: Float32Array): void;
  /** 0 to 1, some twenty times a second. */
  level(level: number): void;
  /** The device was unplugged, or the user has taken the permission back. */
  lost(): void;
}

/** Why there is no microphone; the page has words for each. */
export type MicrophoneProblem = "insecure" | "forbidden" | "none" | "in-use" | "failed";

export class MicrophoneError extends Error {
  readonly problem: MicrophoneProblem;

  constructor(problem: MicrophoneProblem, cause?: unknown) {
    super(`no microphone: ${problem}`, { cause });
    this.problem = problem;
  }
}

/** Open a microphone; the browser asks its user first. `device` null: the system's choice. */
export async function openMicrophone(device: string | null, listener: MicrophoneListener): Promise<Microphone> {
  // Browsers have it on https and on this machine only.
  if (!navigator.mediaDevices) throw new MicrophoneError("insecure");
  let stream: MediaStream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: wanted(device) });
  } catch (error) {
    throw new MicrophoneError(problemOf(error), error);
  }
  let context: AudioContext | null = null;
  try {
    context = new AudioContext();
    await context.audioWorklet.addModule(new URL("./capture.worklet.js", import.meta.url));
    await context.resume();
    return listen(stream, context, listener);
  } catch (error) {
    for (const track of stream.getTracks()) track.stop();
    void context?.close();
    throw new MicrophoneError("failed", error);
  }
}

function wanted(device: string | null): MediaTrackConstraints {
  const clean = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 };
  // "ideal": a microphone that is not there today is no reason to hear nothing.
  return device === null ? clean : { ...clean, deviceId: { ideal: device } };
}

function listen(stream: MediaStream, context: AudioContext, listener: MicrophoneListener): Microphone {
  const source = context.createMediaStreamSource(stream);
  const capture = new AudioWorkletNode(context, "greenroom-capture", { numberOfOutputs: 0 });
  const resampler = new Resampler(context.sampleRate);
  let open = true;
  capture.port.onmessage = (event: MessageEvent<Float32Array>) => {
    if (!open) return;
    listener.level(loudness(event.data));
    listener.samples(resampler.push(event.data));
  };
  source.connect(capture);
  const close = (): void => {
    if (!open) return;
    open = false;
    capture.port.onmessage = null;
    source.disconnect();
    for (const track of stream.getTracks()) track.stop();
    void context.close();
  };
  for (const track of stream.getTracks()) {
    track.onended = () => {
      if (!open) return;
      close();
      listener.lost();
    };
  }
  return { close };
}

function problemOf(error: unknown): MicrophoneProblem {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError" || name === "SecurityError") return "forbidden";
  if (name === "NotFoundError" || name === "OverconstrainedError") return "none";
  return name === "NotReadableError" || name === "AbortError" ? "in-use" : "failed";
}
