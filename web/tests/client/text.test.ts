import { describe, expect, it } from "vitest";
import { fenced, markedParts, moodsOf, NO_FENCE, textParts, withoutMoods } from "../../src/client/text";

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
    expect(textParts("2 * 3 * 4 = 24")).toEqual([{ kind: "text", text: "2 * 3 * 4 = 24" }]);
  });
});

describe("textParts of what models write", () => {
  it("finds emphasis and program text", () => {
    expect(textParts("**Stir** it with `x * y * z`, ```npm i``` or *softly*")).toEqual([
      { kind: "strong", text: "Stir" },
      { kind: "text", text: " it with " },
      { kind: "code", text: "x * y * z" },
      { kind: "text", text: ", " },
      { kind: "code", text: "npm i" },
      { kind: "text", text: " or " },
      { kind: "action", text: "softly" },
    ]);
  });

  it("ends a link before the marks around it", () => {
    expect(textParts("**https://a.example/b**")[1]).toEqual({ kind: "link", text: "https://a.example/b" });
  });
});

describe("fenced", () => {
  /** The parts of a reply that comes in these pieces. */
  const parts = (...pieces: string[]) => {
    let state = NO_FENCE;
    const found: { code: boolean; text: string }[] = [];
    for (const piece of pieces) {
      const step = fenced(piece, state);
      state = step.after;
      for (const one of step.parts) {
        const last = found.at(-1);
        last?.code === one.code ? (last.text += one.text) : found.push({ ...one });
      }
    }
    return found;
  };
  const REPLY = "Look:\n\n```python\ndef f():\n    return 1\n```\n\nThat is all. Use ```x``` now.";
  const SEEN = [
    { code: false, text: "Look:\n\n" },
    { code: true, text: "def f():\n    return 1" },
    { code: false, text: "\n\nThat is all. Use ```x``` now." },
  ];

  it("tells program text from the rest, and hides the fences", () => {
    const found = parts(REPLY);
    expect(found.map((one) => one.code)).toEqual([false, true, false]);
    expect(found.map((one) => one.text.trim())).toEqual(SEEN.map((one) => one.text.trim()));
    expect(found[1]?.text).toContain("def f():\n    return 1");
  });

  it("is the same however the reply is cut at its white space", () => {
    expect(parts(...REPLY.split(/(\s+)/))).toEqual(parts(REPLY));
    expect(parts("Look:", "\n\n", "```python", "\n", "def f():", "\n    ", "return 1", "\n", "```\n\nThat is all."))
      .toEqual(parts("Look:\n\n```python\ndef f():\n    return 1\n```\n\nThat is all."));
  });

  it("leaves text without fences alone", () => {
    expect(parts("a `b` c\n", "", "  ", "d ~~~ e")).toEqual([{ code: false, text: "a `b` c\n  d ~~~ e" }]);
    expect(parts("")).toEqual([]);
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
