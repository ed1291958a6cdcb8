// What closing the last owners found.

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { useOps, useView } from "./context";
import { Place } from "./place";
import { Table } from "./table";

const FIRST = 10;

export function Closes(): JSX.Element {
  const { t, figure, clocks } = useOps();
  const closes = useView((view) => view.server?.closes) ?? [];
  const total = useView((view) => view.server?.closes_total) ?? 0;
  const [all, setAll] = useState(false);
  const newest = [...closes].reverse();
  const columns = [
    { id: "time", label: t("closes.time") },
    { id: "owner", label: t("closes.owner") },
    { id: "reason", label: t("closes.reason") },
    ...(["took", "ended", "dropped"] as const).map((id) => ({ id, label: t(`closes.${id}`), numeric: true })),
    { id: "abandoned", label: t("closes.abandoned") },
  ];
  const rows = newest.slice(0, all ? undefined : FIRST).map((close, index) => ({
    // An owner's path is its own, but for those that open anew under the same name.
    key: `${close.owner} ${close.t} ${index}`,
    ...(close.abandoned.length > 0 ? { tone: "bad" as const } : {}),
    cells: {
      time: clocks.seconds(close.t),
      owner: (
        <code>
          <Place text={close.owner} />
        </code>
      ),
      reason: close.reason,
      took: figure(close.duration_ms, "ms"),
      ended: figure(close.ended, "count"),
      dropped: figure(close.dropped, "count"),
      abandoned: close.abandoned.length > 0 ? close.abandoned.join(", ") : t("closes.clean"),
    },
  }));
  return (
    <section class="card" aria-labelledby="closes-title" data-testid="closes">
      <h2 id="closes-title">{t("closes.title")}</h2>
      {rows.length === 0 ? (
        <p class="note">{t("closes.none")}</p>
      ) : (
        <>
          <p class="note">{t("closes.text", { n: figure(total, "count") })}</p>
          <Table label={t("closes.title")} columns={columns} rows={rows} />
          {closes.length > FIRST && (
            <button type="button" class="button-plain button-wide" aria-expanded={all} onClick={() => setAll(!all)}>
              {all ? t("closes.fewer") : t("closes.all", { n: closes.length })}
            </button>
          )}
        </>
      )}
    </section>
  );
}
