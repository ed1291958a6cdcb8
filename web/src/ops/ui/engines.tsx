// The engines with their slots, and the queues of the rooms, as they are now.

import type { JSX } from "preact";
import { useOps, useView } from "./context";
import { Table } from "./table";

export function Engines(): JSX.Element {
  const { t, figure } = useOps();
  const engines = useView((view) => view.server?.providers) ?? [];
  const columns = [
    { id: "name", label: t("engines.name") },
    { id: "kind", label: t("engines.kind") },
    ...(["slots", "waiting", "finished", "aborted", "failed"] as const).map((id) => ({
      id, label: t(`engines.${id}`), numeric: true,
    })),
  ];
  const rows = engines.map((engine, index) => ({
    key: index, // two engines may have one name
    cells: {
      name: engine.name,
      kind: t(`engines.${engine.kind}`),
      slots: engine.slots === null ? engine.busy : t("engines.of", { n: engine.busy, all: engine.slots }),
      waiting: figure(engine.waiting, "count"),
      finished: figure(engine.finished, "count"),
      aborted: figure(engine.aborted, "count"),
      failed: figure(engine.failed, "count"),
    },
  }));
  return (
    <section class="card" aria-labelledby="engines-title" data-testid="engines">
      <h2 id="engines-title">{t("engines.title")}</h2>
      {rows.length > 0 ? (
        <Table label={t("engines.title")} columns={columns} rows={rows} />
      ) : (
        <p class="note">{t("engines.none")}</p>
      )}
    </section>
  );
}

export function Queues(): JSX.Element {
  const { t, figure, age } = useOps();
  const queues = useView((view) => view.server?.queues) ?? [];
  const columns = [
    { id: "room", label: t("queues.room") },
    { id: "active", label: t("queues.active") },
    ...(["waiting", "oldest", "viewers"] as const).map((id) => ({ id, label: t(`queues.${id}`), numeric: true })),
  ];
  const rows = queues.map((queue) => ({
    key: queue.room,
    cells: {
      room: queue.room,
      active: t(queue.active ? "queues.running" : "queues.idle"),
      waiting: figure(queue.waiting, "count"),
      oldest: queue.waiting > 0 ? age(queue.oldest_s) : "–",
      viewers: figure(queue.viewers, "count"),
    },
  }));
  return (
    <section class="card" aria-labelledby="queues-title" data-testid="queues">
      <h2 id="queues-title">{t("queues.title")}</h2>
      {rows.length > 0 ? (
        <Table label={t("queues.title")} columns={columns} rows={rows} />
      ) : (
        <p class="note">{t("queues.none")}</p>
      )}
    </section>
  );
}
