import { describe, expect, it } from "vitest";
import { fitted } from "../../src/client/images";
import { loadPreferences, savePreferences } from "../../src/client/preferences";

describe("preferences", () => {
  it("come back as they were saved", () => {
    let stored: string | null = null;
    const wanted = { language: "zh", theme: "dark", sound: false, background: "night.jpeg" } as const;
    savePreferences({ setItem: (_key, value) => (stored = value) }, wanted);
    expect(loadPreferences({ getItem: () => stored })).toEqual(wanted);
  });

  it("are the defaults when storage holds nonsense, or throws, or is not there", () => {
    const defaults = { language: "auto", theme: "auto", sound: true, background: null };
    for (const text of ["{", "null", "[]", '{"language":"fr","sound":"loud","background":5}']) {
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

describe("fitted", () => {
  it("shrinks to the longest side and never enlarges", () => {
    expect(fitted(4000, 2000, 1280)).toEqual([1280, 640]);
    expect(fitted(100, 50, 1280)).toEqual([100, 50]);
    expect(fitted(10_000, 1, 1280)).toEqual([1280, 1]);
  });
});
