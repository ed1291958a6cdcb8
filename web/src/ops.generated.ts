// The types of the ops room. Generated from src/greenroom/server/ops/messages.py: do not edit.
// Make it anew with: python -m greenroom.server.ops.schema --typescript web/src/ops.generated.ts

/** The bounds that charts may draw. */
export interface OpsLimits {
  connections: number;
  /** None: no limit. */
  provider_slots: number | null;
  rooms: number;
  forwards: number;
  /** Messages that may wait in one room. */
  queue: number;
  subscribers: number;
  /** The most visits of a soak from the page; 0 where it may start none. */
  soak_visits: number;
  fine_s: number;
  /** How long each second and each half minute are kept. */
  coarse_s: number;
  visits: number;
  /** The latest that are kept, like the visits. */
  closes: number;
  /** Owners and tasks on one page of the tree. */
  tree_nodes: number;
}

/** Many samples, by column. In the coarse ones gauges are means, lag and what waits the worst of the step. */
export interface OpsSamples {
  step_s: number;
  t: number[];
  reply_ms_p50: (number | null)[];
  reply_ms_p95: (number | null)[];
  replies: number[];
  tasks: number[];
  rss_mb: number[];
  cpu_pct: number[];
  loop_lag_ms: number[];
  slots_busy: number[];
  slots_waiting: number[];
  queue_waiting: number[];
  clients: number[];
  viewers: number[];
  threads: number[];
  fds: number[];
  tasks_by_kind: Record<string, number[]>;
}

/** Visits by column: pages whose first turn has ended. */
export interface OpsVisits {
  /** The number of the visit, from 1. */
  n: number[];
  t: number[];
  /** From the visitor's first message to its first sentence; None if none came. */
  first_reply_ms: (number | null)[];
  /** The whole first turn. */
  reply_ms: number[];
  /** How it ended: finished, cut off, client gone. */
  how: string[];
  character: string[];
}

/** The band in which first replies lay when the server was young: median ± k · MAD (scaled to σ). */
export interface OpsBaseline {
  low_ms: number;
  median_ms: number;
  high_ms: number;
  /** How many visits it is made of. */
  visits: number;
  k: number;
  /** Of whom: replies of others may take longer by nature. */
  character: string;
}

/** What the hint rests on. */
export interface OpsVerdictFigures {
  visits: number;
  baseline_ms: number | null;
  recent_ms: number | null;
  /** Over all visits that are kept. */
  change_ms: number | null;
  /** Per 100 visits. */
  per_100_ms: number | null;
  /** A change below it does not matter. */
  margin_ms: number | null;
  /** The visit of a step. */
  at: number | null;
  /** Visits that are needed before anything is said. */
  needed: number;
}

/** Is it getting slower? A hint; `greenroom soak` gives the verdict. */
export interface OpsVerdict {
  state: "flat" | "growing" | "not_enough" | "step";
  text_key: string;
  method: string;
  figures: OpsVerdictFigures;
}

/** One owner's close. */
export interface OpsClose {
  owner: string;
  t: number;
  duration_ms: number;
  reason: string;
  /** Tasks that ran when it began and ended within the deadline. */
  ended: number;
  /** Tasks that waited and never began. */
  dropped: number;
  scopes: number;
  abandoned: string[];
}

/** A task that did not end when its owner closed, and still runs. */
export interface OpsAbandoned {
  id: string;
  owner: string;
  name: string;
  site: string;
  age_s: number;
  cancelled_by: string | null;
}

/** The queue of one room. */
export interface OpsQueue {
  room: string;
  waiting: number;
  oldest_s: number;
  /** Whether a conversation runs. */
  active: boolean;
  viewers: number;
}

/** An engine and its slots. */
export interface OpsProvider {
  name: string;
  kind: "agent" | "voice";
  busy: number;
  waiting: number;
  slots: number | null;
  started: number;
  finished: number;
  aborted: number;
  failed: number;
}

/** A defect the soak names. */
export interface OpsSoakCause {
  name: string;
  name_zh: string;
  evidence: string;
  evidence_zh: string;
}

/** What the soak found. */
export interface OpsSoakVerdict {
  /** flat, growing, step, saturated, not enough visits. */
  outcome: string;
  headline: string;
  headline_zh: string;
  causes: OpsSoakCause[];
  exit_code: number;
}

/** A soak that was started here: the one that runs, or the last one. */
export interface OpsSoak {
  id: number;
  state: "cancelled" | "failed" | "finished" | "running";
  mode: string;
  /** Wanted. */
  visits: number;
  done: number;
  began: number;
  seconds: number;
  visit: number[];
  first_reply_ms: (number | null)[];
  verdict: OpsSoakVerdict | null;
  /** Why it failed. */
  error: string | null;
}

