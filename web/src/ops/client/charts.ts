// What each chart shows, without knowing how it is drawn.

import type { OpsBaseline, OpsLimits, OpsSamples, OpsVisits } from "../../ops.generated";
import type { OpsKey } from "../i18n";
import type { Unit } from "./format";
import { runningMedian } from "./samples";

export type Look = "line" | "area" | "dots" | "limit";

export interface Line {
  id: string;
  /** A word of ours, or a name of the server's. */
  label: { key: OpsKey } | { name: string };
  /** Which colour of the palette, from 1; 0 is grey. */
  colour: number;
  look: Look;
  values: (number | null)[];
  /** Where the line is drawn, if it is stacked on others. */
  drawn?: (number | null)[];
}

export interface Chart {
  id: string;
  title: OpsKey;
  unit: Unit;
  /** Whether the scale starts at zero; else it follows what is measured, with some air. */
  fromZero: boolean;
  time: boolean;
  x: number[];
  range: [number, number];
  lines: Line[];
  /** The band that first replies lay in when the server was young. */
  band: { low: number; high: number } | null;
}

/** Never less than this is shown at once: a server that has just begun has a chart, too. */
const SHORTEST_SECONDS = 120;
const FEWEST_VISITS = 10;
export const MEDIAN_OF = 15;

/** Branches of the tree, in the order they are stacked. Others follow, as one. */
export const BRANCHES = ["clients", "engines", "voices", "rooms", "sources", "maintenance", "server", "ops"] as const;
const BRANCH_WORDS: Record<(typeof BRANCHES)[number], OpsKey> = {
  clients: "branch.clients",
  engines: "branch.engines",
  voices: "branch.voices",
  rooms: "branch.rooms",
  sources: "branch.sources",
  maintenance: "branch.maintenance",
  server: "branch.server",
  ops: "branch.ops",
};

/** First replies over visits: each as a dot, and the median of the last few as a line. */
export function visitsChart(visits: OpsVisits, baseline: OpsBaseline | null): Chart {
  const first = visits.n[0] ?? 1;
  const last = visits.n.at(-1) ?? first;
  const values = visits.first_reply_ms;
  return {
    id: "visits",
    title: "chart.visits",
    unit: "ms",
    fromZero: true,
    time: false,
    x: visits.n,
    range: [first, Math.max(last, first + FEWEST_VISITS - 1)],
    lines: [
      { id: "first", label: { key: "line.first-reply" }, colour: 3, look: "dots", values },
      { id: "median", label: { key: "line.median" }, colour: 1, look: "line", values: runningMedian(values, MEDIAN_OF) },
    ],
    band: baseline === null ? null : { low: baseline.low_ms, high: baseline.high_ms },
  };
}

/** Everything over time, for the last `seconds`. */
export function timeCharts(samples: OpsSamples, limits: OpsLimits, seconds: number): Chart[] {
  const x = samples.t;
  const now = x.at(-1) ?? 0;
  const from = Math.max(now - seconds, Math.min(x[0] ?? now, now - SHORTEST_SECONDS));
  const base = { time: true, x, range: [from, now] as [number, number], band: null, fromZero: true };
  const line = (id: keyof OpsSamples & string, key: OpsKey, colour: number, look: Look = "line"): Line => ({
    id, label: { key }, colour, look, values: samples[id] as (number | null)[],
  });
  return [
    {
      ...base, id: "replies", title: "chart.replies", unit: "ms",
      lines: [line("reply_ms_p95", "line.p95", 2), line("reply_ms_p50", "line.p50", 1)],
    },
    { ...base, id: "tasks", title: "chart.tasks", unit: "count", lines: taskLines(samples.tasks_by_kind, x.length) },
    {
      ...base, id: "memory", title: "chart.memory", unit: "mb", fromZero: false,
      lines: [line("rss_mb", "line.memory", 4)],
    },
    { ...base, id: "lag", title: "chart.lag", unit: "ms", lines: [line("loop_lag_ms", "line.lag", 2, "area")] },
    { ...base, id: "cpu", title: "chart.cpu", unit: "percent", lines: [line("cpu_pct", "line.cpu", 3, "area")] },
    {
      ...base, id: "slots", title: "chart.slots", unit: "count",
      lines: [
        line("slots_busy", "line.busy", 1, "area"),
        line("slots_waiting", "line.waiting", 2),
        ...limitLine(limits.provider_slots, samples.slots_busy),
      ],
    },
    {
      ...base, id: "queues", title: "chart.queues", unit: "count",
      lines: [line("queue_waiting", "line.waiting", 2, "area")],
    },
    {
      ...base, id: "clients", title: "chart.clients", unit: "count",
      lines: [line("clients", "line.clients", 1, "area"), line("viewers", "line.viewers", 4)],
    },
  ];
}

