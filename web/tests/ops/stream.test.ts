import { beforeEach, describe, expect, it, vi } from "vitest";
import { FIRST_PAUSE, LONGEST_PAUSE } from "../../src/client/connection";
import type { Event } from "../../src/ops/client/state";
import { CONNECT_TIMEOUT, SILENCE, Stream, type StreamState } from "../../src/ops/client/stream";
import { FakeClock } from "../fake-clock";
import { sample, START, state } from "./fixture";

/** One answer of a server that can be told what to say and when. */
class Line {
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  readonly response: Response;
  readonly init: RequestInit;

  constructor(init: RequestInit) {
    this.init = init;
    const body = new ReadableStream<Uint8Array>({ start: (controller) => void (this.#controller = controller) });
    init.signal?.addEventListener("abort", () => this.#controller.error(new DOMException("aborted", "AbortError")));
    this.response = new Response(body, { headers: { "Content-Type": "text/event-stream" } });
  }

  say(text: string | Uint8Array): Promise<void> {
    if (!this.init.signal?.aborted) {
      this.#controller.enqueue(typeof text === "string" ? new TextEncoder().encode(text) : text);
    }
    return settled();
  }

  end(): Promise<void> {
    this.#controller.close();
    return settled();
  }

  break(): Promise<void> {
    this.#controller.error(new TypeError("network error"));
    return settled();
  }
}

const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));
const event = (name: string, data: unknown): string => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
const BEGIN = `retry: 2000\n\n${event("state", state())}`;

let clock: FakeClock;
let lines: Line[];
let states: StreamState[];
let events: Event[];
let answers: (Response | Error)[];
let stream: Stream;

beforeEach(() => {
  clock = new FakeClock();
  lines = [];
  states = [];
  events = [];
  answers = [];
  stream = new Stream({
    url: "http://here/ops/events",
    fetch: async (_, init) => {
      const line = new Line(init);
      lines.push(line);
      const answer = answers.shift() ?? line.response;
      if (answer instanceof Error) throw answer;
      return answer;
    },
    clock,
    random: () => 1,
    onState: (found) => states.push(found),
    onEvent: (found) => events.push(found),
  });
});

const refusal = (status: number, code: string, headers: Record<string, string> = {}): Response =>
  new Response(JSON.stringify({ error: { field: null, problem: "no", fix: "do", code } }), { status, headers });

async function live(): Promise<Line> {
  stream.start();
  await settled();
  const line = lines.at(-1) as Line;
  await line.say(BEGIN);
  return line;
}

describe("a stream", () => {
  it("asks for events, with the cookies of this server only, and is live with the first one", async () => {
    const line = await live();
    expect(line.init).toMatchObject({ credentials: "same-origin", cache: "no-store" });
    expect(new Headers(line.init.headers).get("Accept")).toBe("text/event-stream");
    expect(states.map((one) => one.phase)).toEqual(["connecting", "live"]);
    expect(events).toEqual([{ name: "state", data: state() }]);
  });

  it("reads events that come in pieces, and Chinese cut within a letter", async () => {
    const line = await live();
    const bytes = new TextEncoder().encode(event("sample", { ...sample(START), note: "变慢" }));
    const cut = bytes.length - 8;
    await line.say(bytes.slice(0, cut));
    await line.say(bytes.slice(cut));
    expect(events.at(-1)).toEqual({ name: "sample", data: { ...sample(START), note: "变慢" } });
  });

  it("leaves unread what it does not know or cannot read", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const line = await live();
    await line.say(": a comment\n\nevent: weather\ndata: {}\n\nevent: sample\ndata: {broken\n\n");
    expect(events).toHaveLength(1);
    expect(warn).toHaveBeenCalledOnce();
    expect(stream.state.phase).toBe("live");
    warn.mockRestore();
  });

  it("comes back with growing pauses when it is cut off, and with the shortest after it was live", async () => {
    await (await live()).break();
    const pauses: number[] = [];
    for (let round = 0; round < 8; round++) {
      const now = stream.state;
      if (now.phase !== "reconnecting") throw new Error(now.phase);
      pauses.push(now.retryAt - clock.now());
      answers.push(new TypeError("refused"));
      clock.advance(now.retryAt - clock.now());
      await settled();
    }
    expect(pauses.slice(0, 4)).toEqual([FIRST_PAUSE, FIRST_PAUSE, FIRST_PAUSE * 2, FIRST_PAUSE * 4]);
    expect(Math.max(...pauses)).toBe(LONGEST_PAUSE);
    clock.advance(LONGEST_PAUSE);
    await settled();
    await lines.at(-1)?.say(BEGIN);
    expect(stream.state.phase).toBe("live");
    await lines.at(-1)?.end();
    expect(stream.state).toMatchObject({ phase: "reconnecting", retryAt: clock.now() + FIRST_PAUSE });
  });

  it("takes silence for a lost connection, at the start and later", async () => {
    stream.start();
    await settled();
    clock.advance(CONNECT_TIMEOUT);
    expect(stream.state.phase).toBe("reconnecting");
    expect(lines[0]?.init.signal?.aborted).toBe(true);
    clock.advance(FIRST_PAUSE);
    await settled();
    await lines[1]?.say(BEGIN);
    clock.advance(SILENCE - 1);
    await lines[1]?.say(event("sample", sample(START)));
    clock.advance(SILENCE - 1);
    expect(stream.state.phase).toBe("live");
    clock.advance(1);
    expect(stream.state.phase).toBe("reconnecting");
  });

  it("does not knock again where a token is needed, until it is told to", async () => {
    answers.push(refusal(401, "no-token"));
    stream.start();
    await settled();
    expect(stream.state).toMatchObject({ phase: "locked", problem: { code: "no-token", status: 401 } });
    clock.advance(10 * LONGEST_PAUSE);
    expect(lines).toHaveLength(1);
    stream.retryNow();
    await settled();
    await lines[1]?.say(BEGIN);
    expect(stream.state.phase).toBe("live");
  });

  it("waits as long as a full server asks for, and passes on its reason", async () => {
    answers.push(refusal(503, "", { "Retry-After": "60" }));
    stream.start();
    await settled();
    expect(stream.state).toMatchObject({ phase: "reconnecting", retryAt: 60_000, problem: { problem: "no" } });
  });

  it("waits for the network, and tries at once when it is back", async () => {
    await live();
    stream.setNetwork(false);
    expect(stream.state.phase).toBe("offline");
    clock.advance(LONGEST_PAUSE);
    expect(lines).toHaveLength(1);
    stream.setNetwork(true);
    expect(lines).toHaveLength(2);
  });

  it("is silent after it was stopped, and leaves no timer", async () => {
    const line = await live();
    stream.stop();
    expect(line.init.signal?.aborted).toBe(true);
    await settled();
    expect(states.at(-1)?.phase).toBe("live");
    expect(clock.timers).toEqual([]);
    stream.start();
    expect(lines).toHaveLength(2);
  });

  it("does not listen to a connection that it has given up", async () => {
    const first = await live();
    clock.advance(SILENCE);
    clock.advance(FIRST_PAUSE);
    await settled();
    await lines[1]?.say(BEGIN);
    const heard = events.length;
    await first.say(event("sample", sample(START)));
    expect(events).toHaveLength(heard);
  });
});
