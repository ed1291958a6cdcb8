import { beforeEach, describe, expect, it } from "vitest";
import type { HistoryEntry } from "../../src/protocol.generated";
import { Talk } from "./talk";

const entry = (uid: string, opening = uid): HistoryEntry => ({
  uid,
  opening,
  timestamp: "2026-01-02T03:04:05",
  latest_message: { role: "human", timestamp: "2026-01-02T03:04:05", content: opening },
});
const uids = (entries: readonly HistoryEntry[]): string[] => entries.map((one) => one.uid);

let talk: Talk;

beforeEach(() => {
  talk = Talk.begun();
  talk.go({ type: "closed" });
  talk.go({ type: "opened" });
  talk.hear({ type: "set-model-and-conf", model_info: null, conf_name: "White", conf_uid: "w", features: ["history-undo", "history-rename", "history-search"] });
  talk.hear({ type: "history-list", histories: [entry("a"), entry("b")], deleted: [{ ...entry("old"), undo_seconds: 60 }] }, 5000);
  talk.hear({ type: "new-history-created", history_uid: "h2" });
  talk.sent();
});

describe("deletion", () => {
  it("is asked for with a way back, and offers it", () => {
    talk.go({ type: "delete-history", uid: "a" });
    expect(talk.sent()).toEqual([{ type: "delete-history", history_uid: "a", undo: true }]);
    talk.hear({ type: "history-deleted", success: true, history_uid: "a", undo_seconds: 600 }, 10_000);
    expect(uids(talk.state.histories)).toEqual(["b"]);
    expect(talk.state.deleted.map((one) => [one.entry.uid, one.until])).toEqual([
      ["a", 610_000],
      ["old", 65_000],
    ]);
    expect(talk.state.toasts.at(-1)).toMatchObject({ kind: "info", code: "deleted", undo: "a" });
  });

  it("is final at a server that knows no way back, and offers none", () => {
    const old = Talk.begun({}, null);
    old.hear({ type: "history-list", histories: [entry("a")] });
    old.go({ type: "delete-history", uid: "a" });
    expect(old.sent()).toEqual([{ type: "delete-history", history_uid: "a" }]);
    old.hear({ type: "history-deleted", success: true, history_uid: "a" });
    expect(old.state.toasts).toEqual([]);
    expect(old.state.deleted).toEqual([]);
  });

  it("that is undone brings the list up to date, and the conversation back that was open", () => {
    talk.go({ type: "open-history", uid: "a" });
    talk.hear({ type: "history-data", history_uid: "a", messages: [{ role: "human", timestamp: "", content: "a" }] });
    talk.go({ type: "delete-history", uid: "a" });
    talk.hear({ type: "history-deleted", success: true, history_uid: "a", undo_seconds: 600 });
    talk.hear({ type: "new-history-created", history_uid: "h3" });
    talk.sent();
    talk.go({ type: "restore-history", uid: "a" });
    expect(talk.sent()).toEqual([{ type: "restore-history", history_uid: "a" }]);
    talk.hear({ type: "history-restored", success: true, history_uid: "a" });
    expect(talk.sent()).toEqual([
      { type: "fetch-history-list", deleted: true },
      { type: "fetch-and-set-history", history_uid: "a" },
    ]);
    talk.hear({ type: "history-list", histories: [entry("a")], deleted: [] });
    talk.hear({ type: "history-data", history_uid: "a", messages: [{ role: "human", timestamp: "", content: "a" }] });
    expect(talk.humans()).toEqual(["a"]);
    expect(talk.state.history).toBe("a");
    expect(talk.state.deleted).toEqual([]);
  });

  it("that is undone leaves alone what is talked about now", () => {
    talk.turn("Hello.", "Hi.");
    talk.hear({ type: "history-restored", success: true, history_uid: "old" });
    expect(talk.sent()).toEqual([{ type: "fetch-history-list", deleted: true }]);
    expect(talk.humans()).toEqual(["Hello."]);
  });

  it("that cannot be undone any more says so", () => {
    talk.hear({ type: "history-restored", success: false, history_uid: "old" });
    expect(talk.state.deleted).toEqual([]);
    expect(talk.state.toasts.at(-1)?.code).toBe("restore-failed");
  });
});

