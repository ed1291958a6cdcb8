import { beforeEach, describe, expect, it } from "vitest";
import type { AudioMessage, ClientMessage, ServerMessage } from "../../src/protocol.generated";
import type { Effect } from "../../src/client/effects";
import { reduce, type SessionEvent } from "../../src/client/session";
import { canSend, heardText, initialState, isBusy, type ChatItem, type SessionState } from "../../src/client/state";

let state: SessionState;
let effects: Effect[];

function go(event: SessionEvent): void {
  const step = reduce(state, event);
  state = step.state;
  effects.push(...step.effects);
  // The shell plays silent sentences at once, as the playback queue does.
  for (const effect of step.effects) {
    if (effect.do !== "play" || effect.message.audio !== null) continue;
    go({ type: "sentence-began", id: effect.id, message: effect.message });
    go({ type: "sentence-ended", id: effect.id });
  }
}

function hear(message: ServerMessage): void {
  go({ type: "server", message, at: 1000 });
}

function say(text: string): void {
  go({ type: "say", text, pictures: [], at: 1000 });
}

function audio(text: string, sound: string | null = null): AudioMessage {
  const display_text = { text, name: "Sakura", avatar: null };
  return { type: "audio", audio: sound, volumes: [], slice_length: 20, display_text, actions: {}, forwarded: false, before: null };
}

const start: ServerMessage = { type: "control", text: "conversation-chain-start" };
const end: ServerMessage = { type: "control", text: "conversation-chain-end" };
const sakura: ServerMessage = { type: "set-model-and-conf", model_info: null, conf_name: "Sakura", conf_uid: "s" };
const white: ServerMessage = { type: "set-model-and-conf", model_info: null, conf_name: "White", conf_uid: "w" };

function sent(): ClientMessage[] {
  const found = effects.flatMap((effect) => (effect.do === "send" ? [effect.message] : []));
  effects = [];
  return found;
}

function kinds(): string[] {
  return state.items.map((item) => item.kind);
}

function sentences(): string[][] {
  return state.items.flatMap((item) => (item.kind === "ai" ? [item.sentences.map((one) => one.text)] : []));
}

beforeEach(() => {
  state = initialState;
  effects = [];
  go({ type: "opened" });
  hear(sakura);
  hear({
    type: "config-files",
    configs: [
      { filename: "sakura.yaml", name: "Sakura" },
      { filename: "white.yaml", name: "White" },
    ],
  });
  hear({ type: "history-list", histories: [] });
  hear({ type: "new-history-created", history_uid: "h1" });
});

describe("opening", () => {
  it("asks four things, in the order every server expects", () => {
    expect(sent().map((one) => one.type)).toEqual([
      "fetch-backgrounds",
      "fetch-configs",
      "fetch-history-list",
      "create-new-history",
    ]);
    expect(canSend(state)).toBe(true);
  });
});

describe("a turn", () => {
  it("shows the message at once and the reply as one bubble of sentences", () => {
    say("Hello");
    expect(state.phase).toBe("waiting");
    hear(start);
    hear({ type: "full-text", text: "Thinking..." });
    expect(state.phase).toBe("thinking");
    hear(audio("Hi."));
    hear(audio("How are you?"));
    hear({ type: "backend-synth-complete" });
    expect(effects.at(-1)).toEqual({ do: "all-sent" });
    hear({ type: "force-new-message" });
    hear(end);
    expect(kinds()).toEqual(["human", "ai"]);
    expect(sentences()).toEqual([["Hi.", "How are you?"]]);
    expect(isBusy(state)).toBe(false);
  });

  it("says when each sentence begins, but not for another member's", () => {
    hear(start);
    sent();
    hear(audio("Mine."));
    hear({ ...audio("Theirs."), forwarded: true });
    const begun = sent().filter((one) => one.type === "audio-play-start");
    expect(begun).toEqual([
      { type: "audio-play-start", forwarded: true, display_text: { text: "Mine.", name: "Sakura", avatar: null } },
    ]);
  });

  it("opens a new bubble after force-new-message and after a tool", () => {
    hear(start);
    hear(audio("One."));
    hear({ type: "force-new-message" });
    hear(audio("Two."));
    const tool = { type: "tool_call_status", tool_id: "t", tool_name: "search", timestamp: "", name: "Sakura" } as const;
    hear({ ...tool, status: "running", content: "" });
    hear({ ...tool, status: "completed", content: "found" });
    hear(audio("Three."));
    expect(kinds()).toEqual(["ai", "ai", "tool", "ai"]);
    expect(state.items[2]).toMatchObject({ status: "completed", content: "found" });
  });

  it("announces each sentence, and keeps only the last few announcements", () => {
    hear(start);
    for (let index = 0; index < 50; index += 1) hear(audio(`Sentence ${index}.`));
    expect(state.announcements.at(-1)?.text).toBe("Sentence 49.");
    expect(state.announcements.length).toBeLessThan(10);
  });

  it("puts the newest line of the conversation on top of the list", () => {
    hear({
      type: "history-list",
      histories: [{ uid: "old", latest_message: null, timestamp: "2026-01-01T00:00:00" }],
    });
    say("Hello");
    hear(start);
    hear(audio("Hi."));
    hear(end);
    expect(state.histories.map((one) => one.uid)).toEqual(["h1", "old"]);
    expect(state.histories[0]?.latest_message).toMatchObject({ role: "ai", content: "Hi." });
  });

  it("shows what was understood of speech as the visitor's own line", () => {
    hear({ type: "user-input-transcription", text: "spoken" });
    hear({ type: "user-input-transcription", text: "" });
    expect(kinds()).toEqual(["human"]);
  });
});

