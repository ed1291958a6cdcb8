import { describe, expect, it } from "vitest";
import { EMPTY, isEventName, reduce, Store, type Event, type View } from "../../src/ops/client/state";
import { abandoned, close, columns, finishedSoak, sample, soak, START, state, verdict, visits } from "./fixture";

const after = (...events: Event[]): View => events.reduce(reduce, EMPTY);
const begun: Event = { name: "state", data: state() };

describe("the state", () => {
  it("is taken as it comes, with the server's clock", () => {
    const view = after(begun);
    expect(view.server).toEqual(state());
    expect(view.now).toBe(START + 2);
    expect(view.restartedAt).toBeNull();
  });

  it("comes first: nothing before it counts", () => {
    expect(after({ name: "sample", data: sample(START) })).toEqual(EMPTY);
  });

  it("of another process tells that the server was started anew", () => {
    const again = after(begun, { name: "state", data: state({ started_at: START + 90, pid: 8 }) });
    expect(again.restartedAt).toBe(START + 90);
    expect(again.news).toEqual({ what: "restarted" });
    expect(after(begun, begun).restartedAt).toBeNull();
  });
});

describe("a sample", () => {
  it("moves the clock and the series on", () => {
    const view = after(begun, { name: "sample", data: sample(START + 3, { tasks_by_kind: { rooms: 4 } }) });
    expect(view.now).toBe(START + 3);
    expect(view.server?.uptime_s).toBe(3);
    expect(view.server?.samples.t).toEqual([START + 1, START + 2, START + 3]);
    expect(view.server?.tasks_by_kind).toEqual({ rooms: 4 });
  });

  it("makes a coarse one with the others of its step, counting those from before the page was opened", () => {
    let view = after(begun);
    for (let second = 3; second <= 30; second++) view = reduce(view, { name: "sample", data: sample(START + second) });
    expect(view.server?.samples_coarse.t).toEqual([START + 30]);
    expect(view.server?.samples_coarse.replies).toEqual([30]);
    expect(view.pending).toEqual([]);
  });

  it("never lets a series grow beyond what the server keeps", () => {
    const limits = { ...state().limits, fine_s: 20, coarse_s: 60 };
    let view = reduce(EMPTY, { name: "state", data: state({ limits }) });
    for (let second = 3; second <= 300; second++) view = reduce(view, { name: "sample", data: sample(START + second) });
    expect(view.server?.samples.t).toHaveLength(20);
    expect(view.server?.samples_coarse.t).toHaveLength(2);
    expect(view.pending.length).toBeLessThan(30);
  });
});

describe("what else comes", () => {
  it("visits bring a verdict, which is news when it changes", () => {
    const event = (hint: "flat" | "not_enough"): Event => ({
      name: "visits", data: { visits: visits(3, [120]), total: 3, baseline: null, verdict_hint: verdict(hint) },
    });
    const view = after(begun, event("flat"));
    expect(view.server?.visits.n).toEqual([1, 2, 3]);
    expect(view.server).toMatchObject({ visits_total: 3, baseline: null, verdict_hint: verdict("flat") });
    expect(view.news).toEqual({ what: "verdict", state: "flat" });
    expect(after(begun, event("not_enough")).news).toBeNull();
  });

  it("closes are kept up to the server's bound", () => {
    const limits = { ...state().limits, closes: 3 };
    const more = [1, 2, 3, 4].map((n) => ({ ...close, owner: `client ${n}` }));
    const view = after({ name: "state", data: state({ limits }) }, { name: "closes", data: { closes: more, total: 5 } });
    expect(view.server?.closes.map((one) => one.owner)).toEqual(["client 2", "client 3", "client 4"]);
    expect(view.server?.closes_total).toBe(5);
  });

  it("an abandoned task is news once, and its age counts from when it was told", () => {
    const tell = (...ids: string[]): Event => ({ name: "abandoned", data: { abandoned: ids.map(abandoned), total: 2 } });
    const one = after(begun, { name: "sample", data: sample(START + 3) }, tell("a"));
    expect(one.news).toEqual({ what: "abandoned", n: 1 });
    expect(one.abandonedAt).toBe(START + 3);
    expect(reduce({ ...one, news: null }, tell("a")).news).toBeNull();
    expect(reduce(one, tell()).server).toMatchObject({ abandoned: [], abandoned_total: 2 });
  });

  it("a soak is news when it begins and when it ends", () => {
    const running = after(begun, { name: "soak", data: soak() });
    expect(running.news).toEqual({ what: "soak", state: "running" });
    const further = reduce({ ...running, news: null }, { name: "soak", data: soak({ done: 9 }) });
    expect(further.news).toBeNull();
    expect(further.server?.soak?.done).toBe(9);
    expect(reduce(further, { name: "soak", data: finishedSoak }).news).toEqual({ what: "soak", state: "finished" });
  });

  it("queues and engines replace the earlier ones", () => {
    const view = after(begun, { name: "queues", data: { queues: [], providers: [] } });
    expect(view.server).toMatchObject({ queues: [], providers: [] });
  });

  it("events of another time are not taken for ours", () => {
    expect(isEventName("sample")).toBe(true);
    expect(isEventName("toString")).toBe(false);
    expect(isEventName("")).toBe(false);
  });
});

describe("the store", () => {
  it("tells those who listen, as long as they do", () => {
    const store = new Store();
    let told = 0;
    const leave = store.subscribe(() => told++);
    store.dispatch(begun);
    leave();
    store.dispatch(begun);
    expect(told).toBe(1);
    expect(store.view.server?.samples).toEqual(columns([sample(START + 1), sample(START + 2)], 1));
  });
});
