import { beforeEach, describe, expect, it } from "vitest";
import { MAX_WAITING, PlaybackQueue, type Player } from "../../src/client/playback";

class FakePlayer implements Player {
  playing: { audio: string; done: () => void }[] = [];
  stopped: string[] = [];
  play(audio: string, done: () => void): () => void {
    this.playing.push({ audio, done });
    return () => this.stopped.push(audio);
  }
  finish(): void {
    this.playing.at(-1)?.done();
  }
}

let player: FakePlayer;
let log: string[];
let queue: PlaybackQueue;

beforeEach(() => {
  player = new FakePlayer();
  log = [];
  queue = new PlaybackQueue(player, {
    began: (id) => log.push(`began ${id}`),
    ended: (id) => log.push(`ended ${id}`),
    complete: () => log.push("complete"),
  });
  queue.beginTurn();
});

describe("PlaybackQueue", () => {
  it("plays sentences one after the other and answers when all are heard", () => {
    queue.add({ id: 1, audio: "a" });
    queue.add({ id: 2, audio: "b" });
    queue.allSent();
    expect(player.playing.map((one) => one.audio)).toEqual(["a"]);
    player.finish();
    player.finish();
    expect(log).toEqual(["began 1", "ended 1", "began 2", "ended 2", "complete"]);
  });

  it("keeps the place of a silent sentence", () => {
    queue.add({ id: 1, audio: "a" });
    queue.add({ id: 2, audio: null });
    expect(log).toEqual(["began 1"]);
    player.finish();
    expect(log).toEqual(["began 1", "ended 1", "began 2", "ended 2"]);
  });

  it("answers at once when there is nothing to wait for", () => {
    queue.allSent();
    expect(log).toEqual(["complete"]);
  });

  it("answers exactly once a turn, however often the server asks", () => {
    queue.add({ id: 1, audio: null });
    queue.allSent();
    queue.allSent();
    expect(log.filter((one) => one === "complete")).toHaveLength(1);
    queue.beginTurn();
    queue.allSent();
    expect(log.filter((one) => one === "complete")).toHaveLength(2);
  });

  it("answers nothing after it was stopped, and late ends of old sounds are ignored", () => {
    queue.add({ id: 1, audio: "a" });
    queue.add({ id: 2, audio: "b" });
    queue.allSent();
    queue.stop();
    player.finish();
    expect(player.stopped).toEqual(["a"]);
    expect(log).toEqual(["began 1", "ended 1"]);
    expect(queue.statistics()).toEqual({ waiting: 0, playing: false, answered: false });
  });

  it("goes through everything at once when the sound is turned off", () => {
    queue.add({ id: 1, audio: "a" });
    queue.add({ id: 2, audio: "b" });
    queue.allSent();
    queue.setSound(false);
    expect(log).toEqual(["began 1", "ended 1", "began 2", "ended 2", "complete"]);
    queue.setSound(true);
    queue.beginTurn();
    queue.add({ id: 3, audio: "c" });
    expect(player.playing.at(-1)?.audio).toBe("c");
  });

  it("survives a listener that stops it in the middle of a beginning", () => {
    const stopping = new PlaybackQueue(player, {
      began: () => stopping.stop(),
      ended: (id) => log.push(`ended ${id}`),
      complete: () => log.push("complete"),
    });
    stopping.add({ id: 1, audio: "a" });
    expect(player.playing).toEqual([]);
    expect(log).toEqual(["ended 1"]);
  });

  it("bounds the sound that waits: what is too much is shown but not spoken", () => {
    for (let id = 0; id <= MAX_WAITING + 50; id += 1) queue.add({ id, audio: `sound ${id}` });
    for (let rounds = 0; queue.statistics().playing; rounds += 1) {
      if (rounds > 1000) throw new Error("never ends");
      player.finish();
    }
    expect(player.playing).toHaveLength(MAX_WAITING + 1);
    expect(log.filter((one) => one.startsWith("began"))).toHaveLength(MAX_WAITING + 51);
  });

  it("does not grow the stack over a long silent reply", () => {
    queue.add({ id: 0, audio: "a" });
    for (let id = 1; id < 20_000; id += 1) queue.add({ id, audio: null });
    player.finish();
    expect(log.at(-1)).toBe("ended 19999");
  });
});
