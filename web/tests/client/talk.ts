// A conversation for tests: events go in, the state and what was sent come out.

import { reduce, type SessionEvent } from "../../src/client/session";
import { initialState, type SessionState } from "../../src/client/state";
import type { ClientMessage, ServerMessage, SetModelAndConfMessage } from "../../src/protocol.generated";

export const ALL: NonNullable<SetModelAndConfMessage["features"]> = [
  "history-rename",
  "history-search",
  "history-undo",
  "character-state",
  "hearing",
  "hearing-end",
];

export class Talk {
  state: SessionState;
  #sent: ClientMessage[] = [];

  constructor(start: Partial<SessionState> = {}) {
    this.state = { ...initialState, ...start };
  }

  /** Connected to a server that can do everything, with a character on stage and a new conversation. */
  static begun(start: Partial<SessionState> = {}, features: typeof ALL | null = ALL): Talk {
    const talk = new Talk(start);
    talk.go({ type: "opened" });
    const named = features === null ? {} : { features };
    talk.hear({ type: "set-model-and-conf", model_info: null, conf_name: "White", conf_uid: "w", ...named });
    talk.hear({
      type: "config-files",
      configs: [
        { filename: "white.yaml", name: "White" },
        { filename: "sakura.yaml", name: "Sakura" },
      ],
    });
    talk.hear({ type: "history-list", histories: [] });
    if (talk.state.room === null) talk.hear({ type: "new-history-created", history_uid: "h1" });
    talk.sent();
    return talk;
  }

  go(event: SessionEvent): void {
    const step = reduce(this.state, event);
    this.state = step.state;
    for (const effect of step.effects) if (effect.do === "send") this.#sent.push(effect.message);
  }

  hear(message: ServerMessage, at = 1000): void {
    this.go({ type: "server", message, at });
  }

  say(text: string): void {
    this.go({ type: "say", text, pictures: [], at: 1000 });
  }

  /** A whole turn with one silent sentence. */
  turn(text: string, reply: string): void {
    this.say(text);
    this.hear({ type: "control", text: "conversation-chain-start" });
    this.hear({
      type: "audio",
      audio: null,
      volumes: [],
      slice_length: 20,
      display_text: { text: reply, name: "White", avatar: null },
      actions: {},
      forwarded: false,
      before: null,
    });
    this.hear({ type: "control", text: "conversation-chain-end" });
    this.sent();
  }

  /** What was sent since the last look. */
  sent(): ClientMessage[] {
    return this.#sent.splice(0);
  }

  notices(): string[] {
    return this.state.items.flatMap((item) => (item.kind === "notice" ? [item.word] : []));
  }

  humans(): string[] {
    return this.state.items.flatMap((item) => (item.kind === "human" ? [item.text] : []));
  }
}