describe("titles", () => {
  it("are shown as the server has kept them, in the list and among what was found", () => {
    talk.go({ type: "search", query: "a" });
    talk.hear({ type: "histories-found", query: "a", histories: [entry("a")] });
    talk.sent();
    talk.go({ type: "rename-history", uid: "a", title: "  Tea " });
    expect(talk.sent()).toEqual([{ type: "rename-history", history_uid: "a", title: "  Tea " }]);
    talk.hear({ type: "history-renamed", success: true, history_uid: "a", title: "Tea" });
    expect(talk.state.histories[0]?.title).toBe("Tea");
    expect(talk.state.search?.entries[0]?.title).toBe("Tea");
    talk.hear({ type: "history-renamed", success: true, history_uid: "a", title: null });
    expect(talk.state.histories[0]).not.toHaveProperty("title");
    talk.hear({ type: "history-renamed", success: false, history_uid: "a", title: null });
    expect(talk.state.toasts.at(-1)?.code).toBe("rename-failed");
  });

  it("and openings stay when something is said", () => {
    talk.hear({ type: "history-renamed", success: true, history_uid: "b", title: "Milk" });
    talk.go({ type: "open-history", uid: "b" });
    talk.hear({ type: "history-data", history_uid: "b", messages: [{ role: "human", timestamp: "", content: "b" }] });
    talk.turn("More.", "Yes.");
    expect(talk.state.histories[0]).toMatchObject({ uid: "b", title: "Milk", opening: "b" });
    talk.go({ type: "new-chat" });
    talk.hear({ type: "new-history-created", history_uid: "h9" });
    talk.turn("Fresh.", "Yes.");
    expect(talk.state.histories[0]).toMatchObject({ uid: "h9", opening: "Fresh." });
  });
});

describe("search", () => {
  it("shows the answer to the newest query only", () => {
    talk.go({ type: "search", query: " te " });
    talk.go({ type: "search", query: "tea" });
    expect(talk.sent()).toEqual([
      { type: "search-histories", query: "te" },
      { type: "search-histories", query: "tea" },
    ]);
    talk.hear({ type: "histories-found", query: "te", histories: [entry("wrong")] });
    expect(talk.state.search).toMatchObject({ pending: true, entries: [] });
    talk.hear({ type: "histories-found", query: "tea", histories: [entry("right")] });
    expect(talk.state.search).toMatchObject({ pending: false, next: null });
    expect(uids(talk.state.search?.entries ?? [])).toEqual(["right"]);
    talk.go({ type: "search", query: "tea" });
    expect(talk.sent()).toEqual([]);
    talk.go({ type: "search", query: "  " });
    expect(talk.state.search).toBeNull();
  });

  it("goes on where the server stopped", () => {
    talk.go({ type: "search", query: "tea" });
    talk.hear({ type: "histories-found", query: "tea", histories: [entry("a")], next: "x" });
    talk.sent();
    talk.go({ type: "search-more" });
    talk.go({ type: "search-more" });
    expect(talk.sent()).toEqual([{ type: "search-histories", query: "tea", before: "x" }]);
    talk.hear({ type: "histories-found", query: "tea", histories: [entry("b")] });
    expect(uids(talk.state.search?.entries ?? [])).toEqual(["a", "b"]);
    talk.go({ type: "search-more" });
    expect(talk.sent()).toEqual([]);
  });

  it("ends with another character, and waits for no answer of a lost connection", () => {
    talk.go({ type: "search", query: "tea" });
    talk.go({ type: "closed" });
    expect(talk.state.search?.pending).toBe(false);
    talk.go({ type: "opened" });
    talk.hear({ type: "set-model-and-conf", model_info: null, conf_name: "White", conf_uid: "w" });
    talk.go({ type: "switch", file: "sakura.yaml" });
    talk.hear({ type: "set-model-and-conf", model_info: null, conf_name: "Sakura", conf_uid: "s" });
    talk.hear({ type: "config-switched", message: "" });
    expect(talk.state.search).toBeNull();
    expect(talk.state.deleted).toEqual([]);
  });
});