describe("interrupting", () => {
  function speakTwo(): void {
    say("Hello");
    hear(start);
    hear(audio("First.", "wav"));
    hear(audio("Second.", "wav"));
    const first = effects.find((effect) => effect.do === "play");
    if (first?.do !== "play") throw new Error("nothing to play");
    go({ type: "sentence-began", id: first.id, message: first.message });
    sent();
  }

  it("tells the server only what has been heard, and strikes the rest", () => {
    speakTwo();
    expect(heardText(state)).toBe("First.");
    go({ type: "interrupt" });
    expect(effects[0]).toEqual({ do: "hush" });
    expect(sent()).toEqual([{ type: "interrupt-signal", text: "First." }]);
    const reply = state.items.at(-1);
    expect(reply).toMatchObject({ interrupted: true, sentences: [{ cut: false }, { cut: true }] });
  });

  it("drops what is still on its way, until the next turn begins", () => {
    speakTwo();
    go({ type: "interrupt" });
    hear(audio("Late."));
    hear({ type: "backend-synth-complete" });
    expect(effects.filter((effect) => effect.do === "play" || effect.do === "all-sent")).toEqual([]);
    expect(sentences()).toEqual([["First.", "Second."]]);
    hear(start);
    hear(audio("Fresh."));
    expect(sentences()).toEqual([["First.", "Second."], ["Fresh."]]);
  });

  it("interrupts before it sends a new message", () => {
    speakTwo();
    say("Wait!");
    expect(sent()).toEqual([
      { type: "interrupt-signal", text: "First." },
      { type: "text-input", text: "Wait!", images: [] },
    ]);
  });

  it("is not fooled by the late end of the turn it cut short", () => {
    speakTwo();
    say("Wait!");
    hear(end);
    expect(state.phase).toBe("waiting");
    hear(start);
    hear(audio("Yes?"));
    expect(heardText(state)).toBe("Yes?");
  });

  it("sends nothing when nothing runs", () => {
    sent();
    go({ type: "interrupt" });
    expect(sent()).toEqual([]);
    expect(state.items).toEqual([]);
  });

  it("sends nothing back when another member has cut in", () => {
    speakTwo();
    hear({ type: "interrupt-signal", text: "conversation-interrupted" });
    expect(sent()).toEqual([]);
    expect(isBusy(state)).toBe(false);
  });
});

describe("errors", () => {
  it("stand below all that the character had said before, also what comes after them", () => {
    say("Tell me.");
    hear(start);
    hear(audio("One."));
    hear({ type: "error", message: "The provider went away.", code: "agent" });
    hear(audio("And then it"));
    hear(end);
    expect(kinds()).toEqual(["human", "ai", "error"]);
    expect(sentences()).toEqual([["One.", "And then it"]]);
    say("Go on.");
    hear(start);
    hear({ type: "error", message: "The provider went away.", code: "agent" });
    hear(audio("Well"));
    hear(end);
    hear(start);
    hear(audio("Still there?"));
    expect(kinds()).toEqual(["human", "ai", "error", "human", "ai", "error", "ai"]);
  });

  it("stand under the message that failed, with a way to try again", () => {
    say("Hello");
    hear(start);
    hear({ type: "error", message: "The model does not answer." });
    hear(end);
    expect(kinds()).toEqual(["human", "error"]);
    expect(state.toasts).toHaveLength(0);
    sent();
    const failed = state.items[1] as ChatItem;
    go({ type: "retry", item: failed.id, at: 2000 });
    expect(kinds()).toEqual(["human"]);
    expect(sent()).toEqual([{ type: "text-input", text: "Hello", images: [] }]);
  });

  it("end the wait for a message the server refused", () => {
    say("Hello");
    hear({ type: "error", message: "Too long." });
    expect(isBusy(state)).toBe(false);
  });

  it("are only a toast when no turn runs, and toasts are few", () => {
    for (let index = 0; index < 20; index += 1) hear({ type: "error", message: `Error ${index}` });
    expect(state.items).toEqual([]);
    expect(state.toasts).toHaveLength(3);
  });
});