/** How many slots there are, where that is near enough to be in the picture. */
function limitLine(limit: number | null, busy: readonly number[]): Line[] {
  if (limit === null || limit > Math.max(8, 4 * Math.max(0, ...busy))) return [];
  return [{ id: "limit", label: { key: "line.limit" }, colour: 0, look: "limit", values: busy.map(() => limit) }];
}

/** Tasks by branch, stacked: the upper edge is all of them. The uppermost comes first, so that the others cover it. */
function taskLines(kinds: Readonly<Record<string, number[]>>, length: number): Line[] {
  const lines: Line[] = [];
  let edge = new Array<number>(length).fill(0);
  const stack = (id: string, label: Line["label"], colour: number, values: number[]): void => {
    edge = edge.map((below, index) => below + (values[index] ?? 0));
    lines.unshift({ id, label, colour, look: "area", values, drawn: edge });
  };
  BRANCHES.forEach((name, index) => {
    const values = kinds[name];
    if (values) stack(name, { key: BRANCH_WORDS[name] }, index + 1, values);
  });
  const others = Object.entries(kinds).filter(([name]) => !Object.hasOwn(BRANCH_WORDS, name));
  const [only] = others;
  if (only && others.length === 1) stack(only[0], { name: only[0] }, 0, only[1]);
  else if (only) {
    const sum = only[1].map((_, index) => others.reduce((all, [, values]) => all + (values[index] ?? 0), 0));
    stack("others", { key: "branch.others" }, 0, sum);
  }
  return lines;
}

export interface Extremes {
  last: number | null;
  low: number | null;
  high: number | null;
}

/** The last figure of a line, and the least and the greatest of what is shown. */
export function extremes(line: Line, x: readonly number[], from: number): Extremes {
  let last: number | null = null;
  let low: number | null = null;
  let high: number | null = null;
  line.values.forEach((value, index) => {
    if (value === null || (x[index] ?? 0) < from) return;
    last = value;
    low = low === null ? value : Math.min(low, value);
    high = high === null ? value : Math.max(high, value);
  });
  return { last, low, high };
}

export interface Row {
  x: number;
  values: (number | null)[];
}

/** A chart as a table: so many rows, evenly spread over what is shown, the newest first. */
export function rowsOf(chart: Chart, count: number): Row[] {
  const start = chart.x.findIndex((x) => x >= chart.range[0]);
  if (start < 0) return [];
  const length = chart.x.length - start;
  const wanted = Math.min(count, length);
  const indexes = Array.from({ length: wanted }, (_, row) =>
    wanted === 1 ? length - 1 : Math.round((row * (length - 1)) / (wanted - 1)),
  );
  return indexes.reverse().map((index) => ({
    x: chart.x[start + index] ?? 0,
    values: chart.lines.map((line) => line.values[start + index] ?? null),
  }));
}

/** The vertical scale: from zero, or with a tenth of air on both sides, and never without height. */
export function scaleOf(chart: Pick<Chart, "fromZero" | "band">, low: number | null, high: number | null): [number, number] {
  const top = Math.max(high ?? 0, chart.band?.high ?? 0);
  if (chart.fromZero) return [0, top > 0 ? top * 1.08 : 1];
  const bottom = low ?? 0;
  const air = Math.max((top - bottom) * 0.1, Math.abs(top) * 0.05, 0.5);
  return [Math.max(0, bottom - air), top + air];
}
