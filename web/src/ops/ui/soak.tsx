// A short soak from the page: asked for, watched, cancelled, and its verdict.

import type { JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import type { OpsSoak } from "../../ops.generated";
import { Refused, type Problem } from "../client/api";
import type { Chart } from "../client/charts";
import { isMode, MODES, visitsIn, type Mode } from "../client/soak";
import type { OpsKey } from "../i18n";
import { useOps, useView } from "./context";
import { Plot } from "./plot";

const USUAL_VISITS = "30";

/** What went wrong: a word of ours, or the server's own words. */
type Trouble = { word: OpsKey; values?: Record<string, number> } | { problem: Problem };

function troubleOf(error: unknown): Trouble {
  if (!(error instanceof Refused)) return { word: "soak.unreachable" };
  if (error.problem.status === 409) return { word: "soak.already" };
  return error.problem.problem ? { problem: error.problem } : { word: "soak.failed" };
}

export function Soak(): JSX.Element {
  const { api, t } = useOps();
  const soak = useView((view) => view.server?.soak) ?? null;
  const most = useView((view) => view.server?.limits.soak_visits) ?? 200;
  const [visits, setVisits] = useState(USUAL_VISITS);
  const [mode, setMode] = useState<Mode>("mixed");
  const [asked, setAsked] = useState<"start" | "cancel" | null>(null);
  const [trouble, setTrouble] = useState<Trouble | null>(null);
  const running = soak?.state === "running";
  // The stream tells that it began or ended; the answer to the request may come before or after.
  useEffect(() => setAsked(null), [soak?.id, soak?.state]);
  const ask = async (what: "start" | "cancel", request: () => Promise<unknown>): Promise<void> => {
    setTrouble(null);
    setAsked(what);
    try {
      await request();
    } catch (error) {
      setTrouble(troubleOf(error));
      setAsked(null);
    }
  };
  const start = (event: Event): void => {
    event.preventDefault();
    const number = visitsIn(visits, most);
    if (number === null) setTrouble({ word: "soak.bad-visits", values: { n: most } });
    else void ask("start", () => api.startSoak({ visits: number, mode }));
  };
  const bad = trouble !== null && "word" in trouble && trouble.word === "soak.bad-visits";
  return (
    <section class="card soak" aria-labelledby="soak-title" data-testid="soak" data-state={soak?.state}>
      <h2 id="soak-title">{t("soak.title")}</h2>
      <p class="note">{t("soak.text")}</p>
      {most === 0 ? (
        <p>{t("soak.off")}</p>
      ) : running ? (
        <Running soak={soak} cancelling={asked === "cancel"} onCancel={() => void ask("cancel", () => api.cancelSoak())} />
      ) : (
        <form onSubmit={start} noValidate>
          <label class="field field-visits">
            <span>{t("soak.visits")}</span>
            <input
              type="number"
              inputMode="numeric"
              min={1}
              max={most}
              value={visits}
              aria-invalid={bad}
              aria-describedby={trouble ? "soak-trouble" : undefined}
              data-testid="soak-visits"
              onInput={(event) => setVisits(event.currentTarget.value)}
            />
          </label>
          <label class="field field-mode">
            <span>{t("soak.mode")}</span>
            <select
              value={mode}
              aria-describedby="soak-mode-note"
              data-testid="soak-mode"
              onChange={(event) => {
                if (isMode(event.currentTarget.value)) setMode(event.currentTarget.value);
              }}
            >
              {MODES.map((one) => (
                <option key={one} value={one}>
                  {t(`mode-name.${one}`)}
                </option>
              ))}
            </select>
          </label>
          <p class="note mode-note" id="soak-mode-note">
            {t(`mode.${mode}`)}
          </p>
          <button type="submit" class="button-main" data-testid="soak-start" disabled={asked !== null}>
            {t(asked === "start" ? "soak.starting" : "soak.start")}
          </button>
        </form>
      )}
      {trouble && <Words trouble={trouble} />}
      {soak && !running && <Ended soak={soak} />}
    </section>
  );
}

function Words({ trouble }: { trouble: Trouble }): JSX.Element {
  const { t } = useOps();
  return (
    <p class="trouble" id="soak-trouble" role="alert" data-testid="soak-trouble">
      {"word" in trouble ? (
        t(trouble.word, trouble.values)
      ) : (
        <span lang="en">
          {trouble.problem.problem} {trouble.problem.fix}
        </span>
      )}
    </p>
  );
}

interface RunningProps {
  soak: OpsSoak;
  cancelling: boolean;
  onCancel: () => void;
}

function Running({ soak, cancelling, onCancel }: RunningProps): JSX.Element {
  const { t, age } = useOps();
  const seconds = useView((view) => Math.max(0, Math.floor(view.now - soak.began)));
  return (
    <div class="soak-running" data-testid="soak-running">
      <p class="soak-line">
        <b>{t("soak.progress", { n: soak.done, all: soak.visits })}</b>
        <span>{t("soak.running", { time: age(seconds) })}</span>
      </p>
      <progress max={soak.visits} value={soak.done} aria-label={t("soak.progress-label")} />
      <Replies soak={soak} />
      <button type="button" class="button-plain" data-testid="soak-cancel" disabled={cancelling} onClick={onCancel}>
        {t(cancelling ? "soak.cancelling" : "soak.cancel")}
      </button>
    </div>
  );
}

function Replies({ soak }: { soak: OpsSoak }): JSX.Element | null {
  const { t } = useOps();
  const { visit, first_reply_ms, visits } = soak;
  const chart = useMemo((): Chart => {
    const label = { key: "line.first-reply" } as const;
    return {
      id: "soak", title: "soak.first-replies", unit: "ms", fromZero: true, time: false, band: null,
      x: visit, range: [1, Math.max(visits, 2)],
      lines: [{ id: "first", label, colour: 1, look: "line", values: first_reply_ms }],
    };
  }, [visit, first_reply_ms, visits]);
  if (visit.length === 0) return null;
  return (
    <>
      <h3 class="soak-chart-title">{t("soak.first-replies")}</h3>
      <div class="chart-picture soak-chart">
        <Plot chart={chart} label={t("soak.first-replies")} />
      </div>
    </>
  );
}

function Ended({ soak }: { soak: OpsSoak }): JSX.Element {
  const { t, age, language } = useOps();
  const { verdict, state, error } = soak;
  const zh = language === "zh";
  const mode = isMode(soak.mode) ? t(`mode-name.${soak.mode}`) : soak.mode;
  return (
    <div class="soak-ended" data-testid="soak-ended">
      <p class="note">{t("soak.last", { n: soak.done, mode, time: age(soak.seconds) })}</p>
      {state === "cancelled" && <p>{t("soak.cancelled", { n: soak.done })}</p>}
      {state === "failed" && (
        <>
          <p class="trouble">{t("soak.failed")}</p>
          {error && (
            <pre class="soak-error" lang="en" tabIndex={0}>
              {error}
            </pre>
          )}
        </>
      )}
      {verdict && (
        <>
          <p class="soak-verdict" data-testid="soak-verdict" data-outcome={verdict.outcome}>
            {zh ? verdict.headline_zh : verdict.headline}
          </p>
          <Replies soak={soak} />
          {verdict.causes.length > 0 && (
            <>
              <h3>{t("soak.causes")}</h3>
              <ul class="causes">
                {verdict.causes.map((cause) => (
                  <li key={cause.name}>
                    <b>{zh ? cause.name_zh : cause.name}</b> <span>{zh ? cause.evidence_zh : cause.evidence}</span>
                  </li>
                ))}
              </ul>
            </>
          )}
        </>
      )}
    </div>
  );
}
