// What the reducer wants done. The shell in client.ts does it.

import type { AudioMessage, ClientMessage } from "../protocol.generated";
import type { SessionState } from "./state";

export type Effect =
  | { do: "send"; message: ClientMessage }
  | { do: "play"; id: number; message: AudioMessage }
  /** A turn begins: forget what is left of the last one. */
  | { do: "begin-turn" }
  /** Every sentence of the turn is here. */
  | { do: "all-sent" }
  | { do: "hush" };

export interface Step {
  state: SessionState;
  effects: Effect[];
}

export const HUSH: Effect = { do: "hush" };

export function send(message: ClientMessage): Effect {
  return { do: "send", message };
}

/** Ask for the stored conversations, and for those whose deletion can be undone. */
export const ASK_LIST: Effect = send({ type: "fetch-history-list", deleted: true });

/** A step with effects before its own. */
export function after(effects: readonly Effect[], step: Step): Step {
  return { state: step.state, effects: [...effects, ...step.effects] };
}

export function same(state: SessionState): Step {
  return { state, effects: [] };
}
