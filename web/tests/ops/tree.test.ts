import { describe, expect, it } from "vitest";
import { canceller, lastPart } from "../../src/ops/client/places";
import { isMode, visitsIn } from "../../src/ops/client/soak";
import { allPaths, branches, joinPages, opened } from "../../src/ops/client/tree";
import { headlineOf } from "../../src/ops/client/verdict";
import { owner, task, tree, verdict } from "./fixture";

const OWNERS = [
  owner("server", [task("1")]),
  owner("server/clients"),
  owner("server/clients/client a", [task("2"), task("3", { state: "waiting", position: 1 })]),
  owner("server/clients/client a/turns", [task("4", { state: "cancelling", cancelled_by: "the page was closed" })]),
  owner("server/clients/client b"),
  owner("server/rooms"),
];

describe("the tree", () => {
  it("hangs each owner below its parent, with the tasks of all below it", () => {
    const [root, ...others] = branches(OWNERS);
    expect(others).toEqual([]);
    expect(root).toMatchObject({ running: 3, waiting: 1, cancelling: true });
    expect(root?.children.map((one) => one.owner.name)).toEqual(["clients", "rooms"]);
    const [clients, rooms] = root?.children ?? [];
    expect(clients?.children.map((one) => one.owner.name)).toEqual(["client a", "client b"]);
    expect(clients?.children[0]).toMatchObject({ running: 2, waiting: 1, cancelling: true });
    expect(rooms).toMatchObject({ running: 0, waiting: 0, cancelling: false });
  });

  it("takes what begins in the middle as roots", () => {
    const roots = branches([owner("server/clients/client a/turns"), owner("server/clients/client b"), owner("server/rooms")]);
    expect(roots.map((one) => one.owner.name)).toEqual(["turns", "client b", "rooms"]);
  });

  it("opens the roots, and knows what can be opened", () => {
    const roots = branches(OWNERS);
    expect([...opened(roots)]).toEqual(["server"]);
    expect(allPaths(roots).sort()).toEqual([
      "server", "server/clients", "server/clients/client a", "server/clients/client a/turns",
    ]);
  });

  it("joins pages: what stands on both is shown as on the later one", () => {
    const first = { ...tree([owner("server"), owner("server/a")], "cursor"), left_off: 9 };
    const second = tree([{ ...owner("server/a"), open: false }, owner("server/b")]);
    const joined = joinPages(first, second);
    expect(joined.owners.map((one) => [one.path, one.open])).toEqual([["server", true], ["server/a", false], ["server/b", true]]);
    expect(joined).toMatchObject({ next: null, left_off: 0 });
  });
});

describe("small words", () => {
  it("name the last part of a path, and who cancelled", () => {
    expect(lastPart("server/clients/client 7")).toBe("client 7");
    expect(lastPart("server")).toBe("server");
    expect(canceller("cancelled at a.py:3 in f")).toBe("a.py:3 in f");
    expect(canceller("the page was closed")).toBe("the page was closed");
  });

  it("answer the question of the page", () => {
    expect(headlineOf(verdict("flat"))).toMatchObject({ tone: "good", title: "verdict.flat" });
    expect(headlineOf(verdict("growing"))).toMatchObject({ tone: "bad", title: "verdict.growing" });
    expect(headlineOf(verdict("step", 12))).toEqual({ tone: "bad", title: "verdict.step", at: 12 });
    expect(headlineOf(verdict("step"))).toEqual({ tone: "bad", title: "verdict.slower", at: null });
    expect(headlineOf(verdict("not_enough"))).toMatchObject({ tone: "unknown" });
  });

  it("take whole numbers of visits only, and known modes", () => {
    expect(visitsIn(" 30 ", 200)).toBe(30);
    for (const bad of ["", "0", "201", "1.5", "-3", "1e2", "many"]) expect(visitsIn(bad, 200), bad).toBeNull();
    expect(isMode("half-open")).toBe(true);
    expect(isMode("lively")).toBe(false);
  });
});