/** Everything, once; the stream keeps it up to date. */
export interface OpsState {
  version: string;
  pid: number;
  started_at: number;
  uptime_s: number;
  limits: OpsLimits;
  samples: OpsSamples;
  samples_coarse: OpsSamples;
  visits: OpsVisits;
  visits_total: number;
  baseline: OpsBaseline | null;
  verdict_hint: OpsVerdict;
  tasks_by_kind: Record<string, number>;
  /** Oldest first. */
  closes: OpsClose[];
  closes_total: number;
  abandoned: OpsAbandoned[];
  /** Since the server started; `abandoned` lists those that still run. */
  abandoned_total: number;
  queues: OpsQueue[];
  providers: OpsProvider[];
  soak: OpsSoak | null;
}

/** A task of an owner. */
export interface OpsTask {
  id: string;
  name: string;
  /** The line that started it. */
  site: string;
  /** waiting, running, cancelling. */
  state: string;
  age_s: number;
  /** Its place among those that wait, from 1; 0 if it runs. */
  position: number;
  cancelled_by: string | null;
}

/** A scope. Owners come parents first; `depth` and `path` tell who lives in whom. */
export interface OpsOwner {
  path: string;
  name: string;
  /** server, client, room, engine …: the name without its number. */
  kind: string;
  depth: number;
  age_s: number;
  open: boolean;
  /** Its own tasks, without those of its children. */
  running: number;
  waiting: number;
  tasks: OpsTask[];
  tasks_left_off: number;
}

/** A page of the tree of owners. */
export interface OpsTree {
  t: number;
  owners: OpsOwner[];
  /** Owners and tasks of listed owners that did not fit on this page. */
  left_off: number;
  /** Give it as `after` for the next page; None on the last. */
  next: string | null;
}

/** One line of a stack. */
export interface OpsFrame {
  file: string;
  line: number;
  function: string;
  code: string;
}

/** Where a task stands, outermost first. */
export interface OpsStack {
  id: string;
  name: string;
  owner: string;
  state: string;
  frames: OpsFrame[];
  taken_at: number;
}

/** The body of `POST /ops/soak`. */
export interface OpsSoakRequest {
  /** None: as many as usual, which is 50 where the settings allow it. */
  visits: number | null;
  mode: string;
}

/** Its answer. */
export interface OpsSoakStarted {
  run: OpsSoak;
}

/** `GET /ops/export`. */
export interface OpsExport {
  exported_at: number;
  state: OpsState;
  tree: OpsTree;
}

/** What is wrong with a request, and what to do. */
export interface OpsProblem {
  problem: string;
  fix: string;
  field: string | null;
}

/** The body of every answer that is not a success. */
export interface OpsError {
  error: OpsProblem;
}

/** One second of the server. A reply time is None in a second in which nobody was answered. */
export interface OpsSample {
  t: number;
  /** First replies of this second, of all turns: from a message to its first sentence; the median. */
  reply_ms_p50: number | null;
  reply_ms_p95: number | null;
  replies: number;
  tasks: number;
  rss_mb: number;
  /** Of one core. */
  cpu_pct: number;
  /** How late the loop came to a timer. */
  loop_lag_ms: number;
  slots_busy: number;
  slots_waiting: number;
  /** Messages that wait in the queues of all rooms. */
  queue_waiting: number;
  clients: number;
  viewers: number;
  threads: number;
  fds: number;
  /** Background tasks alive, by the branch of the tree they live in. */
  tasks_by_kind: Record<string, number>;
}

/** New visits, and what they make of the hint. */
export interface OpsNewVisits {
  visits: OpsVisits;
  total: number;
  baseline: OpsBaseline | null;
  verdict_hint: OpsVerdict;
}

/** New closes, oldest first, and how many there were in all. */
export interface OpsCloses {
  closes: OpsClose[];
  total: number;
}

/** All abandoned tasks that still run. */
export interface OpsAbandonedList {
  abandoned: OpsAbandoned[];
  total: number;
}

/** All queues and engines; sent when something about them changed. */
export interface OpsQueues {
  queues: OpsQueue[];
  providers: OpsProvider[];
}

/** The data of each event of `/ops/events`. */
export interface OpsEvents {
  state: OpsState;
  sample: OpsSample;
  visits: OpsNewVisits;
  closes: OpsCloses;
  abandoned: OpsAbandonedList;
  queues: OpsQueues;
  soak: OpsSoak;
}
