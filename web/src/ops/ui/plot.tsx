// One uPlot, drawn from a chart's data. It lives as long as the component, and is made anew only when what cannot be
// changed does: the lines, the colours, the language.

import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { scaleOf, type Chart, type Line } from "../client/charts";
import { useOps, type Ops } from "./context";

interface PlotProps {
  chart: Chart;
  /** What a screen reader says in place of the picture. */
  label: string;
  /** Charts with the same key share the position of the pointer. */
  sync?: string;
  onHover?: (index: number | null) => void;
}

/** Fills the element it is in, which needs a position and a height. */
export function Plot({ chart, label, sync, onHover }: PlotProps): JSX.Element {
  const ops = useOps();
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef({ chart, onHover });
  latest.current = { chart, onHover };
  const lines = chart.lines.map((line) => line.id + line.look).join();
  useEffect(() => {
    const element = place.current;
    if (!element) return;
    const read = (): Chart => latest.current.chart;
    const hover = (index: number | null): void => latest.current.onHover?.(index);
    const made = new uPlot(options(read, hover, element, ops, sync), dataOf(chart), element);
    plot.current = made;
    const watcher = new ResizeObserver(() => {
      const { clientWidth: width, clientHeight: height } = element;
      if (width > 0 && height > 0 && (width !== made.width || height !== made.height)) made.setSize({ width, height });
    });
    watcher.observe(element);
    return () => {
      watcher.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [lines, chart.unit, ops.language, ops.scheme, sync]);
  useEffect(() => plot.current?.setData(dataOf(chart)), [chart]);
  return <div ref={place} class="plot" role="img" aria-label={label} />;
}

function dataOf(chart: Chart): uPlot.AlignedData {
  return [chart.x, ...chart.lines.map((line) => line.drawn ?? line.values)];
}

const WHOLE = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000];

function options(
  read: () => Chart,
  hover: (index: number | null) => void,
  element: HTMLElement,
  ops: Ops,
  sync: string | undefined,
): uPlot.Options {
  const chart = read();
  const paint = palette(element);
  const axis = {
    stroke: paint.ink,
    font: `11px ${getComputedStyle(element).fontFamily}`,
    grid: { stroke: paint.grid, width: 1 },
    ticks: { show: false },
    border: { show: false },
  };
  const { clocks } = ops;
  const timeTexts = (_: uPlot, splits: number[]): string[] => {
    const [from, to] = read().range;
    return splits.map(to - from < 300 ? clocks.seconds : clocks.minutes);
  };
  const numberTexts = (_: uPlot, splits: number[]): string[] => splits.map((value) => ops.figure(value, "count"));
  return {
    width: Math.max(100, element.clientWidth),
    height: Math.max(60, element.clientHeight),
    padding: [10, 10, 0, 0],
    legend: { show: false },
    select: { show: false, left: 0, top: 0, width: 0, height: 0 },
    cursor: {
      y: false,
      drag: { x: false, y: false },
      points: { size: 7, width: 1.5, stroke: paint.surface },
      ...(sync === undefined ? {} : { sync: { key: sync, setSeries: false } }),
    },
    scales: {
      x: { time: chart.time, range: () => read().range },
      y: { range: (_, low, high) => scaleOf(read(), low, high) },
    },
    axes: [
      {
        ...axis, space: 62, size: 26, gap: 6, grid: { show: false },
        values: chart.time ? timeTexts : numberTexts,
        ...(chart.time ? {} : { incrs: WHOLE }),
      },
      {
        ...axis, size: 54, gap: 8, space: 34,
        values: (_, splits) => splits.map((value) => ops.figure(value, chart.unit)),
        ...(chart.unit === "count" ? { incrs: WHOLE } : {}),
      },
    ],
    series: [{}, ...chart.lines.map((line) => seriesOf(line, paint))],
    hooks: {
      setCursor: [(self) => hover(self.cursor.idx ?? null)],
      drawClear: [(self) => drawBand(self, read(), paint)],
    },
  };
}

function seriesOf(line: Line, paint: Palette): uPlot.Series {
  const stroke = line.look === "limit" ? paint.ink : (paint.lines[line.colour - 1] ?? paint.ink);
  switch (line.look) {
    case "dots":
      return {
        stroke, paths: () => null,
        points: { show: true, size: 4, width: 0, fill: faded(stroke, 0.55), stroke: "transparent" },
      };
    case "area":
      return {
        stroke, width: line.drawn ? 1 : 1.5, points: { show: false }, spanGaps: true,
        // Stacked areas cover each other, so they must not be seen through.
        fill: line.drawn ? mixed(stroke, paint.surface, 0.42) : faded(stroke, 0.16),
      };
    case "limit":
      return { stroke, width: 1.25, dash: [5, 4], points: { show: false } };
    case "line":
      // A figure without neighbours, such as the reply of a quiet minute, is no line: it is shown as a point.
      return { stroke, width: 1.75, spanGaps: true, points: { size: 4, fill: stroke, width: 0 } };
  }
}

/** The band of the start, behind everything. */
function drawBand(self: uPlot, { band }: Chart, paint: Palette): void {
  if (band === null) return;
  const { ctx, bbox } = self;
  const top = Math.max(bbox.top, self.valToPos(band.high, "y", true));
  const bottom = Math.min(bbox.top + bbox.height, self.valToPos(band.low, "y", true));
  if (bottom <= top) return;
  ctx.save();
  ctx.fillStyle = faded(paint.ink, 0.17);
  ctx.fillRect(bbox.left, top, bbox.width, Math.max(2, bottom - top));
  ctx.restore();
}

interface Palette {
  ink: string;
  grid: string;
  surface: string;
  lines: string[];
}

/** The colours as the browser computes them: a canvas knows no variables. */
function palette(element: HTMLElement): Palette {
  const read = (name: string): string => {
    // One element for each: the colour of an element that changes may be on its way from one to the other.
    const probe = document.createElement("span");
    probe.style.color = `var(${name})`;
    element.append(probe);
    const { color } = getComputedStyle(probe);
    probe.remove();
    return color;
  };
  return {
    ink: read("--muted"),
    grid: read("--line"),
    surface: read("--surface"),
    lines: Array.from({ length: 8 }, (_, index) => read(`--chart-${index + 1}`)),
  };
}

function faded(colour: string, alpha: number): string {
  const [red, green, blue] = channels(colour);
  return `rgba(${red}, ${green}, ${blue}, ${alpha})`;
}

function mixed(colour: string, ground: string, share: number): string {
  const [above, below] = [channels(colour), channels(ground)];
  const mix = above.map((value, index) => Math.round(value * share + (below[index] ?? 0) * (1 - share)));
  return `rgb(${mix.join(", ")})`;
}

function channels(colour: string): [number, number, number] {
  const [red = 0, green = 0, blue = 0] = (colour.match(/[\d.]+/g) ?? []).map(Number);
  return [red, green, blue];
}
