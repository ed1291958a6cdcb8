// Series by column, kept up to date second by second and bounded: what a page holds does not grow with its age.

import type { OpsSample, OpsSamples, OpsVisits } from "../../ops.generated";

export type Column = Exclude<keyof OpsSamples, "step_s" | "tasks_by_kind">;

/** How a column of a coarse sample is made of the fine ones: their mean, their worst, or their sum. */
const COARSE: Record<Column, "last" | "mean" | "worst" | "sum"> = {
  t: "last",
  reply_ms_p50: "mean",
  reply_ms_p95: "worst",
  replies: "sum",
  tasks: "mean",
  rss_mb: "mean",
  cpu_pct: "mean",
  loop_lag_ms: "worst",
  slots_busy: "mean",
  slots_waiting: "worst",
  queue_waiting: "worst",
  clients: "mean",
  viewers: "mean",
  threads: "mean",
  fds: "mean",
};
const COLUMNS = Object.keys(COARSE) as Column[];

/** The series with one more sample, and without what is then older than `seconds`. */
export function append(samples: OpsSamples, sample: OpsSample, seconds: number): OpsSamples {
  const keep = Math.max(1, Math.ceil(seconds / samples.step_s)) - 1;
  const next = { ...samples };
  for (const name of COLUMNS) {
    (next[name] as (number | null)[]) = [...(keep ? samples[name].slice(-keep) : []), sample[name]];
  }
  const length = next.t.length;
  const kinds: Record<string, number[]> = {};
  for (const kind of new Set([...Object.keys(samples.tasks_by_kind), ...Object.keys(sample.tasks_by_kind)])) {
    const earlier = samples.tasks_by_kind[kind] ?? [];
    const column = [...(keep ? earlier.slice(-keep) : []), sample.tasks_by_kind[kind] ?? 0];
    const filled = [...new Array<number>(length - column.length).fill(0), ...column];
    if (filled.some((count) => count > 0)) kinds[kind] = filled;
  }
  return { ...next, tasks_by_kind: kinds };
}

/** The samples younger than the last coarse one: they will make the next. */
export function pendingOf(fine: OpsSamples, coarse: OpsSamples): OpsSample[] {
  const last = coarse.t.at(-1) ?? Number.NEGATIVE_INFINITY;
  const from = fine.t.findIndex((t) => t > last);
  if (from < 0) return [];
  const room = Math.ceil(coarse.step_s / fine.step_s);
  return fine.t.slice(from).slice(-room).map((_, index, all) => sampleAt(fine, fine.t.length - all.length + index));
}

/** One sample out of the columns. */
export function sampleAt(samples: OpsSamples, index: number): OpsSample {
  const sample: Partial<Record<Column, number | null>> = {};
  for (const name of COLUMNS) sample[name] = samples[name][index] ?? null;
  const kinds = Object.entries(samples.tasks_by_kind).map(([kind, counts]) => [kind, counts[index] ?? 0]);
  return { ...(sample as Omit<OpsSample, "tasks_by_kind">), tasks_by_kind: Object.fromEntries(kinds) };
}

/** One coarse sample out of a step's fine ones; there must be at least one. */
export function coarsen(step: readonly OpsSample[]): OpsSample {
  const made: Partial<Record<Column, number | null>> = {};
  for (const name of COLUMNS) {
    const values = step.map((sample) => sample[name]).filter((value) => value !== null);
    made[name] = values.length > 0 ? joined(COARSE[name], values) : null;
  }
  const kinds: Record<string, number> = {};
  for (const sample of step) {
    for (const [kind, count] of Object.entries(sample.tasks_by_kind)) kinds[kind] = (kinds[kind] ?? 0) + count;
  }
  for (const kind of Object.keys(kinds)) kinds[kind] = (kinds[kind] ?? 0) / step.length;
  return { ...(made as Omit<OpsSample, "tasks_by_kind">), tasks_by_kind: kinds };
}

function joined(how: "last" | "mean" | "worst" | "sum", values: readonly number[]): number {
  if (how === "last") return values.at(-1) ?? 0;
  if (how === "worst") return Math.max(...values);
  const sum = values.reduce((a, b) => a + b, 0);
  return how === "sum" ? sum : sum / values.length;
}

/** The visits with more at their end; only the newest `keep` stay. */
export function appendVisits(visits: OpsVisits, more: OpsVisits, keep: number): OpsVisits {
  const join = <T>(a: readonly T[], b: readonly T[]): T[] => [...a, ...b].slice(-keep);
  return {
    n: join(visits.n, more.n),
    t: join(visits.t, more.t),
    first_reply_ms: join(visits.first_reply_ms, more.first_reply_ms),
    reply_ms: join(visits.reply_ms, more.reply_ms),
    how: join(visits.how, more.how),
    character: join(visits.character, more.character),
  };
}

/** The median of each value and up to `width - 1` before it: what the eye should follow. Nulls count for nothing. */
export function runningMedian(values: readonly (number | null)[], width: number): (number | null)[] {
  const recent: number[] = [];
  return values.map((value) => {
    if (value === null) return null;
    recent.push(value);
    if (recent.length > width) recent.shift();
    return median(recent);
  });
}

export function median(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}
