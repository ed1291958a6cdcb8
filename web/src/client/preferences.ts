// What this browser remembers of its user's choices. A browser that forbids storage just forgets them.

export type Theme = "auto" | "light" | "dark";

export interface Preferences {
  language: "auto" | "en" | "zh";
  theme: Theme;
  sound: boolean;
  background: string | null;
}

const KEY = "greenroom.preferences";
const DEFAULTS: Preferences = { language: "auto", theme: "auto", sound: true, background: null };

export function loadPreferences(storage: Pick<Storage, "getItem"> | null): Preferences {
  try {
    const found: unknown = JSON.parse(storage?.getItem(KEY) ?? "{}");
    const { language, theme, sound, background } = (found ?? {}) as Record<string, unknown>;
    return {
      language: language === "en" || language === "zh" ? language : DEFAULTS.language,
      theme: theme === "light" || theme === "dark" ? theme : DEFAULTS.theme,
      sound: typeof sound === "boolean" ? sound : DEFAULTS.sound,
      background: typeof background === "string" ? background : DEFAULTS.background,
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
