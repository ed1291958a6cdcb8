import { describe, expect, it } from "vitest";
import { append, appendVisits, coarsen, median, pendingOf, runningMedian, sampleAt } from "../../src/ops/client/samples";
import { columns, sample, START, visits } from "./fixture";

describe("append", () => {
  it("keeps every column as long as the others, and bounded", () => {
    let samples = columns([sample(START)], 1);
    for (let second = 1; second <= 25; second++) samples = append(samples, sample(START + second, { tasks: second }), 10);
    expect(samples.t).toEqual(Array.from({ length: 10 }, (_, index) => START + 16 + index));
    expect(samples.tasks.at(-1)).toBe(25);
    const { step_s: _, tasks_by_kind, ...rest } = samples;
    for (const column of [...Object.values(rest), ...Object.values(tasks_by_kind)]) expect(column).toHaveLength(10);
  });

  it("gives a new kind of task a past of zeros, and forgets one that has been gone for the whole range", () => {
    let samples = columns([sample(START, { tasks_by_kind: { server: 1, sources: 4 } })], 1);
    samples = append(samples, sample(START + 1, { tasks_by_kind: { server: 1, rooms: 2 } }), 3);
    expect(samples.tasks_by_kind).toEqual({ server: [1, 1], sources: [4, 0], rooms: [0, 2] });
    for (let second = 2; second < 5; second++) {
      samples = append(samples, sample(START + second, { tasks_by_kind: { server: 1 } }), 3);
    }
    expect(samples.tasks_by_kind).toEqual({ server: [1, 1, 1] });
  });

  it("keeps one sample where the range is shorter than a step", () => {
    const samples = append(columns([sample(START)], 30), sample(START + 30), 10);
    expect(samples.t).toEqual([START + 30]);
    expect(samples.tasks_by_kind["server"]).toEqual([1]);
  });
});

describe("coarsen", () => {
  it("takes means of gauges, the worst of what jams, the sum of what is counted", () => {
    const made = coarsen([
      sample(START, { cpu_pct: 10, loop_lag_ms: 1, replies: 2, reply_ms_p95: null, tasks_by_kind: { clients: 4 } }),
      sample(START + 1, { cpu_pct: 20, loop_lag_ms: 90, replies: 1, reply_ms_p95: 300, tasks_by_kind: {} }),
    ]);
    expect(made).toMatchObject({ t: START + 1, cpu_pct: 15, loop_lag_ms: 90, replies: 3, reply_ms_p95: 300 });
    expect(made.tasks_by_kind).toEqual({ clients: 2 });
  });

  it("has no reply time where nobody was answered", () => {
    expect(coarsen([sample(START, { reply_ms_p50: null })]).reply_ms_p50).toBeNull();
  });
});

describe("pendingOf", () => {
  it("finds the samples that are younger than the last coarse one", () => {
    const fine = columns([1, 2, 3, 4].map((second) => sample(START + second)), 1);
    expect(pendingOf(fine, columns([sample(START + 2)], 30)).map((one) => one.t)).toEqual([START + 3, START + 4]);
    expect(pendingOf(fine, columns([sample(START + 9)], 30))).toEqual([]);
    expect(pendingOf(fine, columns([], 30))).toHaveLength(4);
  });

  it("never holds more than one step", () => {
    const fine = columns(Array.from({ length: 50 }, (_, second) => sample(START + second)), 1);
    const pending = pendingOf(fine, columns([], 30));
    expect(pending).toHaveLength(30);
    expect(pending.at(-1)).toEqual(sampleAt(fine, 49));
  });
});

describe("visits", () => {
  it("are appended, and only the newest are kept", () => {
    const all = appendVisits(visits(1, [1, 2, 3]), visits(4, [4, null]), 4);
    expect(all.n).toEqual([2, 3, 4, 5]);
    expect(all.first_reply_ms).toEqual([2, 3, 4, null]);
    expect(all.how).toHaveLength(4);
  });
});

describe("medians", () => {
  it("are the middle, or the mean of the two middle ones", () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(median([])).toBeNull();
  });

  it("run over the last values and pass over what is missing", () => {
    expect(runningMedian([1, null, 9, 2, 3], 3)).toEqual([1, null, 5, 2, 3]);
  });
});
