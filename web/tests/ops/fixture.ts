// One of everything that the server sends to the ops page, with every field: a field that changes its name or type,
// or is new, fails the type check here.

import type {
  OpsAbandoned, OpsAbandonedList, OpsBaseline, OpsClose, OpsCloses, OpsError, OpsEvents, OpsExport, OpsNewVisits,
  OpsOwner, OpsProblem, OpsQueues, OpsSample, OpsSamples, OpsSoak, OpsSoakCause, OpsSoakRequest, OpsSoakStarted,
  OpsSoakVerdict, OpsStack, OpsState, OpsTask, OpsTree, OpsVerdict, OpsVisits,
} from "../../src/ops.generated";

export const START = 1_700_000_000;

export function sample(t: number, change: Partial<OpsSample> = {}): OpsSample {
  return {
    t, reply_ms_p50: 100, reply_ms_p95: 150, replies: 1, tasks: 3, rss_mb: 80, cpu_pct: 5, loop_lag_ms: 0.2,
    slots_busy: 1, slots_waiting: 0, queue_waiting: 0, clients: 2, viewers: 0, threads: 8, fds: 30,
    tasks_by_kind: { server: 1, clients: 2 }, ...change,
  };
}

export function columns(rows: readonly OpsSample[], step_s: number): OpsSamples {
  const kinds = new Set(rows.flatMap((row) => Object.keys(row.tasks_by_kind)));
  const column = <Name extends Exclude<keyof OpsSample, "tasks_by_kind">>(name: Name): OpsSample[Name][] =>
    rows.map((row) => row[name]);
  return {
    step_s,
    t: column("t"),
    reply_ms_p50: column("reply_ms_p50"),
    reply_ms_p95: column("reply_ms_p95"),
    replies: column("replies"),
    tasks: column("tasks"),
    rss_mb: column("rss_mb"),
    cpu_pct: column("cpu_pct"),
    loop_lag_ms: column("loop_lag_ms"),
    slots_busy: column("slots_busy"),
    slots_waiting: column("slots_waiting"),
    queue_waiting: column("queue_waiting"),
    clients: column("clients"),
    viewers: column("viewers"),
    threads: column("threads"),
    fds: column("fds"),
    tasks_by_kind: Object.fromEntries([...kinds].map((kind) => [kind, rows.map((row) => row.tasks_by_kind[kind] ?? 0)])),
  };
}

export function visits(first: number, replies: readonly (number | null)[]): OpsVisits {
  return {
    n: replies.map((_, index) => first + index),
    t: replies.map((_, index) => START + first + index),
    first_reply_ms: [...replies],
    reply_ms: replies.map((reply) => (reply ?? 0) * 4),
    how: replies.map(() => "finished"),
    character: replies.map(() => "White"),
  };
}

export function verdict(state: OpsVerdict["state"], at: number | null = null): OpsVerdict {
  const figures = {
    visits: 40, baseline_ms: 100, recent_ms: 140, change_ms: 40, per_100_ms: 100, margin_ms: 30, at, needed: 33,
  };
  return { state, text_key: `ops.verdict.${state}`, method: "Mann-Kendall", figures };
}

export const close: OpsClose = {
  owner: "server/clients/client 1", t: START, duration_ms: 2, reason: "page closed", ended: 1, dropped: 0, scopes: 2,
  abandoned: [],
};

export function abandoned(id: string): OpsAbandoned {
  return { id, owner: "server/clients/client 1", name: "init", site: "a.py:1 in f", age_s: 9, cancelled_by: null };
}

export function soak(change: Partial<OpsSoak> = {}): OpsSoak {
  return {
    id: 1, state: "running", mode: "mixed", visits: 30, done: 2, began: START, seconds: 4, visit: [1, 2],
    first_reply_ms: [100, null], error: null, verdict: null, ...change,
  };
}

const cause: OpsSoakCause = {
  name: "the prompt grows", name_zh: "提示词增长", evidence: "+40 %", evidence_zh: "+40%",
};
const soakVerdict: OpsSoakVerdict = {
  outcome: "growing", headline: "growing.", headline_zh: "有增长。", exit_code: 1, causes: [cause],
};
export const finishedSoak: OpsSoak = soak({ state: "finished", verdict: soakVerdict });

export const baseline: OpsBaseline = { low_ms: 80, median_ms: 100, high_ms: 120, visits: 30, k: 5, character: "White" };

export const queues: OpsQueues = {
  queues: [{ room: "main", waiting: 1, oldest_s: 2, active: true, viewers: 3 }],
  providers: [
    { name: "builtin", kind: "agent", busy: 1, waiting: 0, slots: 4, started: 9, finished: 7, aborted: 1, failed: 0 },
  ],
};

export function state(change: Partial<OpsState> = {}): OpsState {
  return {
    version: "0.1.0",
    pid: 7,
    started_at: START,
    uptime_s: 2,
    limits: {
      connections: 1000, provider_slots: null, rooms: 100, forwards: 5, queue: 100, subscribers: 200, soak_visits: 200,
      fine_s: 900, coarse_s: 43_200, visits: 2000, closes: 100, tree_nodes: 2000,
    },
    samples: columns([sample(START + 1), sample(START + 2)], 1),
    samples_coarse: columns([], 30),
    visits: visits(1, [100, 110]),
    visits_total: 2,
    baseline,
    verdict_hint: verdict("not_enough"),
    tasks_by_kind: { server: 1, clients: 2 },
    closes: [close],
    closes_total: 1,
    abandoned: [],
    abandoned_total: 0,
    ...queues,
    soak: null,
    ...change,
  };
}

export function task(id: string, change: Partial<OpsTask> = {}): OpsTask {
  return { id, name: "turn", site: "a.py:1 in f", state: "running", age_s: 1, position: 0, cancelled_by: null, ...change };
}

export function owner(path: string, tasks: OpsTask[] = []): OpsOwner {
  const name = path.slice(path.lastIndexOf("/") + 1);
  return {
    path, name, kind: name.split(" ")[0] ?? name, depth: path.split("/").length - 1, age_s: 5, open: true,
    running: tasks.filter((one) => one.state !== "waiting").length,
    waiting: tasks.filter((one) => one.state === "waiting").length, tasks, tasks_left_off: 0,
  };
}

export function tree(owners: OpsOwner[], next: string | null = null): OpsTree {
  return { t: START, owners, left_off: 0, next };
}

export const stack: OpsStack = {
  id: "1", name: "turn", owner: "server", state: "running", taken_at: START,
  frames: [{ file: "a.py", line: 3, function: "f", code: "await g()" }],
};

const newVisits: OpsNewVisits = { visits: visits(3, [120]), total: 3, baseline, verdict_hint: verdict("flat") };
const closes: OpsCloses = { closes: [close], total: 2 };
const left: OpsAbandonedList = { abandoned: [abandoned("a")], total: 1 };
export const events: OpsEvents = {
  state: state(), sample: sample(START), visits: newVisits, closes, abandoned: left, queues, soak: soak(),
};

const problem: OpsProblem = { problem: "visits: 0", fix: "use 1 to 200", field: "visits" };
export const answers: [OpsError, OpsExport, OpsSoakRequest, OpsSoakStarted] = [
  { error: problem } satisfies OpsError,
  { exported_at: START, state: state(), tree: tree([]) } satisfies OpsExport,
  { visits: 30, mode: "mixed" } satisfies OpsSoakRequest,
  { run: soak() } satisfies OpsSoakStarted,
];
