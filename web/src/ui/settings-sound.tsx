// How loud and where it plays; and, where the server hears, the microphone: how one speaks, which one, how loud.

import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { canChooseOutput } from "../client/player";
import { hears, hearsOpenMic } from "../client/state";
import { listDevices, NO_DEVICES, type Device, type Devices } from "../voice/devices";
import { openMicrophone } from "../voice/microphone";
import { Recorder, type RecorderState } from "../voice/recorder";
import { useApp } from "./context";
import { Choice, Select } from "./form";

export function SoundSettings(): JSX.Element {
  const { snapshot, t, preferences, prefer } = useApp();
  const [devices, again] = useDevices();
  const percent = Math.round(preferences.volume * 100);
  const canHear = hears(snapshot.session) && snapshot.session.room === null;
  return (
    <section class="form" aria-labelledby="sound-title">
      <label class="field">
        <span id="sound-title" class="choice-title">
          {t("sound.volume")}
        </span>
        <span class="field-row">
          <input
            type="range"
            data-testid="volume"
            min={0}
            max={100}
            step={5}
            value={percent}
            aria-valuetext={`${percent} %`}
            onInput={(event) => {
              const volume = event.currentTarget.valueAsNumber / 100;
              prefer({ volume, sound: volume > 0 });
            }}
          />
          <output class="field-value">{percent} %</output>
        </span>
      </label>
      {canChooseOutput() && devices.speakers.length > 1 && (
        <Select
          title={t("sound.speaker")}
          testid="speaker"
          options={named(t("sound.system"), devices.speakers)}
          value={known(devices.speakers, preferences.speaker)}
          onChange={(id) => prefer({ speaker: id || null })}
        />
      )}
      {canHear && <MicrophoneSettings devices={devices.microphones} onAllowed={again} />}
    </section>
  );
}

function MicrophoneSettings({ devices, onAllowed }: { devices: Device[]; onAllowed: () => void }): JSX.Element {
  const { snapshot, t, preferences, prefer } = useApp();
  const [state, setState] = useState<RecorderState>("off");
  const [problem, setProblem] = useState<string | null>(null);
  const meter = useRef<HTMLSpanElement>(null);
  const words = useRef(t);
  words.current = t;
  const recorder = useMemo(
    () =>
      new Recorder(openMicrophone, {
        changed: (next) => {
          setState(next);
          if (next === "streaming") onAllowed();
        },
        level: (level) => meter.current?.style.setProperty("--level", level.toFixed(3)),
        recorded: () => {},
        // Only heard here.
        streamed: () => {},
        problem: (found) => setProblem(words.current(`mic.${found}`)),
      }),
    [],
  );
  useEffect(() => () => recorder.cancel(), []);
  const test = (device: string | null): void => {
    setProblem(null);
    recorder.cancel();
    void recorder.stream(device);
  };
  return (
    <>
      {hearsOpenMic(snapshot.session) && (
        <Choice
          title={t("mic.mode")}
          name="talk"
          value={preferences.talk}
          onChange={(talk) => prefer({ talk })}
          options={[
            { value: "hold", label: t("mic.mode-hold") },
            { value: "open", label: t("mic.mode-open") },
          ]}
        />
      )}
      {devices.length > 0 && (
        <Select
          title={t("mic.title")}
          testid="microphone"
          options={named(t("sound.system"), devices)}
          value={known(devices, preferences.microphone)}
          onChange={(id) => {
            prefer({ microphone: id || null });
            if (state !== "off") test(id || null);
          }}
        />
      )}
      <div class="field-row">
        <button
          type="button"
          class="button-soft"
          data-testid="mic-test"
          aria-pressed={state !== "off"}
          onClick={() => (state === "off" ? test(preferences.microphone) : recorder.cancel())}
        >
          {t(state === "off" ? "mic.test" : "mic.test-stop")}
        </button>
        <span ref={meter} class="meter" data-testid="mic-meter" aria-hidden="true">
          {Array.from({ length: 16 }, (_, index) => (
            <i key={index} style={{ "--at": String((index + 1) / 16) }} />
          ))}
        </span>
      </div>
      {problem !== null && (
        <p class="field-wrong" role="alert">
          {problem}
        </p>
      )}
    </>
  );
}

/** The devices; again when one is plugged in, and on request once their names may be read. */
function useDevices(): [Devices, () => void] {
  const [devices, setDevices] = useState(NO_DEVICES);
  const look = (): void => {
    listDevices().then(setDevices, () => setDevices(NO_DEVICES));
  };
  useEffect(() => {
    look();
    navigator.mediaDevices?.addEventListener("devicechange", look);
    return () => navigator.mediaDevices?.removeEventListener("devicechange", look);
  }, []);
  return [devices, look];
}

function named(first: string, devices: Device[]): [string, string][] {
  return [["", first], ...devices.map((one): [string, string] => [one.id, one.name])];
}

/** One that is not plugged in now is remembered, and not shown as if it were. */
function known(devices: Device[], id: string | null): string {
  return id !== null && devices.some((one) => one.id === id) ? id : "";
}
