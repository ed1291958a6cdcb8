import { describe, expect, it } from "vitest";
import { markedParts, moodsOf, textParts, withoutMoods } from "../../src/client/text";

describe("textParts", () => {
  it("finds links and stage directions, and leaves the rest alone", () => {
    expect(textParts("*waves* See https://a.example/b?c=1, ok")).toEqual([
      { kind: "action", text: "waves" },
      { kind: "text", text: " See " },
      { kind: "link", text: "https://a.example/b?c=1" },
      { kind: "text", text: ", ok" },
    ]);
  });

  it("never takes a script address for a link, nor loses a character", () => {
    for (const text of ["javascript:alert(1)", "2 * 3 * 4 = 24", "<b>https://x.example</b>", "**", "a*b"]) {
      const parts = textParts(text);
      expect(parts.filter((one) => one.kind === "link").every((one) => /^https?:/.test(one.text))).toBe(true);
    }
    expect(textParts("plain")).toEqual([{ kind: "text", text: "plain" }]);
    expect(textParts("a*b")).toEqual([{ kind: "text", text: "a*b" }]);
  });
});

describe("withoutMoods", () => {
  it("hides the tags the model knows, and no others", () => {
    expect(withoutMoods("[Joy] Hi [sic] there", ["joy"])).toBe("Hi [sic] there");
    expect(withoutMoods("[joy] Hi", [])).toBe("[joy] Hi");
  });

  it("knows the moods by the model's own list", () => {
    expect(moodsOf({ url: "x", emotionMap: { joy: 1, fear: 2 } })).toEqual(["joy", "fear"]);
    expect(moodsOf(null)).toEqual([]);
    expect(moodsOf({ emotionMap: "odd" })).toEqual([]);
  });
});

describe("markedParts", () => {
  const marked = (text: string, query: string): string =>
    markedParts(text, query)
      .map((part) => (part.hit ? `[${part.text}]` : part.text))
      .join("");

  it("marks each word in any case, the longer of two first", () => {
    expect(marked("Tea with milk, TEApot", "tea milk")).toBe("[Tea] with [milk], [TEA]pot");
    expect(marked("teapot", "tea teapot")).toBe("[teapot]");
    expect(marked("今晚的月亮", "月亮")).toBe("今晚的[月亮]");
  });

  it("takes signs for themselves, and nothing for nothing", () => {
    expect(marked("1+1 (a.b) [c]", "+ . [")).toBe("1[+]1 (a[.]b) [[]c]");
    expect(marked("plain", "  ")).toBe("plain");
  });
});
