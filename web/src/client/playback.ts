// The order in which sentences are spoken, and the one answer the server waits for at the end.
//
// A sentence without sound takes no time but keeps its place, so what counts as "heard" is the same with and
// without speech. How sound comes out of the machine is the player's business: this file knows no browser.

/** One sentence on its way to the ear. */
export interface Clip {
  id: number;
  /** A whole WAV file in base64; null for a silent sentence. */
  audio: string | null;
}

/** Plays one WAV file. Calls `done` once, also after a failure, but not after the returned stop function. */
export interface Player {
  play(audio: string, done: () => void): () => void;
}

export interface PlaybackListener {
  began(id: number, sounds: boolean): void;
  ended(id: number): void;
  /** All sentences of the turn have been played, and the server has said that these were all. */
  complete(): void;
}

/** More sentences than this waiting are not worth hearing: they are shown, but not spoken. */
export const MAX_WAITING = 200;

export class PlaybackQueue {
  #player: Player;
  #listener: PlaybackListener;
  #waiting: Clip[] = [];
  #current: Clip | null = null;
  #stopCurrent: (() => void) | null = null;
  #sound = true;
  #allSent = false;
  #answered = false;
  #running = false;

  constructor(player: Player, listener: PlaybackListener) {
    this.#player = player;
    this.#listener = listener;
  }

  statistics(): { waiting: number; playing: boolean; answered: boolean } {
    return { waiting: this.#waiting.length, playing: this.#current !== null, answered: this.#answered };
  }

  /** A new turn begins: whatever is left of the earlier one is not played. */
  beginTurn(): void {
    this.stop();
    this.#answered = false;
  }

  add(clip: Clip): void {
    const tooMany = this.#waiting.length >= MAX_WAITING;
    this.#waiting.push(tooMany ? { id: clip.id, audio: null } : clip);
    this.#run();
  }

  /** The server has sent everything. It may say so twice; it is answered once a turn. */
  allSent(): void {
    if (this.#answered) return;
    this.#allSent = true;
    this.#run();
  }

  /** Silence at once. Nothing is answered: an interrupted turn has no end to wait for. */
  stop(): void {
    this.#waiting = [];
    this.#allSent = false;
    this.#endCurrent();
  }

  /** Without sound, what waits is gone through at once. */
  setSound(on: boolean): void {
    this.#sound = on;
    if (on) return;
    this.#endCurrent();
    this.#run();
  }

  #endCurrent(): void {
    const clip = this.#current;
    if (!clip) return;
    this.#current = null;
    this.#stopCurrent?.();
    this.#stopCurrent = null;
    this.#listener.ended(clip.id);
  }

  // A loop and not a recursion: a listener may add clips, and a long silent reply must not grow the stack.
  #run(): void {
    if (this.#running) return;
    this.#running = true;
    try {
      while (!this.#current) {
        const clip = this.#waiting.shift();
        if (!clip) break;
        this.#begin(clip);
      }
    } finally {
      this.#running = false;
    }
    if (this.#allSent && !this.#current && this.#waiting.length === 0) {
      this.#allSent = false;
      this.#answered = true;
      this.#listener.complete();
    }
  }

  #begin(clip: Clip): void {
    const audio = this.#sound ? clip.audio : null;
    if (audio === null) {
      this.#listener.began(clip.id, false);
      this.#listener.ended(clip.id);
      return;
    }
    this.#current = clip;
    this.#listener.began(clip.id, true);
    if (this.#current !== clip) return; // the listener stopped it
    const stop = this.#player.play(audio, () => {
      if (this.#current !== clip) return;
      this.#current = null;
      this.#stopCurrent = null;
      this.#listener.ended(clip.id);
      this.#run();
    });
    if (this.#current === clip) this.#stopCurrent = stop;
  }
}
