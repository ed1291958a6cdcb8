import { describe, expect, it } from "vitest";
import { dateTag, isKey, languages, pickLanguage, relativeTime, translator } from "../../src/i18n";
import { opsLanguages } from "../../src/ops/i18n";

const holes = (text: string): string[] => [...text.matchAll(/\{\w+\}/g)].map((match) => match[0]).sort();

const pages: Record<string, Record<string, Record<string, string>>> = { chat: languages, ops: opsLanguages };

describe.each(Object.entries(pages))("every language of the %s page", (_, words) => {
  const english = words["en"] ?? {};
  it.each(Object.entries(words))("%s has exactly the keys of English, none empty, with the same blanks to fill", (_, own) => {
    expect(Object.keys(english).length).toBeGreaterThan(50);
    expect(Object.keys(own).sort()).toEqual(Object.keys(english).sort());
    for (const [key, text] of Object.entries(own)) {
      expect(text.trim(), key).not.toBe("");
      expect(holes(text), key).toEqual(holes(english[key] ?? ""));
    }
  });
});

describe("pickLanguage", () => {
  it("takes the first of the browser's languages that we speak", () => {
    expect(pickLanguage(["fr-FR", "zh-TW", "en"])).toBe("zh");
    expect(pickLanguage(["EN-us", "zh"])).toBe("en");
    expect(pickLanguage(["fr"])).toBe("en");
    expect(pickLanguage([])).toBe("en");
  });
});

describe("dateTag", () => {
  it("takes the browser's variant of the page's language, if dates can be written in it", () => {
    expect(dateTag("en", ["zh-CN", "en-GB", "en-US"])).toBe("en-GB");
    expect(dateTag("en", ["en-US@posix"])).toBe("en");
    expect(dateTag("zh", ["en"])).toBe("zh-CN");
  });
});

describe("translator", () => {
  it("fills the blanks", () => {
    expect(translator("en")("status.reconnecting", { n: 3 })).toBe("Reconnecting in 3 s");
    expect(translator("zh")("status.reconnecting", { n: 3 })).toBe("3 秒后重连");
    expect(isKey("toString")).toBe(false);
  });
});

describe("relativeTime", () => {
  const now = Date.parse("2026-06-15T12:00:00Z");
  it("speaks of the past in the page's language", () => {
    expect(relativeTime("2026-06-15T11:58:00Z", now, "en")).toBe("2 minutes ago");
    expect(relativeTime("2026-06-14T12:00:00Z", now, "en")).toBe("yesterday");
    expect(relativeTime("2026-06-15T11:58:00Z", now, "zh")).toBe("2分钟前");
  });

  it("never speaks of the future, and says nothing about what is no time", () => {
    expect(relativeTime("2026-06-15T12:30:00Z", now, "en")).toBe("now");
    expect(relativeTime("nonsense", now, "en")).toBe("");
    expect(relativeTime(null, now, "en")).toBe("");
  });
});
