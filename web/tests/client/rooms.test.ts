import { beforeEach, describe, expect, it } from "vitest";
import { Talk } from "./talk";

let talk: Talk;
const start = { type: "control", text: "conversation-chain-start" } as const;
const end = { type: "control", text: "conversation-chain-end" } as const;

beforeEach(() => {
  talk = Talk.begun({ room: "tea" });
});

/** Say something; returns the name it was given. */
function said(text: string): number {
  talk.say(text);
  const [message] = talk.sent();
  if (message?.type !== "text-input" || typeof message.request_id !== "number") throw new Error("not sent");
  return message.request_id;
}

describe("a room", () => {
  it("is entered without a conversation of one's own", () => {
    const fresh = new Talk({ room: "tea" });
    fresh.go({ type: "opened" });
    expect(fresh.sent().map((one) => one.type)).toEqual(["fetch-backgrounds", "fetch-configs", "watch-room"]);
    fresh.hear({ type: "room-state", room: "tea", viewers: 3 });
    expect(fresh.state.viewers).toBe(3);
  });

  it("shows what we say once its turn has come, at the end of what was said", () => {
    const mine = said("Hello");
    expect(talk.state.queue).toMatchObject([{ text: "Hello", state: "sent" }]);
    talk.hear({ type: "queue-state", position: 2, waiting: 4, request_id: mine });
    expect(talk.state.queue).toMatchObject([{ state: "waiting", position: 2, waiting: 4 }]);
    talk.hear({ type: "user-input-transcription", text: "Ann: first!" });
    expect(talk.humans()).toEqual(["Ann: first!"]);
    talk.hear({ type: "queue-state", position: 0, waiting: 3, request_id: mine });
    expect(talk.state.queue).toEqual([]);
    expect(talk.humans()).toEqual(["Ann: first!", "Hello"]);
    expect(talk.state.items.map((item) => item.kind === "human" && item.other)).toEqual([true, undefined]);
  });

  it("is not cut short by what we say, nor does the message wait here for a reply", () => {
    talk.hear(start);
    said("Me too");
    expect(talk.state.phase).toBe("thinking");
    talk.hear(end);
    expect(talk.state.phase).toBe("idle");
  });

  it("tells why a message was dropped, and takes it again", () => {
    const mine = said("Hello");
    talk.hear({ type: "queue-dropped", reason: "sender-full", retry_after: 4, request_id: mine }, 1000);
    expect(talk.state.queue).toMatchObject([{ state: "dropped", reason: "sender-full", retryAt: 5000 }]);
    talk.go({ type: "retry-queued", id: mine, at: 6000 });
    const [again] = talk.sent();
    expect(again).toMatchObject({ type: "text-input", text: "Hello" });
    expect(talk.state.queue).toMatchObject([{ state: "sent", text: "Hello" }]);
    talk.go({ type: "forget-queued", id: talk.state.queue[0]?.id ?? 0 });
    expect(talk.state.queue).toEqual([]);
  });

  it("keeps a bounded number of messages in line", () => {
    for (let index = 0; index < 40; index += 1) talk.say(`m${index}`);
    expect(talk.state.queue.length).toBe(12);
  });

  it("ignores places of messages it does not know", () => {
    talk.hear({ type: "queue-state", position: 1, waiting: 1 });
    talk.hear({ type: "queue-dropped", reason: "expired", retry_after: 0, request_id: "other" });
    expect(talk.state.queue).toEqual([]);
  });

  it("is entered again after a break, and says so", () => {
    const mine = said("Hello");
    talk.hear({ type: "queue-state", position: 0, waiting: 0, request_id: mine });
    said("Waits");
    talk.go({ type: "closed", reason: "lost" });
    expect(talk.state).toMatchObject({ viewers: null, resume: null, queue: [{ state: "unknown" }] });
    talk.go({ type: "opened" });
    expect(talk.notices()).toEqual(["room-back"]);
    talk.hear({ type: "set-model-and-conf", model_info: null, conf_name: "Sakura", conf_uid: "s" });
    expect(talk.sent().map((one) => one.type)).toEqual(["fetch-backgrounds", "fetch-configs", "watch-room"]);
    expect(talk.humans()).toEqual(["Hello"]);
  });

  it("is left as it is by news of conversations and characters", () => {
    const mine = said("Hello");
    talk.hear({ type: "queue-state", position: 0, waiting: 0, request_id: mine });
    talk.hear({ type: "new-history-created", history_uid: "x" });
    talk.hear({ type: "set-model-and-conf", model_info: null, conf_name: "Sakura", conf_uid: "s" });
    talk.hear({ type: "config-switched", message: "" });
    expect(talk.humans()).toEqual(["Hello"]);
    expect(talk.notices()).toEqual(["room-switched"]);
    expect(talk.sent()).toEqual([]);
  });

  it("of a server that tells no places shows a message at once", () => {
    const old = Talk.begun({ room: "tea" }, null);
    old.say("Hello");
    expect(old.humans()).toEqual(["Hello"]);
    expect(old.sent()).toEqual([{ type: "text-input", text: "Hello", images: [] }]);
  });
});
