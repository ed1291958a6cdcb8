// Turns base64 WAV into sound, with the browser's own audio element.
//
// One element for all sentences: phones let a page play sound only from an element that was once started by a
// touch, so the first touch unlocks this one. Each file's object URL is given back when it has been played.

import type { Player } from "./playback";

const SILENCE = new Uint8Array([
  82, 73, 70, 70, 38, 0, 0, 0, 87, 65, 86, 69, 102, 109, 116, 32, 16, 0, 0, 0, 1, 0, 1, 0, 64, 31, 0, 0, 128, 62, 0,
  0, 2, 0, 16, 0, 100, 97, 116, 97, 2, 0, 0, 0, 0, 0,
]);

export class AudioPlayer implements Player {
  #element: HTMLAudioElement;
  #blocked: () => void;

  /** `blocked` is called when the browser wants a click or touch first. */
  constructor(blocked: () => void, element: HTMLAudioElement = new Audio()) {
    this.#element = element;
    this.#blocked = blocked;
  }

  /** 0 to 1. Phones that leave the volume to their buttons ignore it. */
  set volume(volume: number) {
    this.#element.volume = Math.min(1, Math.max(0, volume));
  }

  /** Play through this device (null: the system's choice); false if it is not there or the browser cannot. */
  async setOutput(device: string | null): Promise<boolean> {
    if (!canChooseOutput()) return device === null;
    try {
      await this.#element.setSinkId(device ?? "");
      return true;
    } catch {
      return false; // unplugged, or forbidden: it plays where it played
    }
  }

  /** Seconds into the sentence that is being played. */
  get position(): number {
    return this.#element.currentTime;
  }

  play(audio: string, done: () => void): () => void {
    let url: string;
    try {
      url = URL.createObjectURL(new Blob([bytes(audio)], { type: "audio/wav" }));
    } catch (error) {
      console.warn("greenroom: a sentence's sound is not base64 and is skipped", error);
      queueMicrotask(done);
      return () => {};
    }
    const element = this.#element;
    let over = false;
    const finish = (): void => {
      if (over) return;
      over = true;
      element.onended = element.onerror = null;
      URL.revokeObjectURL(url);
    };
    const end = (): void => {
      if (over) return;
      finish();
      done();
    };
    element.onended = end;
    element.onerror = end;
    element.src = url;
    element.play().catch((error: unknown) => {
      if (!over && error instanceof DOMException && error.name === "NotAllowedError") this.#blocked();
      end();
    });
    return () => {
      if (over) return;
      finish();
      element.pause();
      element.removeAttribute("src");
    };
  }

  /** Call from a click, key or touch: from then on sentences may sound. */
  unlock(): void {
    const element = this.#element;
    if (element.src) return;
    const url = URL.createObjectURL(new Blob([SILENCE], { type: "audio/wav" }));
    element.src = url;
    element.play().then(
      () => URL.revokeObjectURL(url),
      () => URL.revokeObjectURL(url),
    );
  }
}

/** The browser lets a page choose where it plays. */
export function canChooseOutput(): boolean {
  return "setSinkId" in HTMLMediaElement.prototype;
}

function bytes(base64: string): Uint8Array<ArrayBuffer> {
  const text = atob(base64);
  const result = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index += 1) result[index] = text.charCodeAt(index);
  return result;
}
