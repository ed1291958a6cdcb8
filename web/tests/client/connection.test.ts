import { beforeEach, describe, expect, it } from "vitest";
import {
  ACK_TIMEOUT,
  CONNECT_TIMEOUT,
  Connection,
  HEARTBEAT_EVERY,
  LONGEST_PAUSE,
  pauseBefore,
  STABLE_AFTER,
  type ConnectionState,
  type Socket,
} from "../../src/client/connection";
import type { ServerMessage } from "../../src/protocol.generated";
import { FakeClock } from "../fake-clock";

class FakeSocket implements Socket {
  onopen: Socket["onopen"] = null;
  onmessage: Socket["onmessage"] = null;
  onclose: Socket["onclose"] = null;
  sent: string[] = [];
  closed = false;
  send(data: string): void {
    this.sent.push(data);
  }
  close(): void {
    this.closed = true;
  }
  open(): void {
    this.onopen?.({} as Event);
  }
  receive(data: unknown): void {
    this.onmessage?.({ data } as MessageEvent);
  }
  lose(code = 1006, reason = ""): void {
    this.onclose?.({ code, reason } as CloseEvent);
  }
}

let clock: FakeClock;
let sockets: FakeSocket[];
let states: ConnectionState[];
let messages: ServerMessage[];
let connection: Connection;

function last(): FakeSocket {
  const socket = sockets.at(-1);
  if (!socket) throw new Error("no socket was opened");
  return socket;
}

/** Wait just until the next try begins. */
function untilRetry(): void {
  if (connection.state.phase !== "reconnecting") throw new Error(`unexpected phase ${connection.state.phase}`);
  clock.advance(connection.state.retryAt - clock.now());
}

beforeEach(() => {
  clock = new FakeClock();
  sockets = [];
  states = [];
  messages = [];
  connection = new Connection({
    url: "ws://test/client-ws",
    open: () => {
      sockets.push(new FakeSocket());
      return last();
    },
    clock,
    random: () => 1,
    onState: (state) => states.push(state),
    onMessage: (message) => messages.push(message),
  });
});

describe("pauseBefore", () => {
  it("doubles, is capped, and leaves the upper half to chance", () => {
    expect([1, 2, 3, 4].map((attempt) => pauseBefore(attempt, () => 1))).toEqual([500, 1000, 2000, 4000]);
    expect(pauseBefore(1, () => 0)).toBe(250);
    expect(pauseBefore(50, () => 1)).toBe(LONGEST_PAUSE);
    expect(pauseBefore(5000, () => 1)).toBe(LONGEST_PAUSE);
  });
});