describe("characters", () => {
  it("are switched in mid-reply: interrupt first, with what was heard", () => {
    say("Hello");
    hear(start);
    hear(audio("Hi there."));
    sent();
    go({ type: "switch", file: "white.yaml" });
    expect(sent()).toEqual([
      { type: "interrupt-signal", text: "Hi there." },
      { type: "switch-config", file: "white.yaml" },
    ]);
    expect(canSend(state)).toBe(false);
    hear(white);
    hear({ type: "config-switched", message: "" });
    expect(sent()).toEqual([{ type: "fetch-history-list", deleted: true }, { type: "create-new-history" }]);
    hear({ type: "history-list", histories: [] });
    hear({ type: "new-history-created", history_uid: "w1" });
    expect(state).toMatchObject({ confName: "White", history: "w1", items: [], switchingTo: null });
    expect(canSend(state)).toBe(true);
  });

  it("stay as they were when the switch fails", () => {
    go({ type: "switch", file: "white.yaml" });
    hear({ type: "error", message: "White cannot come." });
    hear(sakura);
    expect(state).toMatchObject({ confName: "Sakura", switchingTo: null, history: "h1" });
    expect(canSend(state)).toBe(true);
  });
});

describe("a character that could not come", () => {
  function fail(): void {
    go({ type: "switch", file: "white.yaml" });
    hear(white);
    hear({ type: "config-switched", message: "" });
    hear({ type: "history-list", histories: [] });
    hear({ type: "new-history-created", history_uid: "w1" });
    sent();
    hear({ type: "error", message: "White could not be loaded.", code: "init-failed" });
    hear(sakura);
  }

  it("leaves the earlier one in the conversation that was left", () => {
    say("Hello");
    hear(start);
    hear(end);
    fail();
    expect(sent()).toEqual([{ type: "fetch-history-list", deleted: true }, { type: "fetch-and-set-history", history_uid: "h1" }]);
    hear({ type: "history-data", messages: [{ role: "human", timestamp: "", content: "Hello" }] });
    expect(state).toMatchObject({ confName: "Sakura", history: "h1" });
    expect(kinds()).toEqual(["human"]);
    expect(canSend(state)).toBe(true);
  });

  it("leaves the earlier one in a new conversation if nothing had been said", () => {
    fail();
    expect(sent()).toEqual([{ type: "fetch-history-list", deleted: true }, { type: "create-new-history" }]);
  });

  it("gives back what was said to it, and says why once", () => {
    go({ type: "switch", file: "white.yaml" });
    hear(white);
    hear({ type: "config-switched", message: "" });
    hear({ type: "history-list", histories: [] });
    hear({ type: "new-history-created", history_uid: "w1" });
    say("Can you hear me?");
    hear(start);
    hear({ type: "error", message: "White could not be loaded.", code: "init-failed" });
    hear(sakura);
    hear({ type: "error", message: "White was not ready.", code: "agent" });
    hear(end);
    expect(state.returned?.text).toBe("Can you hear me?");
    expect(state).toMatchObject({ confName: "Sakura", phase: "idle", items: [] });
    expect(state.toasts.map((one) => one.code)).toEqual(["init-failed"]);
  });
});

