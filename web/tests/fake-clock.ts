import type { Clock } from "../src/client/kept";

/** Time that moves only when told to. */
export class FakeClock implements Clock {
  time = 0;
  timers: { at: number; run: () => void }[] = [];
  now(): number {
    return this.time;
  }
  after(delay: number, run: () => void): () => void {
    const timer = { at: this.time + delay, run };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((one) => one !== timer);
    };
  }
  advance(by: number): void {
    const end = this.time + by;
    for (;;) {
      const next = this.timers.filter((one) => one.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.timers = this.timers.filter((one) => one !== next);
      this.time = next.at;
      next.run();
    }
    this.time = end;
  }
}
