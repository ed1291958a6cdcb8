// What the page asks the server besides the stream, and what it makes of a refusal.

import type { OpsError, OpsProblem, OpsSoakRequest, OpsSoakStarted, OpsStack, OpsTree } from "../../ops.generated";

/** Why something was refused. `code` is set by the door: which token is missing, for instance. */
export interface Problem extends OpsProblem {
  status: number;
  code: string | null;
}

export class Refused extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.problem);
    this.problem = problem;
  }
}

/** The addresses, all relative to the page's own, so that it works behind a proxy's path as well. */
export interface Addresses {
  events: string;
  tree: string;
  tasks: string;
  soak: string;
  export: string;
  login: string;
  chat: string;
}

export function addressesOf(page: string): Addresses {
  const at = (path: string): string => new URL(path, page).href;
  return {
    events: at("ops/events"),
    tree: at("ops/tree"),
    tasks: at("ops/tasks/"),
    soak: at("ops/soak"),
    export: at("ops/export"),
    login: at("login"),
    chat: at("./"),
  };
}

/** What a refusal says; a proxy's answer in HTML says no more than its status. */
export async function problemOf(response: Response): Promise<Problem> {
  const bare: Problem = { status: response.status, code: null, field: null, problem: "", fix: "" };
  let body: unknown;
  try {
    body = await response.json();
  } catch {
    return bare; // not JSON, or cut off: the status must do
  }
  const { error } = (body ?? {}) as Partial<OpsError>;
  if (typeof error !== "object" || error === null) return bare;
  const { problem, fix, field, code } = error as Partial<Problem>;
  const text = (value: unknown): string => (typeof value === "string" ? value : "");
  return { ...bare, problem: text(problem), fix: text(fix), field: text(field) || null, code: text(code) || null };
}

export type Fetch = (url: string, init?: RequestInit) => Promise<Response>;

/** Requests of the page. Each raises `Refused` with the server's words, or what `fetch` raises without a server. */
export class Api {
  readonly addresses: Addresses;
  #fetch: Fetch;

  constructor(addresses: Addresses, fetch: Fetch) {
    this.addresses = addresses;
    this.#fetch = fetch;
  }

  /** A page of the tree of owners, up to `limit` of them after the owner `after`. */
  async tree(after: string | null, limit: number, signal?: AbortSignal): Promise<OpsTree> {
    const query = new URLSearchParams({ limit: String(limit), ...(after === null ? {} : { after }) });
    return this.#ask(`${this.addresses.tree}?${query}`, signal ? { signal } : {});
  }

  async stack(task: string): Promise<OpsStack> {
    return this.#ask(`${this.addresses.tasks}${encodeURIComponent(task)}/stack`, {});
  }

  async startSoak(request: OpsSoakRequest): Promise<OpsSoakStarted> {
    const headers = { "Content-Type": "application/json" };
    return this.#ask(this.addresses.soak, { method: "POST", headers, body: JSON.stringify(request) });
  }

  async cancelSoak(): Promise<void> {
    await this.#answer(this.addresses.soak, { method: "DELETE" });
  }

  /** Give a token for a session; its cookie is out of reach of scripts, so the page keeps no token. */
  async logIn(token: string): Promise<void> {
    const headers = { Accept: "application/json" };
    await this.#answer(this.addresses.login, { method: "POST", headers, body: new URLSearchParams({ token }) });
  }

  async #ask<T>(url: string, init: RequestInit): Promise<T> {
    return (await (await this.#answer(url, init)).json()) as T;
  }

  async #answer(url: string, init: RequestInit): Promise<Response> {
    const response = await this.#fetch(url, { cache: "no-store", credentials: "same-origin", ...init });
    if (!response.ok) throw new Refused(await problemOf(response));
    return response;
  }
}
