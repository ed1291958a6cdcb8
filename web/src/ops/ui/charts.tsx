// The charts: first replies over visits, and everything over time.

import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import { timeCharts, visitsChart } from "../client/charts";
import { ChartCard } from "./chart";
import { useOps, useView } from "./context";
import { useMedia } from "../../ui/media";

const SYNC = "greenroom-time";

export function Visits(): JSX.Element {
  const { t, figure } = useOps();
  const visits = useView((view) => view.server?.visits);
  const baseline = useView((view) => view.server?.baseline) ?? null;
  const narrow = useMedia("(max-width: 40rem)");
  const chart = useMemo(() => (visits ? visitsChart(visits, baseline) : null), [visits, baseline]);
  return (
    <section class="card visits" aria-labelledby="visits-title" data-testid="visits">
      <h2 id="visits-title" class="sr-only">
        {t("visits.title")}
      </h2>
      {chart && <ChartCard chart={chart} height={narrow ? 200 : 270} empty={t("visits.none")} />}
      {baseline && (
        <p class="note visits-band">
          <span class="swatch" data-look="band" />
          {t("visits.band", { low: figure(baseline.low_ms, "ms"), high: figure(baseline.high_ms, "ms") })}
        </p>
      )}
    </section>
  );
}

type Range = "fine" | "coarse";

export function OverTime(): JSX.Element | null {
  const { t, age } = useOps();
  const [range, setRange] = useState<Range>("fine");
  const samples = useView((view) => (range === "fine" ? view.server?.samples : view.server?.samples_coarse));
  const limits = useView((view) => view.server?.limits);
  const charts = useMemo(() => {
    if (!samples || !limits) return [];
    return timeCharts(samples, limits, range === "fine" ? limits.fine_s : limits.coarse_s);
  }, [samples, limits, range]);
  if (!samples || !limits) return null;
  return (
    <section aria-labelledby="time-title" data-testid="time">
      <div class="section-head">
        <h2 id="time-title">{t("time.title")}</h2>
        <fieldset class="segments range">
          <legend class="sr-only">{t("time.range")}</legend>
          {(["fine", "coarse"] as const).map((one) => (
            <label key={one} class="segment">
              <input type="radio" name="range" value={one} checked={range === one} onChange={() => setRange(one)} />
              <span>{age(one === "fine" ? limits.fine_s : limits.coarse_s)}</span>
            </label>
          ))}
        </fieldset>
      </div>
      {samples.t.length === 0 && (
        <p class="note">
          {t("time.none")} {range === "coarse" && t("time.coarse-hint", { n: samples.step_s })}
        </p>
      )}
      <div class="charts">
        {charts.map((chart) => (
          <div class="card" key={chart.id}>
            <ChartCard chart={chart} height={150} sync={SYNC} />
          </div>
        ))}
      </div>
    </section>
  );
}
