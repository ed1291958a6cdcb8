import { describe, expect, it } from "vitest";
import { fitted, MAX_FILE, refusal } from "../../src/client/images";
import { DEFAULTS, loadPreferences, savePreferences, type Preferences } from "../../src/client/preferences";

describe("preferences", () => {
  it("come back as they were saved", () => {
    let stored: string | null = null;
    const wanted: Preferences = {
      language: "zh",
      theme: "dark",
      sound: false,
      volume: 0.35,
      background: "night.jpeg",
      server: "ws://other:1/client-ws",
      talk: "open",
      microphone: "m1",
      speaker: "s1",
    };
    savePreferences({ setItem: (_key, value) => (stored = value) }, wanted);
    expect(loadPreferences({ getItem: () => stored })).toEqual(wanted);
  });

  it("are the defaults when storage holds nonsense, or throws, or is not there", () => {
    const defaults = DEFAULTS;
    const odd = '{"language":"fr","sound":"loud","background":5,"volume":7,"server":3,"talk":"shout","microphone":""}';
    for (const text of ["{", "null", "[]", odd]) {
      expect(loadPreferences({ getItem: () => text })).toEqual(defaults);
    }
    const broken = () => {
      throw new Error("forbidden");
    };
    expect(loadPreferences({ getItem: broken })).toEqual(defaults);
    expect(loadPreferences(null)).toEqual(defaults);
    expect(() => savePreferences({ setItem: broken }, loadPreferences(null))).not.toThrow();
  });
});

describe("refusal", () => {
  it("takes pictures of a sensible size only", () => {
    expect(refusal({ type: "image/png", size: 10 })).toBeNull();
    expect(refusal({ type: "text/plain", size: 10 })).toBe("not-picture");
    expect(refusal({ type: "", size: 10 })).toBe("not-picture");
    expect(refusal({ type: "image/png", size: MAX_FILE + 1 })).toBe("too-large");
  });
});

describe("fitted", () => {
  it("shrinks to the longest side and never enlarges", () => {
    expect(fitted(4000, 2000, 1280)).toEqual([1280, 640]);
    expect(fitted(100, 50, 1280)).toEqual([100, 50]);
    expect(fitted(10_000, 1, 1280)).toEqual([1280, 1]);
  });
});
