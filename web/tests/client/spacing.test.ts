import { describe, expect, it } from "vitest";
import { joinSentences, laidOut, needsSpace, spaced } from "../../src/client/spacing";

/** Sentences of a server that does not tell what stood between them. */
const untold = (...texts: string[]) => texts.map((text) => ({ text, before: null }));

describe("joinSentences", () => {
  it("puts spaces where the script wants them", () => {
    expect(joinSentences(untold("Hello.", "How are you?"))).toBe("Hello. How are you?");
    expect(joinSentences(untold("你好！", "今天怎么样？"))).toBe("你好！今天怎么样？");
    expect(joinSentences(untold("Hello. ", "There."))).toBe("Hello. There.");
    expect(joinSentences(untold("Well…", "So you came."))).toBe("Well… So you came.");
    expect(joinSentences(untold("嗯……", "OK."))).toBe("嗯……OK.");
    expect(joinSentences([])).toBe("");
  });

  it("takes the server's word for what stood between them", () => {
    const pieces = [
      { text: "Two steps:", before: "" },
      { text: "1. Boil.", before: "\n\n" },
      { text: "ASP", before: " " },
      { text: ".NET", before: "" },
    ];
    expect(joinSentences(pieces)).toBe("Two steps:\n\n1. Boil. ASP.NET");
    expect(joinSentences(pieces.slice(1))).toBe("1. Boil. ASP.NET");
  });
});

describe("laidOut", () => {
  const stored = (content: string, breaks?: [number, string][]) =>
    laidOut({ role: "ai", timestamp: "", content, ...(breaks ? { breaks } : {}) });

  it("puts the white space back where it was", () => {
    expect(stored("Hello.1. Boil.", [[6, "\n\n"]])).toBe("Hello.\n\n1. Boil.");
    expect(stored("Use Math.PI!", [])).toBe("Use Math.PI!");
  });

  it("counts places in code points", () => {
    expect(stored("Hi 👋🏽!Bye.你好", [[6, " "], [10, " "]])).toBe("Hi 👋🏽! Bye. 你好");
  });

  it("guesses where nothing is known", () => {
    expect(stored("Hello.How are you?")).toBe("Hello. How are you?");
  });
});

describe("spaced", () => {
  it.each([
    ["Hello,and welcome!I'm here.What is it?", "Hello, and welcome! I'm here. What is it?"],
    ["So,you say:“Go on”.I'm White.", "So, you say: “Go on”. I'm White."],
    ["He said “No.”Then he left.", "He said “No.” Then he left."],
    ['He said "No."Then he left.', 'He said "No." Then he left.'],
    ['He asked:"Why?"She knew.', 'He asked: "Why?" She knew.'],
    ["*waves.*Hello!*sits down*", "*waves.* Hello! *sits down*"],
    ["Well...So you came.", "Well... So you came."],
    ["Well…So you came.", "Well… So you came."],
    ["Really?!no way;yes way", "Really?! no way; yes way"],
    ["It is 3.Then we go.", "It is 3. Then we go."],
    ["That was I.Then he came.", "That was I. Then he came."],
    ["One.[joy]Two.(Three.)Four.", "One. [joy]Two. (Three.) Four."],
    ["¡Hola!¿Qué tal?Bien,y tú?", "¡Hola! ¿Qué tal? Bien, y tú?"],
    ["Привет!Как дела?Хорошо.", "Привет! Как дела? Хорошо."],
    ["مرحبا!كيف حالك؟أنا بخير،شكرا.", "مرحبا! كيف حالك؟ أنا بخير، شكرا."],
    ["안녕하세요.반갑습니다.", "안녕하세요. 반갑습니다."],
    ["It rains.A lot.I like it.", "It rains. A lot. I like it."],
    ["See https://example.org/a.B,c!d.Then come back.", "See https://example.org/a.B,c!d.Then come back."],
    ["See https://example.org now.Then rest.", "See https://example.org now. Then rest."],
  ])("puts back what was lost in %j", (stored, shown) => {
    expect(spaced(stored)).toBe(shown);
    expect(spaced(shown)).toBe(shown);
  });

  it.each([
    "你好！今天怎么样？我很好。",
    "あ、来てくれたんだ。おかえり。",
    "嗯……OK。",
    "At 10:30, 1,000.50 or 3.14 of it; v1.2.3, 12:30pm.",
    "The U.S.A. and the U.K., e.g. here, i.e. there, at 5 a.m. or p.m. tomorrow.",
    "A Ph.D. in e.g.chemistry",
    "Write to a.Person@example.org, or visit www.Example.org/X.Y today.",
    "example.org and notes.txt and node.js",
    "std::vector and a smile :D and hello:D",
    "Tom &amp;co and it's 'fine'.",
    "Already. Spaced, well; as it is: yes! No? Good…",
    "",
  ])("leaves %j as it is", (text) => {
    expect(spaced(text)).toBe(text);
  });

  it("gives back what the pieces looked like when they came", () => {
    const pieces = ["Nice to meet you,", "Ada!", "I follow simple rules: “yours”.", "What brings you here?"];
    expect(spaced(pieces.join(""))).toBe(joinSentences(untold(...pieces)));
  });

  it("takes time in proportion to the text", () => {
    const long = 'So,he said:"Go on."And on!'.repeat(20_000);
    const began = performance.now();
    spaced(long);
    expect(performance.now() - began).toBeLessThan(2_000);
  });
});

describe("needsSpace", () => {
  it("adds none to what has one, and none to nothing", () => {
    expect(needsSpace("", "Hello")).toBe(false);
    expect(needsSpace("Hello ", "there")).toBe(false);
    expect(needsSpace("Hello", "\nthere")).toBe(false);
  });
});