describe("Connection", () => {
  it("connects, then passes messages in both directions", () => {
    connection.start();
    expect(connection.send({ type: "heartbeat" })).toBe(false);
    last().open();
    expect(connection.send({ type: "text-input", text: "hi" })).toBe(true);
    last().receive('{"type":"heartbeat-ack"}');
    expect(last().sent).toEqual(['{"type":"text-input","text":"hi"}']);
    expect(messages).toEqual([{ type: "heartbeat-ack" }]);
    expect(states.map((one) => one.phase)).toEqual(["connecting", "online"]);
  });

  it("comes back with growing pauses while the server is away", () => {
    connection.start();
    const pauses: number[] = [];
    for (let round = 0; round < 7; round += 1) {
      last().lose();
      const before = clock.now();
      untilRetry();
      pauses.push(clock.now() - before);
    }
    expect(pauses).toEqual([500, 1000, 2000, 4000, 8000, 15_000, 15_000]);
    expect(sockets).toHaveLength(8);
  });

  it("begins with the shortest pause again after a connection that held", () => {
    connection.start();
    for (let round = 0; round < 4; round += 1) {
      last().lose();
      untilRetry();
    }
    last().open();
    clock.advance(STABLE_AFTER);
    last().lose();
    expect(connection.state).toMatchObject({ phase: "reconnecting", retryAt: clock.now() + 500 });
  });

  it("does not hurry a server that accepts and closes at once", () => {
    connection.start();
    for (let round = 0; round < 6; round += 1) {
      last().open();
      last().lose(1013);
      untilRetry();
    }
    last().open();
    last().lose(1013);
    expect(connection.state).toMatchObject({ reason: "full", retryAt: clock.now() + LONGEST_PAUSE });
  });

  it.each([
    [1012, "restarting"],
    [1008, "refused"],
    [4403, "refused"],
    [4429, "refused"],
    [1006, "lost"],
  ])("knows the close code %i", (code, reason) => {
    connection.start();
    last().open();
    last().lose(code);
    expect(connection.state).toMatchObject({ reason, retryAt: clock.now() + 500 });
  });

  it("waits long where a token is asked for: the next try would fail as well", () => {
    connection.start();
    last().open();
    last().lose(4401);
    expect(connection.state).toMatchObject({ reason: "token", retryAt: clock.now() + LONGEST_PAUSE });
    connection.setVisible(true);
    expect(connection.state.phase).toBe("connecting");
  });

  it("asks for a token again when its log-in has ended", () => {
    connection.start();
    last().open();
    last().lose(1008, "logged out: the log-in that opened this connection has ended");
    expect(connection.state).toMatchObject({ reason: "token" });
  });

  it("gives up a socket that never opens", () => {
    connection.start();
    clock.advance(CONNECT_TIMEOUT);
    expect(connection.state.phase).toBe("reconnecting");
    expect(last().closed).toBe(true);
  });

  it("asks for a sign of life and reconnects when none comes", () => {
    connection.start();
    const first = last();
    first.open();
    clock.advance(HEARTBEAT_EVERY);
    expect(first.sent).toEqual(['{"type":"heartbeat"}']);
    first.receive('{"type":"heartbeat-ack"}');
    clock.advance(ACK_TIMEOUT);
    expect(connection.state.phase).toBe("online");
    clock.advance(HEARTBEAT_EVERY);
    expect(connection.state.phase).toBe("reconnecting");
    expect(first.closed).toBe(true);
  });

  it("sends no heartbeat while the page is hidden, and one at once when it is shown", () => {
    connection.start();
    last().open();
    connection.setVisible(false);
    clock.advance(10 * HEARTBEAT_EVERY);
    expect(last().sent).toEqual([]);
    connection.setVisible(true);
    expect(last().sent).toEqual(['{"type":"heartbeat"}']);
  });

  it("tries at once when the page is shown or the network is back", () => {
    connection.start();
    last().lose();
    connection.setVisible(true);
    expect(sockets).toHaveLength(2);
    last().lose();
    connection.setNetwork(true);
    expect(sockets).toHaveLength(3);
  });

  it("tries nothing without a network", () => {
    connection.start();
    last().open();
    connection.setNetwork(false);
    clock.advance(10 * LONGEST_PAUSE);
    expect(connection.state.phase).toBe("offline");
    expect(sockets).toHaveLength(1);
    connection.setNetwork(true);
    last().open();
    expect(connection.state.phase).toBe("online");
  });

  it("hears nothing from a socket it let go", () => {
    connection.start();
    const old = last();
    old.open();
    const handler = old.onmessage;
    connection.setNetwork(false);
    connection.setNetwork(true);
    expect(old.onmessage).toBeNull();
    expect(handler).not.toBeNull();
    old.lose();
    expect(connection.state.phase).toBe("connecting");
  });

  it("ignores frames that are no messages", () => {
    connection.start();
    last().open();
    for (const frame of ["not json", "[]", "null", '{"no":"type"}', new ArrayBuffer(1)]) last().receive(frame);
    expect(messages).toEqual([]);
    expect(connection.state.phase).toBe("online");
  });

  it("leaves no timer behind when stopped", () => {
    connection.start();
    last().open();
    clock.advance(HEARTBEAT_EVERY);
    connection.stop();
    expect(clock.timers).toEqual([]);
    connection.start();
    last().lose();
    connection.stop();
    expect(clock.timers).toEqual([]);
  });
});
