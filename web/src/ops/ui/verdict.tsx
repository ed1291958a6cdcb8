// The answer to the page's question, with the figures it rests on; and the server's facts beside it.

import type { JSX } from "preact";
import type { OpsVerdictFigures } from "../../ops.generated";
import { headlineOf, type Tone } from "../client/verdict";
import { useOps, useView } from "./context";
import { Icon, type IconName } from "./icons";

const ICONS: Record<Tone, IconName> = { good: "check", bad: "up", unknown: "wait" };

export function Verdict(): JSX.Element | null {
  const { t } = useOps();
  const hint = useView((view) => view.server?.verdict_hint);
  if (!hint) return null;
  const { tone, title, at } = headlineOf(hint);
  return (
    <section class="card verdict" data-tone={tone} data-state={hint.state} data-testid="verdict" aria-labelledby="verdict-title">
      <div class="verdict-mark">
        <Icon name={ICONS[tone]} size={30} />
      </div>
      <div class="verdict-words">
        <h2 id="verdict-title">{t("verdict.title")}</h2>
        <p class="verdict-headline" id="verdict" tabIndex={-1}>
          {t(title, at === null ? {} : { n: at })}
        </p>
        {hint.state === "not_enough" ? <Progress figures={hint.figures} /> : <Figures figures={hint.figures} />}
      </div>
    </section>
  );
}

function Figures({ figures }: { figures: OpsVerdictFigures }): JSX.Element {
  const { t, figure, change } = useOps();
  return (
    <>
      <dl class="verdict-figures">
        <Fact name={t("verdict.now")} value={figure(figures.recent_ms, "ms")} />
        <Fact name={t("verdict.start")} value={figure(figures.baseline_ms, "ms")} />
        <Fact name={t("verdict.change")} value={change(figures.change_ms, "ms")} />
        <Fact name={t("verdict.per-100")} value={change(figures.per_100_ms, "ms")} />
      </dl>
      {figures.margin_ms !== null && (
        <p class="note">{t("verdict.hint", { margin: figure(figures.margin_ms, "ms") })}</p>
      )}
    </>
  );
}

function Progress({ figures }: { figures: OpsVerdictFigures }): JSX.Element {
  const { t } = useOps();
  const { visits, needed } = figures;
  const text = t("verdict.progress", { n: visits, needed });
  return (
    <>
      <p class="verdict-progress">
        <progress max={needed} value={Math.min(visits, needed)} aria-label={text} />
        <span>{text}</span>
      </p>
      <p class="note">{t("verdict.how-to")}</p>
    </>
  );
}

export function Facts(): JSX.Element | null {
  const { t, figure, age } = useOps();
  const server = useView((view) => view.server);
  if (!server) return null;
  const last = <Name extends "clients" | "tasks" | "rss_mb">(name: Name): number | undefined => server.samples[name].at(-1);
  return (
    <section class="card facts" aria-label={t("facts.title")} data-testid="facts">
      <dl>
        <Fact name={t("facts.up")} value={age(server.uptime_s)} />
        <Fact name={t("facts.visits")} value={figure(server.visits_total, "count")} />
        <Fact name={t("facts.clients")} value={figure(last("clients"), "count")} />
        <Fact name={t("facts.tasks")} value={figure(last("tasks"), "count")} />
        <Fact name={t("facts.memory")} value={figure(last("rss_mb"), "mb")} />
        <Fact name={t("facts.version")} value={server.version} />
      </dl>
    </section>
  );
}

function Fact({ name, value }: { name: string; value: string }): JSX.Element {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}