describe("conversations", () => {
  const entry = (uid: string) => ({ uid, latest_message: null, timestamp: null });

  it("are listed page by page", () => {
    hear({ type: "history-list", histories: [entry("a"), entry("b")], next: "b" });
    sent();
    go({ type: "more-histories" });
    go({ type: "more-histories" });
    expect(sent()).toEqual([{ type: "fetch-history-list", before: "b" }]);
    hear({ type: "history-list", histories: [entry("b"), entry("c")] });
    expect(state.histories.map((one) => one.uid)).toEqual(["a", "b", "c"]);
    expect(state.moreHistories).toBeNull();
  });

  it("are opened, also from a server that does not say which one it sends", () => {
    go({ type: "open-history", uid: "old" });
    expect(canSend(state)).toBe(false);
    hear({
      type: "history-data",
      messages: [
        { role: "human", timestamp: "2026-01-01T10:00:00", content: "Hello" },
        { role: "ai", timestamp: "nonsense", content: "Hi.", name: "Sakura" },
      ],
    });
    expect(state.history).toBe("old");
    expect(kinds()).toEqual(["human", "ai"]);
    expect(state.items[1]?.kind === "ai" && state.items[1].at).toBeNull();
    expect(heardText(state)).toBe("");
  });

  it("are deleted when the server says so; a new one follows the current one", () => {
    hear({ type: "history-list", histories: [entry("h1"), entry("a")] });
    go({ type: "delete-history", uid: "h1" });
    expect(state.histories).toHaveLength(2);
    sent();
    hear({ type: "history-deleted", success: true, history_uid: "h1" });
    expect(state.histories.map((one) => one.uid)).toEqual(["a"]);
    expect(sent()).toEqual([{ type: "create-new-history" }]);
  });

  it("remain when they could not be deleted", () => {
    hear({ type: "history-list", histories: [entry("a")] });
    hear({ type: "history-deleted", success: false, history_uid: "a" });
    expect(state.histories).toHaveLength(1);
    expect(state.toasts[0]?.code).toBe("delete-failed");
  });
});

describe("after a lost connection", () => {
  const stored: ServerMessage = {
    type: "history-data",
    history_uid: "h1",
    messages: [{ role: "human", timestamp: "2026-01-01T10:00:00", content: "Hello" }],
  };

  it("opens the conversation that was current", () => {
    say("Hello");
    hear(start);
    hear(audio("Hi."));
    hear(end);
    go({ type: "closed" });
    sent();
    go({ type: "opened" });
    expect(sent().map((one) => one.type)).toEqual(["fetch-backgrounds", "fetch-configs", "fetch-history-list"]);
    expect(canSend(state)).toBe(false);
    hear(sakura);
    expect(sent()).toEqual([{ type: "fetch-and-set-history", history_uid: "h1" }]);
    hear(stored);
    expect(state.items.at(-1)).toMatchObject({ kind: "notice", word: "resumed" });
    expect(canSend(state)).toBe(true);
  });

  it("brings the character back first, if it was not the default one", () => {
    go({ type: "switch", file: "white.yaml" });
    hear(white);
    hear({ type: "config-switched", message: "" });
    hear({ type: "new-history-created", history_uid: "w1" });
    say("Hello");
    hear(start);
    hear(audio("Hm."));
    go({ type: "closed" });
    go({ type: "opened" });
    sent();
    hear(sakura);
    expect(sent()).toEqual([{ type: "switch-config", file: "white.yaml" }]);
    hear(white);
    hear({ type: "config-switched", message: "" });
    expect(sent()).toEqual([{ type: "fetch-history-list", deleted: true }, { type: "fetch-and-set-history", history_uid: "w1" }]);
    hear({ ...stored, history_uid: "w1" });
    expect(state).toMatchObject({ confName: "White", history: "w1" });
    expect(state.items.at(-1)).toMatchObject({ word: "resumed-cut" });
  });

  it("offers a message again that the server had not taken up", () => {
    say("First");
    hear(start);
    hear(audio("Hi."));
    hear(end);
    say("Lost?");
    go({ type: "closed" });
    go({ type: "opened" });
    hear(sakura);
    hear(stored);
    expect(state.items.at(-1)).toMatchObject({ kind: "error", retry: "Lost?" });
    expect(state.items.at(-2)).toMatchObject({ kind: "human", text: "Lost?" });
  });

  it("keeps the screen and begins anew when the conversation is gone", () => {
    say("Hello");
    hear(start);
    hear(end);
    go({ type: "closed" });
    go({ type: "opened" });
    hear(sakura);
    sent();
    hear({ type: "history-data", messages: [] });
    expect(sent()).toEqual([{ type: "create-new-history" }]);
    hear({ type: "new-history-created", history_uid: "h2" });
    expect(state).toMatchObject({ history: "h2" });
    expect(kinds()).toEqual(["human", "notice"]);
    expect(canSend(state)).toBe(true);
  });

  it("remembers what to restore through several failed tries", () => {
    say("Hello");
    hear(start);
    go({ type: "closed" });
    go({ type: "opened" });
    go({ type: "closed" });
    go({ type: "opened" });
    hear(sakura);
    expect(sent().at(-1)).toEqual({ type: "fetch-and-set-history", history_uid: "h1" });
  });

  it("asks for a new conversation when nothing had been said", () => {
    go({ type: "closed" });
    sent();
    go({ type: "opened" });
    expect(sent().at(-1)).toEqual({ type: "create-new-history" });
    hear(sakura);
    hear({ type: "new-history-created", history_uid: "h2" });
    expect(canSend(state)).toBe(true);
  });
});

