// What this browser remembers of its user's choices. A browser that forbids storage just forgets them.

export type Theme = "auto" | "light" | "dark";
/** hold: speak while a button is held, or between two clicks. open: the server hears when one speaks. */
export type TalkMode = "hold" | "open";

export interface Preferences {
  language: "auto" | "en" | "zh";
  theme: Theme;
  sound: boolean;
  /** 0 to 1. */
  volume: number;
  background: string | null;
  /** The WebSocket's address of another server than the page's own. */
  server: string | null;
  talk: TalkMode;
  /** Identifiers of devices; null: the system's choice. */
  microphone: string | null;
  speaker: string | null;
}

const KEY = "greenroom.preferences";
export const DEFAULTS: Preferences = {
  language: "auto",
  theme: "auto",
  sound: true,
  volume: 1,
  background: null,
  server: null,
  talk: "hold",
  microphone: null,
  speaker: null,
};

export function loadPreferences(storage: Pick<Storage, "getItem"> | null): Preferences {
  try {
    const found: unknown = JSON.parse(storage?.getItem(KEY) ?? "{}");
    const kept = (found ?? {}) as Record<string, unknown>;
    const text = (name: "background" | "server" | "microphone" | "speaker"): string | null => {
      const value = kept[name];
      return typeof value === "string" && value ? value : DEFAULTS[name];
    };
    const { language, theme, sound, volume, talk } = kept;
    return {
      language: language === "en" || language === "zh" ? language : DEFAULTS.language,
      theme: theme === "light" || theme === "dark" ? theme : DEFAULTS.theme,
      sound: typeof sound === "boolean" ? sound : DEFAULTS.sound,
      volume: typeof volume === "number" && volume >= 0 && volume <= 1 ? volume : DEFAULTS.volume,
      background: text("background"),
      server: text("server"),
      talk: talk === "open" ? talk : DEFAULTS.talk,
      microphone: text("microphone"),
      speaker: text("speaker"),
    };
  } catch {
    return { ...DEFAULTS }; // storage is closed to us, or holds something else: start afresh
  }
}

export function savePreferences(storage: Pick<Storage, "setItem"> | null, preferences: Preferences): void {
  try {
    storage?.setItem(KEY, JSON.stringify(preferences));
  } catch {
    // full or forbidden: the choice holds until the page is closed
  }
}

/** The browser's storage; null where even asking for it throws. */
export function browserStorage(kind: "localStorage" | "sessionStorage"): Storage | null {
  try {
    return window[kind];
  } catch {
    return null;
  }
}
