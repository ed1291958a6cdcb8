// The answer to "is it getting slower?", as words to fill in.

import type { OpsVerdict } from "../../ops.generated";

export type Tone = "good" | "bad" | "unknown";

export interface Headline {
  tone: Tone;
  title: "verdict.flat" | "verdict.growing" | "verdict.step" | "verdict.slower" | "verdict.not-enough";
  /** The visit it has been slower since. */
  at: number | null;
}

export function headlineOf({ state, figures }: OpsVerdict): Headline {
  switch (state) {
    case "flat":
      return { tone: "good", title: "verdict.flat", at: null };
    case "growing":
      return { tone: "bad", title: "verdict.growing", at: null };
    case "step":
      // The step may lie before the oldest visit that is kept.
      return { tone: "bad", title: figures.at === null ? "verdict.slower" : "verdict.step", at: figures.at };
    case "not_enough":
      return { tone: "unknown", title: "verdict.not-enough", at: null };
  }
}
