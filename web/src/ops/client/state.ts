// What the page knows, as one value, and what each event of the stream makes of it.

import type { OpsAbandoned, OpsEvents, OpsSample, OpsState } from "../../ops.generated";
import { append, appendVisits, coarsen, pendingOf } from "./samples";

/** A word for those who do not see the page: each is said once. */
export type News =
  | { what: "restarted" }
  | { what: "verdict"; state: OpsState["verdict_hint"]["state"] }
  | { what: "abandoned"; n: number }
  | { what: "soak"; state: NonNullable<OpsState["soak"]>["state"] };

export interface View {
  /** Null until the server was heard for the first time. */
  server: OpsState | null;
  /** The server's clock, Unix seconds, as of the last event. */
  now: number;
  /** When `server.abandoned` was sent, for the age its tasks have by now. */
  abandonedAt: number;
  /** When a server that replaced the one seen before was started. */
  restartedAt: number | null;
  /** Fine samples of the coarse step that is not over yet. */
  pending: OpsSample[];
  news: News | null;
}

export const EMPTY: View = { server: null, now: 0, abandonedAt: 0, restartedAt: null, pending: [], news: null };

export type Event = { [Name in keyof OpsEvents]: { name: Name; data: OpsEvents[Name] } }[keyof OpsEvents];

/** The events this page takes; the stream may have others one day, which are left unread. */
const NAMES: Record<keyof OpsEvents, true> = {
  state: true, sample: true, visits: true, closes: true, abandoned: true, queues: true, soak: true,
};

export function isEventName(name: string): name is keyof OpsEvents {
  return Object.hasOwn(NAMES, name);
}

export function reduce(view: View, event: Event): View {
  if (event.name === "state") return begun(view, event.data);
  const { server } = view;
  if (server === null) return view; // nothing is before the state; a server that thinks otherwise is not believed
  switch (event.name) {
    case "sample":
      return sampled(view, server, event.data);
    case "visits": {
      const { visits, total, baseline, verdict_hint } = event.data;
      const news: News | null =
        verdict_hint.state === server.verdict_hint.state ? view.news : { what: "verdict", state: verdict_hint.state };
      const all = appendVisits(server.visits, visits, server.limits.visits);
      return { ...view, news, server: { ...server, visits: all, visits_total: total, baseline, verdict_hint } };
    }
    case "closes": {
      const closes = [...server.closes, ...event.data.closes].slice(-server.limits.closes);
      return { ...view, server: { ...server, closes, closes_total: event.data.total } };
    }
    case "abandoned": {
      const { abandoned, total } = event.data;
      const more = newcomers(server.abandoned, abandoned);
      const news: News | null = more > 0 ? { what: "abandoned", n: abandoned.length } : view.news;
      return { ...view, news, abandonedAt: view.now, server: { ...server, abandoned, abandoned_total: total } };
    }
    case "queues":
      return { ...view, server: { ...server, queues: event.data.queues, providers: event.data.providers } };
    case "soak": {
      const soak = event.data;
      const changed = soak.state !== server.soak?.state || soak.id !== server.soak.id;
      return { ...view, news: changed ? { what: "soak", state: soak.state } : view.news, server: { ...server, soak } };
    }
  }
}

function begun(view: View, state: OpsState): View {
  const known = view.server;
  const other = known !== null && (known.started_at !== state.started_at || known.pid !== state.pid);
  const now = state.started_at + state.uptime_s;
  return {
    server: state,
    now,
    abandonedAt: now,
    restartedAt: other ? state.started_at : view.restartedAt,
    pending: pendingOf(state.samples, state.samples_coarse),
    news: other ? { what: "restarted" } : view.news,
  };
}

function sampled(view: View, server: OpsState, sample: OpsSample): View {
  const coarse = server.samples_coarse;
  const pending = [...view.pending, sample];
  const over = pending.length * server.samples.step_s >= coarse.step_s;
  return {
    ...view,
    now: sample.t,
    pending: over ? [] : pending,
    server: {
      ...server,
      uptime_s: sample.t - server.started_at,
      samples: append(server.samples, sample, server.limits.fine_s),
      samples_coarse: over ? append(coarse, coarsen(pending), server.limits.coarse_s) : coarse,
      tasks_by_kind: sample.tasks_by_kind,
    },
  };
}

function newcomers(before: readonly OpsAbandoned[], after: readonly OpsAbandoned[]): number {
  const known = new Set(before.map((one) => one.id));
  return after.filter((one) => !known.has(one.id)).length;
}

/** Holds the newest view and tells those who look at it. */
export class Store {
  #view: View = EMPTY;
  #listeners = new Set<() => void>();

  get view(): View {
    return this.#view;
  }

  dispatch(event: Event): void {
    this.#view = reduce(this.#view, event);
    for (const listener of this.#listeners) listener();
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
