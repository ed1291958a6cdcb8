// Speaking to the character: the microphone's button, and what is seen while one speaks.
//
// Held, the button records until it is let go; clicked, until it is clicked again. In hands-free mode it opens the
// microphone, and the server finds out where one begins and ends to speak.

import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { hearsOpenMic, isBusy } from "../client/state";
import { openMicrophone } from "../voice/microphone";
import { Recorder, type RecorderState } from "../voice/recorder";
import { useApp } from "./context";
import { useMedia } from "./media";
import { Icon } from "./icons";

/** Milliseconds after which a press counts as holding. */
const HOLD = 350;

export interface Talk {
  state: RecorderState;
  recorder: Recorder;
  /** Shows the loudness: its `--level` is set, 0 to 1. */
  meter: { current: HTMLElement | null };
  start: () => void;
}

export function useTalk(ready: boolean): Talk {
  const { client, t, preferences } = useApp();
  const [state, setState] = useState<RecorderState>("off");
  const meter = useRef<HTMLElement>(null);
  const words = useRef(t);
  words.current = t;
  const recorder = useMemo(
    () =>
      new Recorder(openMicrophone, {
        changed: setState,
        level: (level) => meter.current?.style.setProperty("--level", level.toFixed(3)),
        recorded: (chunks) => client.dispatch({ type: "voice", chunks }),
        streamed: (samples) => client.dispatch({ type: "open-mic", samples }),
        problem: (problem) => client.dispatch({ type: "toast", kind: "error", text: words.current(`mic.${problem}`) }),
      }),
    [],
  );
  const { connected, confUid } = client.snapshot.session;
  // Neither a lost connection nor another character is to hear what was meant for this one.
  useEffect(() => () => recorder.cancel(), [connected, confUid, preferences.talk]);
  useEffect(() => {
    if (state === "off") return;
    const onKey = (event: KeyboardEvent): void => {
      if (event.key !== "Escape" || recorder.state === "streaming" || document.querySelector("dialog[open]")) return;
      event.stopPropagation();
      recorder.cancel();
    };
    document.addEventListener("keydown", onKey, { capture: true });
    return () => document.removeEventListener("keydown", onKey, { capture: true });
  }, [state]);
  const start = (): void => {
    if (!ready) return;
    const { session } = client.snapshot;
    if (preferences.talk === "open" && hearsOpenMic(session)) {
      void recorder.stream(preferences.microphone);
      return;
    }
    // Who begins to speak cuts in, as by typing on.
    if (isBusy(session)) client.dispatch({ type: "interrupt" });
    void recorder.record(preferences.microphone);
  };
  return { state, recorder, meter, start };
}

export function TalkButton({ talk, ready }: { talk: Talk; ready: boolean }): JSX.Element {
  const { client, t, preferences } = useApp();
  const { state, recorder, start } = talk;
  const pressed = useRef<number | null>(null);
  const open = preferences.talk === "open" && hearsOpenMic(client.snapshot.session);
  const stop = (): void => (recorder.state === "recording" ? recorder.send() : recorder.cancel());
  const words = state === "off" ? t(open ? "mic.open" : "mic.speak") : t(state === "recording" ? "mic.send" : "mic.close");
  return (
    <button
      ref={(element) => {
        if (state !== "recording") talk.meter.current = element;
      }}
      type="button"
      class="button-icon button-mic"
      data-testid="mic"
      data-state={state}
      aria-label={words}
      aria-pressed={state !== "off"}
      title={words}
      disabled={state === "off" && !ready}
      onPointerDown={(event) => {
        if (event.button !== 0 || state !== "off") return;
        event.currentTarget.setPointerCapture(event.pointerId);
        pressed.current = performance.now();
        start();
      }}
      onPointerUp={() => {
        const since = pressed.current;
        pressed.current = null;
        if (since === null) stop();
        else if (!open && performance.now() - since >= HOLD) stop();
      }}
      onPointerCancel={() => {
        pressed.current = null;
        recorder.cancel();
      }}
      // A long press is no wish for a menu.
      onContextMenu={(event) => event.preventDefault()}
      onClick={(event) => {
        // Only keys and screen readers come this way: pointers have been dealt with.
        if (event.detail !== 0) return;
        state === "off" ? start() : stop();
      }}
    >
      <Icon name="mic" />
    </button>
  );
}

/** In place of the text while a recording runs: that it does, how loud, how long. */
export function Recording({ talk }: { talk: Talk }): JSX.Element {
  const { t } = useApp();
  const touch = useMedia("(pointer: coarse)");
  const [seconds, setSeconds] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => setSeconds(Math.floor(talk.recorder.seconds)), 250);
    return () => clearInterval(timer);
  }, []);
  return (
    <div class="recording" data-testid="recording">
      <span
        ref={(element) => {
          talk.meter.current = element;
        }}
        class="meter"
        aria-hidden="true"
      >
        {Array.from({ length: 16 }, (_, index) => (
          <i key={index} style={{ "--at": String((index + 1) / 16) }} />
        ))}
      </span>
      <span class="recording-time">{`0:${String(seconds).padStart(2, "0")}`}</span>
      <span class="recording-words" role="status">
        {t(talk.state === "opening" ? "mic.opening" : "mic.recording")} {!touch && t("mic.escape")}
      </span>
    </div>
  );
}
