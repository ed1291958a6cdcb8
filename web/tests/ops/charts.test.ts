import { describe, expect, it } from "vitest";
import { extremes, rowsOf, scaleOf, timeCharts, visitsChart, type Chart } from "../../src/ops/client/charts";
import { columns, sample, START, state, visits } from "./fixture";

const { limits, baseline } = state();
const seconds = (count: number, kinds: Record<string, number> = { server: 1, clients: 2 }): ReturnType<typeof columns> =>
  columns(Array.from({ length: count }, (_, second) => sample(START + second, { tasks_by_kind: kinds })), 1);
const chartOf = (charts: Chart[], id: string): Chart => charts.find((one) => one.id === id) as Chart;

describe("the chart of visits", () => {
  it("has a dot for each, a running median, and the band of the start", () => {
    const chart = visitsChart(visits(5, [100, null, 300]), baseline);
    expect(chart.x).toEqual([5, 6, 7]);
    expect(chart.range).toEqual([5, 14]);
    expect(chart.lines.map((line) => [line.look, line.values])).toEqual([
      ["dots", [100, null, 300]],
      ["line", [100, null, 200]],
    ]);
    expect(chart.band).toEqual({ low: 80, high: 120 });
  });

  it("is whole without any visit", () => {
    expect(visitsChart(visits(1, []), null)).toMatchObject({ x: [], range: [1, 10], band: null });
  });
});

describe("the charts over time", () => {
  it("show the last so many seconds, and never less than two minutes", () => {
    expect(timeCharts(seconds(300), limits, 200)[0]?.range).toEqual([START + 99, START + 299]);
    expect(timeCharts(seconds(3), limits, 900)[0]?.range).toEqual([START - 118, START + 2]);
    expect(timeCharts(seconds(0), limits, 900)[0]?.range).toEqual([-120, 0]);
  });

  it("stack the tasks so that the upper edge is all of them", () => {
    const chart = chartOf(timeCharts(seconds(2, { rooms: 3, clients: 2, server: 1, odd: 4, other: 1 }), limits, 900), "tasks");
    expect(chart.lines.map((line) => line.label)).toEqual([
      { key: "branch.others" }, { key: "branch.server" }, { key: "branch.rooms" }, { key: "branch.clients" },
    ]);
    expect(chart.lines.map((line) => line.drawn)).toEqual([[11, 11], [6, 6], [5, 5], [2, 2]]);
    expect(chart.lines[0]?.values).toEqual([5, 5]);
  });

  it("call a single unknown branch by its name", () => {
    const chart = chartOf(timeCharts(seconds(1, { odd: 4 }), limits, 900), "tasks");
    expect(chart.lines.map((line) => line.label)).toEqual([{ name: "odd" }]);
  });

  it("draw the limit of the slots where it is near", () => {
    const ids = (slots: number | null): string[] =>
      chartOf(timeCharts(seconds(2), { ...limits, provider_slots: slots }, 900), "slots").lines.map((line) => line.id);
    expect(ids(4)).toContain("limit");
    expect(ids(500)).not.toContain("limit");
    expect(ids(null)).not.toContain("limit");
  });
});

describe("a chart in words", () => {
  const chart = visitsChart(visits(1, [300, 100, null, 200]), null);

  it("knows the last, the least and the greatest of what is shown", () => {
    const [dots] = chart.lines;
    if (!dots) throw new Error("no line");
    expect(extremes(dots, chart.x, 1)).toEqual({ last: 200, low: 100, high: 300 });
    expect(extremes(dots, chart.x, 2)).toEqual({ last: 200, low: 100, high: 200 });
    expect(extremes(dots, chart.x, 9)).toEqual({ last: null, low: null, high: null });
  });

  it("is a table with the newest first, however many points there are", () => {
    expect(rowsOf(chart, 12).map((row) => row.x)).toEqual([4, 3, 2, 1]);
    expect(rowsOf(chart, 2)).toEqual([{ x: 4, values: [200, 200] }, { x: 1, values: [300, 300] }]);
    expect(rowsOf(visitsChart(visits(1, new Array(2000).fill(1)), null), 12)).toHaveLength(12);
    expect(rowsOf(visitsChart(visits(1, []), null), 12)).toEqual([]);
  });

  it("has a scale from zero, or around what is measured, and always a height", () => {
    const flat = { fromZero: true, band: null };
    expect(scaleOf(flat, 1, 100)).toEqual([0, 108]);
    expect(scaleOf(flat, 0, 0)).toEqual([0, 1]);
    expect(scaleOf(flat, null, null)).toEqual([0, 1]);
    expect(scaleOf({ fromZero: true, band: { low: 1, high: 200 } }, 1, 100)).toEqual([0, 216]);
    const [low, high] = scaleOf({ fromZero: false, band: null }, 100, 100);
    expect([low, high]).toEqual([95, 105]);
    expect(scaleOf({ fromZero: false, band: null }, 0, 0)).toEqual([0, 0.5]);
  });
});
