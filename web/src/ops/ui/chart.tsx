// A chart with its title, its legend, which follows the pointer, and the same figures as a table.

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { extremes, rowsOf, type Chart, type Line } from "../client/charts";
import { useOps } from "./context";
import { Icon } from "./icons";
import { Plot } from "./plot";
import { Table } from "./table";

const TABLE_ROWS = 12;

interface ChartProps {
  chart: Chart;
  /** At least; pixels. */
  height: number;
  sync?: string;
  /** What to say while there is nothing to draw. */
  empty?: string;
}

export function ChartCard({ chart, height, sync, empty }: ChartProps): JSX.Element {
  const { t, clocks, figure } = useOps();
  const [hovered, setHovered] = useState<number | null>(null);
  const [asTable, setAsTable] = useState(false);
  const title = t(chart.title);
  const found = chart.lines.map((line) => extremes(line, chart.x, chart.range[0]));
  const blank = found.every((one) => one.last === null);
  const summary = chart.lines.flatMap((line, index) => {
    const one = found[index];
    if (line.look === "limit" || !one || one.last === null) return [];
    const [last, low, high] = [one.last, one.low, one.high].map((value) => figure(value, chart.unit));
    return [t("chart.summary", { line: labelOf(line, t), last: last ?? "", low: low ?? "", high: high ?? "" })];
  });
  const at = hovered === null ? undefined : chart.x[hovered];
  const when = at === undefined ? null : chart.time ? clocks.seconds(at) : t("chart.at-visit", { n: at });
  const toggle = t(asTable ? "chart.drawing" : "chart.table", { chart: title });
  return (
    <figure class="chart" data-testid="chart" data-chart={chart.id}>
      <figcaption class="chart-head">
        <h3>{title}</h3>
        {when !== null && <span class="chart-when">{when}</span>}
        <button type="button" class="button-icon chart-toggle" aria-label={toggle} title={toggle} onClick={() => setAsTable(!asTable)}>
          <Icon name={asTable ? "chart" : "table"} size={16} />
        </button>
      </figcaption>
      <ul class="legend">
        {[...chart.lines].reverse().map((line, index) => {
          const last = found[chart.lines.length - 1 - index]?.last;
          const value = hovered === null ? last : line.values[hovered];
          return (
            <li key={line.id} data-line={line.id}>
              <span class="swatch" data-colour={line.colour} data-look={line.look} />
              <span class="legend-name">{labelOf(line, t)}</span> <b>{figure(value, chart.unit)}</b>
            </li>
          );
        })}
      </ul>
      {asTable ? (
        <div class="chart-table" role="region" aria-label={title} tabIndex={0} style={{ minHeight: `${height}px` }}>
          <ChartTable chart={chart} />
        </div>
      ) : (
        <div class="chart-picture" data-blank={blank ? "" : undefined} style={{ minHeight: `${height}px` }}>
          <Plot
            chart={chart}
            label={`${title}. ${blank ? t("chart.empty") : summary.join(" ")}`}
            onHover={setHovered}
            {...(sync === undefined ? {} : { sync })}
          />
          {blank && <p class="chart-empty">{empty ?? t("chart.empty")}</p>}
        </div>
      )}
    </figure>
  );
}

function ChartTable({ chart }: { chart: Chart }): JSX.Element {
  const { t, clocks, figure } = useOps();
  const columns = [
    { id: "x", label: t(chart.time ? "chart.time" : "chart.visit") },
    ...chart.lines.map((line) => ({ id: line.id, label: labelOf(line, t), numeric: true })),
  ];
  const rows = rowsOf(chart, TABLE_ROWS).map((row) => ({
    key: row.x,
    cells: {
      x: chart.time ? clocks.seconds(row.x) : row.x,
      ...Object.fromEntries(chart.lines.map((line, index) => [line.id, figure(row.values[index], chart.unit)])),
    },
  }));
  return <Table label={t(chart.title)} columns={columns} rows={rows} compact />;
}

function labelOf(line: Line, t: ReturnType<typeof useOps>["t"]): string {
  return "key" in line.label ? t(line.label.key) : line.label.name;
}