describe("a message of a newer server", () => {
  it("does no harm", () => {
    const before = state;
    hear({ type: "something-new" } as unknown as ServerMessage);
    expect(state).toBe(before);
  });
});

describe("a new conversation", () => {
  it("is shown at once, and keeps what is said before the server has answered", () => {
    say("Old");
    hear(start);
    hear(end);
    go({ type: "new-chat" });
    expect(kinds()).toEqual([]);
    say("New");
    hear({ type: "new-history-created", history_uid: "h2" });
    hear(start);
    hear(audio("Hello."));
    expect(kinds()).toEqual(["human", "ai"]);
    expect(state).toMatchObject({ history: "h2", phase: "replying", creating: 0 });
  });

  it("is not replaced by an earlier one that was asked for before it", () => {
    go({ type: "open-history", uid: "old" });
    go({ type: "new-chat" });
    hear({ type: "history-data", messages: [{ role: "human", timestamp: "", content: "Old" }], history_uid: "old" });
    hear({ type: "new-history-created", history_uid: "h2" });
    expect(kinds()).toEqual([]);
    expect(state).toMatchObject({ history: "h2", opening: [] });
    expect(canSend(state)).toBe(true);
  });

  it("that another page of the same session has begun clears this one too", () => {
    say("Old");
    hear(start);
    hear({ type: "new-history-created", history_uid: "h2" });
    expect(kinds()).toEqual([]);
    expect(isBusy(state)).toBe(false);
  });

  it("that cannot be stored is not waited for", () => {
    go({ type: "new-chat" });
    hear({ type: "error", message: "The disk is full.", code: "history" });
    expect(state.creating).toBe(0);
  });

  it("after a lost connection shows what had not arrived, with a way to send it again", () => {
    go({ type: "new-chat" });
    say("Hello?");
    go({ type: "closed" });
    go({ type: "opened" });
    hear(sakura);
    hear({ type: "new-history-created", history_uid: "h3" });
    expect(kinds()).toEqual(["human", "error"]);
    expect(state.items[1]).toMatchObject({ code: "not-arrived", retry: "Hello?" });
    expect(canSend(state)).toBe(true);
  });
});

describe("the list of conversations", () => {
  const entry = (uid: string) => ({ uid, latest_message: null, timestamp: null });

  it("may be listed once more after a list that could not be had", () => {
    hear({ type: "history-list", histories: [entry("a")], next: "a" });
    go({ type: "more-histories" });
    hear({ type: "error", message: "Busy.", code: "history", request: "search-histories" });
    expect(state.listRequests).toEqual(["more"]);
    hear({ type: "error", message: "Busy.", code: "history", request: "fetch-history-list" });
    expect(state.listRequests).toEqual([]);
    sent();
    go({ type: "more-histories" });
    expect(sent()).toEqual([{ type: "fetch-history-list", before: "a" }]);
    hear({ type: "error", message: "Busy.", code: "history" });
    expect(state.listRequests).toEqual([]);
  });

  it("that were deleted in another tab are told to be gone, and leave the list", () => {
    hear({ type: "history-list", histories: [entry("a"), entry("b")] });
    go({ type: "open-history", uid: "a" });
    sent();
    hear({ type: "history-data", messages: [], history_uid: "a" });
    expect(state.histories.map((one) => one.uid)).toEqual(["b"]);
    expect(state.toasts.map((one) => one.code)).toEqual(["history-gone"]);
    expect(sent()).toEqual([{ type: "fetch-history-list", deleted: true }, { type: "create-new-history" }]);
    expect(canSend(state)).toBe(true);
  });

  it("are asked for again when the page is looked at, and those further down stay", () => {
    const at = (uid: string, timestamp: string) => ({ uid, latest_message: null, timestamp });
    hear({ type: "history-list", histories: [at("d", "04"), at("c", "03")], next: "c" });
    go({ type: "more-histories" });
    hear({ type: "history-list", histories: [at("b", "02"), at("a", "01")], next: "a" });
    sent();
    go({ type: "looked-at" });
    go({ type: "looked-at" });
    expect(sent()).toEqual([{ type: "fetch-history-list", deleted: true }]);
    hear({ type: "history-list", histories: [at("e", "05"), at("c", "03")], next: "c" });
    expect(state.histories.map((one) => one.uid)).toEqual(["e", "c", "b", "a"]);
    expect(state.moreHistories).toBe("a");
    go({ type: "looked-at" });
    hear({ type: "history-list", histories: [at("a", "01")] });
    expect(state.histories.map((one) => one.uid)).toEqual(["a"]);
    expect(state.moreHistories).toBeNull();
  });
});
