import { beforeEach, describe, expect, it } from "vitest";
import { hears, hearsOpenMic } from "../../src/client/state";
import { Talk } from "./talk";

let talk: Talk;
const start = { type: "control", text: "conversation-chain-start" } as const;
const end = { type: "control", text: "conversation-chain-end" } as const;

beforeEach(() => {
  talk = Talk.begun();
});

describe("characters", () => {
  it("get ready, or say why not, until they are tried again", () => {
    talk.go({ type: "switch", file: "sakura.yaml" });
    talk.hear({ type: "character-state", conf_uid: "s", state: "loading" });
    talk.hear({ type: "set-model-and-conf", model_info: null, conf_name: "Sakura", conf_uid: "s" });
    talk.hear({ type: "config-switched", message: "" });
    expect(talk.state.loading).toBe("s");
    talk.hear({ type: "character-state", conf_uid: "s", state: "failed", message: "no model" });
    talk.hear({ type: "error", message: "Sakura could not be loaded: no model", code: "init-failed" });
    talk.hear({ type: "set-model-and-conf", model_info: null, conf_name: "White", conf_uid: "w" });
    expect(talk.state.loading).toBeNull();
    expect(talk.state.failures).toEqual({ "sakura.yaml": "no model" });
    talk.go({ type: "switch", file: "sakura.yaml" });
    expect(talk.state.failures).toEqual({});
  });

  it("of an older server fail by an error alone", () => {
    talk.go({ type: "switch", file: "sakura.yaml" });
    talk.hear({ type: "error", message: "no such file", code: "switch-failed" });
    expect(talk.state.failures).toEqual({ "sakura.yaml": "no such file" });
  });
});

describe("wake words", () => {
  const words = { state: "listening" as const, wake: { en: ["hey white"] }, end: {}, idle_seconds: 60 };

  beforeEach(() => {
    talk.hear({ type: "set-model-and-conf", model_info: null, conf_name: "White", conf_uid: "w", wake_words: words });
  });

  const wake = (action: "wake_up" | "sleep" | "ignored", current_state: "listening" | "active"): void =>
    talk.hear({
      type: "wake-word-state",
      client_uid: "c",
      action,
      matched_word: null,
      language: null,
      current_state,
      stats: {},
    });

  it("that are missing leave the message without a reply, and the page says so and waits for nothing", () => {
    talk.say("hello");
    expect(talk.state.histories).toHaveLength(1);
    wake("ignored", "listening");
    expect(talk.state.phase).toBe("idle");
    expect(talk.notices()).toEqual(["not-awake"]);
    expect(talk.state.histories).toEqual([]);
  });

  it("wake, and the reply comes as ever; silence puts it back", () => {
    talk.say("hey white, hello");
    wake("wake_up", "active");
    talk.hear(start);
    expect(talk.state.phase).toBe("thinking");
    talk.hear(end);
    expect(talk.state.wake?.state).toBe("active");
    talk.go({ type: "wake-idle" });
    expect(talk.state.wake).toEqual(words);
  });

  it("end it", () => {
    talk.say("goodbye");
    wake("sleep", "listening");
    expect(talk.notices()).toEqual(["asleep"]);
    expect(talk.state.phase).toBe("idle");
  });
});

describe("hearing", () => {
  it("is what the server says; one that says nothing of itself hears if it asks for the microphone", () => {
    expect(hears(talk.state)).toBe(true);
    const deaf = Talk.begun({}, ["history-search"]);
    deaf.hear({ type: "control", text: "start-mic" });
    expect([hears(deaf.state), hearsOpenMic(deaf.state)]).toEqual([false, false]);
    const old = Talk.begun({}, null);
    expect(hears(old.state)).toBe(false);
    old.hear({ type: "control", text: "start-mic" });
    expect([hears(old.state), hearsOpenMic(old.state)]).toEqual([true, true]);
    old.hear({ type: "control", text: "stop-mic" });
    expect(hears(old.state)).toBe(false);
  });

  it("takes a recording as a message, and cuts a running reply short for it", () => {
    talk.say("hello");
    talk.hear(start);
    talk.sent();
    talk.go({ type: "voice", chunks: [[0.1], [0.2]] });
    expect(talk.sent()).toEqual([
      { type: "interrupt-signal", text: "" },
      { type: "mic-audio-data", audio: [0.1] },
      { type: "mic-audio-data", audio: [0.2] },
      { type: "mic-audio-end", images: [] },
    ]);
    talk.hear(start);
    talk.hear({ type: "user-input-transcription", text: "good morning" });
    expect(talk.humans()).toEqual(["hello", "good morning"]);
    expect(talk.state.phase).toBe("thinking");
  });

  it("that understood nothing is told, and nothing is waited for", () => {
    talk.go({ type: "voice", chunks: [[0.1]] });
    expect(talk.state.phase).toBe("waiting");
    talk.hear(end);
    expect(talk.state.phase).toBe("idle");
    expect(talk.notices()).toEqual(["not-heard"]);
  });

  it("of the open microphone follows the server's word on where speech begins and ends", () => {
    talk.say("hello");
    talk.hear(start);
    talk.sent();
    talk.go({ type: "open-mic", samples: [0.5] });
    talk.hear({ type: "control", text: "interrupt" });
    talk.hear({ type: "control", text: "mic-audio-end" });
    expect(talk.sent()).toEqual([
      { type: "raw-audio-data", audio: [0.5] },
      { type: "interrupt-signal", text: "" },
      { type: "mic-audio-end", images: [] },
    ]);
  });

  it("offers no second try of words that were spoken", () => {
    talk.turn("hello", "Hi.");
    talk.go({ type: "voice", chunks: [[0.1]] });
    talk.hear({ type: "error", message: "no", code: "no-speech-recognition" });
    expect(talk.state.items.at(-1)).toMatchObject({ kind: "error", retry: null });
    expect(talk.state.phase).toBe("idle");
  });
});

describe("the answer at the end of a turn", () => {
  it("names the turn it is for", () => {
    talk.say("hello");
    talk.hear(start);
    talk.hear({ type: "backend-synth-complete", request_id: "t1" });
    talk.sent();
    talk.go({ type: "played" });
    expect(talk.sent()).toEqual([{ type: "frontend-playback-complete", request_id: "t1" }]);
    talk.go({ type: "played" });
    expect(talk.sent()).toEqual([{ type: "frontend-playback-complete" }]);
  });
});

describe("a restart of the server", () => {
  it("is told as such", () => {
    talk.turn("hello", "Hi.");
    talk.go({ type: "closed", reason: "restarting" });
    talk.go({ type: "opened" });
    talk.hear({ type: "set-model-and-conf", model_info: null, conf_name: "White", conf_uid: "w" });
    talk.hear({
      type: "history-data",
      history_uid: "h1",
      messages: [{ role: "human", timestamp: "", content: "hello" }],
    });
    expect(talk.notices()).toEqual(["restarted"]);
  });
});
